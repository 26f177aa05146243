"""A typing session against a real server with the real model."""

import pytest

from greencode_lsp.errors import UserError
from greencode_lsp.evaluation.benchmark.replay import ReplayOptions, percentiles, replay
from greencode_lsp.evaluation.benchmark.source_files import SourceFile, source_files

SHORT = '''class Stack:
    """Items, the last one first."""

    def __init__(self):
        self.items = []

    def push(self, item):
        """Put an item on top."""
        self.items.append(item)

    def pop(self):
        """Take the item from the top."""
        if not self.items:
            raise IndexError("the stack is empty")
        item = self.items[-1]
        del self.items[-1]
        return item

    def is_empty(self):
        """Say whether there are no items."""
        return len(self.items) == 0

    def size(self):
        """Count the items."""
        count = len(self.items)
        return count

    def clear(self):
        """Remove all items."""
        while self.items:
            self.items.pop()
        self.items = []
        assert self.is_empty()

    def peek(self):
        """Look at the item on top."""
        if not self.items:
            return None
        return self.items[-1]
'''


def test_the_counts_of_a_replay_agree_with_each_other(default_bundle_folder):
    row = replay([SourceFile("stack.py", "python", SHORT)], ReplayOptions(speed=20, seed=1), debounce_ms=0)
    assert row.requests == row.answered + row.superseded > 20
    assert row.answered > 0
    assert row.accepted <= row.shown <= row.answered
    assert row.tokens_computed > 0
    assert row.tokens_reused > row.tokens_computed  # typing in one place: nearly all of the prompt is known
    assert row.reuse_share == row.tokens_reused / (row.tokens_reused + row.tokens_computed)
    assert 0 < (row.latency_p50_ms or 0) <= (row.latency_p95_ms or 0)
    assert (row.joules_per_request or 0) > 0
    assert row.source in ("rapl", "estimate", "nvml")


def test_a_model_that_does_not_exist_is_one_line_and_no_hang():
    with pytest.raises(UserError, match="no-such-model"):
        replay(source_files()[:1], ReplayOptions(model="no-such-model"), debounce_ms=0)


def test_percentiles_of_nothing_are_unknown_and_of_one_are_that_one():
    assert percentiles([]) == (None, None)
    assert percentiles([7.0]) == (7.0, 7.0)
    assert percentiles([float(value) for value in range(101)]) == (50.0, 95.0)
