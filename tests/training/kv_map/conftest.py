"""Texts of tiny models are short: few rows have to be read, and few far."""

import pytest

from greencode_lsp.engine import kv_map as limits
from greencode_lsp.training.kv_map import distilled, measured


@pytest.fixture(autouse=True)
def shorter_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (distilled, measured):
        monkeypatch.setattr(module, "READ_ROWS", 16)
    monkeypatch.setattr(limits, "FEWEST_ROWS", 16)
