"""What a bound promises, on simulated projects whose true loss is known."""

import numpy as np
import pytest

from greencode_lsp.training.calibration.learn_then_test import p_value, proven, upper_limit

PROJECTS = 30


def test_the_stated_confidence_is_met() -> None:
    """At threshold t a project loses 0.03 * (1 - t) on average, and projects differ as ours do."""
    random = np.random.default_rng(0)
    grid = np.linspace(1.0, 0.0, 60)
    broken, some = 0, 0
    for _ in range(600):
        harder = random.gamma(4.0, 1 / 4.0, PROJECTS)  # how much more one project loses than another, 1 on average

        def losses_at(threshold: float, harder: np.ndarray = harder) -> np.ndarray:
            return 0.03 * (1 - threshold) * harder

        thresholds = proven(grid.tolist(), losses_at, 0.01, 0.95)
        some += bool(thresholds)
        broken += any(0.03 * (1 - threshold) > 0.01 for threshold in thresholds)
    assert some == 600
    assert broken / 600 < 0.08  # 5 % promised; three standard errors of 600 tries are 2.7 %


def test_the_search_ends_at_the_first_threshold_that_fails() -> None:
    losses = {4.0: 0.001, 3.0: 0.002, 2.0: 0.2, 1.0: 0.0}
    asked = []

    def losses_at(threshold: float) -> np.ndarray:
        asked.append(threshold)
        return losses[threshold] + np.linspace(-1e-3, 1e-3, PROJECTS)

    assert proven([4.0, 3.0, 2.0, 1.0], losses_at, 0.01, 0.95) == [4.0, 3.0]
    assert asked == [4.0, 3.0, 2.0]


def test_nothing_is_proven_where_the_first_threshold_fails() -> None:
    assert proven([1.0], lambda threshold: np.full(PROJECTS, 0.5), 0.01, 0.95) == []


def test_a_loss_without_spread_is_decided_by_its_sign() -> None:
    assert p_value(np.zeros(PROJECTS), 0.01) == 0.0
    assert p_value(np.full(PROJECTS, 0.02), 0.01) == 1.0


def test_the_limit_is_students() -> None:
    losses = np.array([0.01, 0.02, 0.03])  # mean .02, standard error .01 / sqrt(3), t(.95, 2) = 2.91999
    assert upper_limit(losses, 0.95) == pytest.approx(0.02 + 2.91999 * 0.01 / 3**0.5, rel=1e-5)
