"""Quality, speed and energy, measured. The server never imports this."""
