"""From joules to grams of CO2e, with a grid factor that has a name."""

from __future__ import annotations

import math
from dataclasses import dataclass

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class GridFactor:
    """How much CO2e a kilowatt-hour from a grid stands for, in grams."""

    name: str
    grams_per_kwh: float


GRID_FACTORS = tuple(
    GridFactor(name, grams_per_kwh)
    for name, grams_per_kwh in {
        "world": 475.0,
        "CHN": 582.0,
        "DEU": 381.0,
        "FRA": 56.0,
        "GBR": 238.0,
        "IND": 713.0,
        "USA": 369.0,
    }.items()
)
"""Countries: Our World in Data, 2023. World: the average codecarbon uses."""


def grid_factor(setting: str | float) -> GridFactor:
    """Find the factor a user names ("world", "fra") or gives in gCO2e/kWh; raises a one-line ValueError otherwise."""
    if isinstance(setting, str):
        for factor in GRID_FACTORS:
            if factor.name.casefold() == setting.strip().casefold():
                return factor
    elif not isinstance(setting, bool) and math.isfinite(setting) and setting > 0:
        return GridFactor("custom", float(setting))
    names = ", ".join(factor.name for factor in GRID_FACTORS)
    raise ValueError(f"gridFactor {setting!r} is unknown: use one of {names}, or a positive number of gCO2e/kWh")


def grams(joules: float, factor: GridFactor) -> float:
    """Grams of CO2e that `joules` stand for."""
    return joules / JOULES_PER_KWH * factor.grams_per_kwh
