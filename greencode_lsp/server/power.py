"""Whether this machine runs on its battery."""

import psutil


def on_battery() -> bool:
    """Say whether the machine has a battery and draws from it now."""
    try:
        battery = psutil.sensors_battery()
    except (AttributeError, OSError):  # no such sensor on this platform, or not readable
        return False
    return battery is not None and not battery.power_plugged
