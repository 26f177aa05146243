"""Whether suggestions break the files they are taken into: what `greencode eval editing` asks and counts."""
