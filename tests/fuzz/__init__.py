"""Fuzzing: mutated models, bundles, caches and LSP traffic, each in a real process. See docs/fuzz.md."""
