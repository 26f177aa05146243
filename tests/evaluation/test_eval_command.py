"""`greencode eval` and `greencode report` as a person runs them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from tests.cli.test_commands import greencode, json_of
from tests.evaluation.rows import RAW, write_lines, write_rows

QUICK = ("--profile", "full", "--control", "random", "--control", "original", "--limit", "1")


def test_eval_prints_the_agreed_json_and_report_writes_a_page(
    default_bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, page = write_rows(tmp_path / "rows"), tmp_path / "r.jsonl", tmp_path / "pages" / "report.html"
    write_lines(data / "py150_raw.jsonl.gz", [{**RAW["py150"][0], "prompt": ""}, RAW["py150"][0]])
    command = ("eval", "py150", "--data", str(data), "--out", str(out), *QUICK)
    result = greencode(*command, "--json", data=tmp_path)
    found = json_of(result)
    assert (found["suite"], found["form"], found["examples"]) == ("py150", "raw", 1)
    assert [row["profile"] for row in found["rows"]] == ["full", "random-75%", "original"]
    assert found["rows"][0]["ci95"].keys() == found["rows"][0]["minus_full"].keys()
    assert found["skipped"] == {"the prompt is empty": 1}
    assert found["machine"]["date"]
    assert "row 1 is left out: the prompt is empty" in result.stderr
    before = out.read_bytes()
    monkeypatch.setenv("GREENCODE_DATA", str(tmp_path))
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    assert out.read_bytes() == before  # nothing was missing
    report = CliRunner().invoke(app, ("report", str(out), "--out", str(page)))
    assert (report.exit_code, "lack an answer" in report.output) == (0, False)
    assert page.read_text().startswith("<!doctype html>")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    for arguments, says in (
        (("eval", "mbpp"), "unknown suite 'mbpp'"),
        (("eval", "py150", "--shard", "3/2"), "--shard takes I/N"),
        (("report", str(tmp_path / "none.jsonl")), "none.jsonl cannot be read"),
    ):
        result = greencode(*arguments, data=tmp_path)
        assert result.returncode == 1
        assert says in result.stderr
        assert "Traceback" not in result.stderr
