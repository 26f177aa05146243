"""The soak test: three editors' habits at once against real servers, for minutes or hours. See docs/soak.md."""
