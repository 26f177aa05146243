"""How many threads PyTorch computes on."""

import pytest
import torch

from greencode_lsp.engine import threads
from greencode_lsp.engine.threads import alone, use_threads


@pytest.fixture(autouse=True)
def two_threads_of_its_own(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "_own_choice", None)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_zero_is_its_own_choice_again_after_another_number() -> None:
    use_threads(3)
    assert torch.get_num_threads() == 3
    use_threads(1)
    use_threads(0)
    assert torch.get_num_threads() == 2


def test_zero_changes_nothing_where_nothing_was_asked_for() -> None:
    torch.set_num_threads(1)
    use_threads(0)
    assert torch.get_num_threads() == 1


def test_small_jobs_get_one_thread_for_a_while() -> None:
    with alone():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
