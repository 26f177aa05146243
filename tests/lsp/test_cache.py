"""A start with a cache that cannot be written, through a real server."""

import os
from pathlib import Path

import pytest

from greencode_lsp.paths import cache_folder
from tests.lsp.conftest import PYTHON, Editor, running_editor

KINDS = ("kernels", "packed", "costs")


async def test_a_cache_that_cannot_be_written_costs_its_time_only_once(
    editor: Editor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    cache, kept = tmp_path / "cache", tmp_path / f"greencode-{os.getuid()}"
    for folder in (cache, kept):
        folder.mkdir(mode=0o700)
    (cache / "models").symlink_to(cache_folder() / "models")
    for kind in KINDS:
        (cache / kind).write_text("a file where a folder is needed")
        (kept / kind).symlink_to(cache_folder() / kind)  # what an earlier start has made: the shared server's
    monkeypatch.setenv("GREENCODE_CACHE", str(cache))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with running_editor(tmp_path) as second:
        await second.start()
        await second.until_ready()
        (reports,) = second.client.progress_reports.values()
        assert not [report for report in reports if "measuring" in str(getattr(report, "message", ""))]
        (suggestion,) = await second.suggest(second.open(PYTHON), 9, 15)
        assert suggestion.insert_text == "len(self.items) == 0"
        await second.client.shutdown_session()
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "cannot be" in line]
    assert str(cache) in line
    assert "GREENCODE_CACHE" in line
