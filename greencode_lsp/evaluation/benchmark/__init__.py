"""Speed and energy beside peers, under typing, and segment by segment: what `greencode bench` runs."""
