"""Sharing out tokens."""

import pytest

from greencode_lsp.training.corpus.selection import level, take


@pytest.mark.parametrize(
    ("available", "budget", "most", "expected"),
    [
        ([10, 10, 10], 100, 50, 50),  # not enough to reach the budget: only the most of one package bounds
        ([100, 100], 100, 100, 50),
        ([10, 100, 100], 100, 100, 45),
        ([100, 100, 100], 300, 20, 20),
        ([5, 20, 100], 60, 100, 35),
        ([], 10, 5, 5),
    ],
)
def test_small_packages_give_all_and_large_ones_the_same(
    available: list[int], budget: int, most: int, expected: int
) -> None:
    found = level(available, budget, most)
    assert found == expected
    assert sum(min(tokens, found) for tokens in available) <= budget


def test_files_are_taken_in_order_as_long_as_they_fit() -> None:
    assert take([4, 9, 3, 3, 1], 10) == [0, 2, 3]
    assert take([4, 9, 3, 3, 1], 11) == [0, 2, 3, 4]
    assert take([11], 10) == []
