"""Running generated programs with their tests, apart from this process."""
