"""Recorded hidden states and predictions of every exit for every token of real code."""
