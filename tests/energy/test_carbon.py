from __future__ import annotations

import pytest

from greencode_lsp.energy import GRID_FACTORS, GridFactor, grams, grid_factor


@pytest.mark.parametrize("setting", ["DEU", "deu", " Deu "])
def test_a_factor_is_found_by_name_in_any_case(setting: str) -> None:
    assert grid_factor(setting) == GridFactor("DEU", 381.0)


def test_the_world_is_a_factor_too() -> None:
    assert grid_factor("World").grams_per_kwh == 475.0


@pytest.mark.parametrize("setting", [41, 41.0])
def test_a_positive_number_is_a_custom_factor(setting: float) -> None:
    assert grid_factor(setting) == GridFactor("custom", 41.0)


@pytest.mark.parametrize("setting", ["Atlantis", "", 0, -3.0, float("nan"), float("inf"), True])
def test_anything_else_is_refused_in_one_line_that_lists_the_names(setting: str | float) -> None:
    with pytest.raises(ValueError, match="gridFactor") as caught:
        grid_factor(setting)
    message = str(caught.value)
    assert "\n" not in message
    assert all(factor.name in message for factor in GRID_FACTORS)


def test_a_kilowatt_hour_stands_for_the_factors_grams() -> None:
    assert grams(3.6e6, grid_factor("FRA")) == pytest.approx(56.0)
    assert grams(1800.0, grid_factor("world")) == pytest.approx(475.0 / 2000)
