"""greencode: local code completion that knows what every token costs."""

__version__ = "0.1.0"
