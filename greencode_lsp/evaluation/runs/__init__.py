"""Running examples through profiles, controls and peers, and keeping what came of it."""
