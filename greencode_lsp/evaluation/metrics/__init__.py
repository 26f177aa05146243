"""Scores of generated code, from libraries where there are some, each with a bootstrap interval."""
