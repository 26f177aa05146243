"""`greencode eval editing` as a person runs it: a real server with the real model, over a small folder."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from greencode_lsp.evaluation.benchmark.editor import Editor
from greencode_lsp.evaluation.benchmark.source_files import SourceFile
from greencode_lsp.evaluation.editing.damage import DAMAGES
from greencode_lsp.evaluation.editing.summary import Share, window
from tests.cli.test_commands import greencode
from tests.evaluation.test_editing_places import TEXTS

FILES = {
    "one/a.py": 2 * TEXTS["a.py"],
    "one/src/a.go": TEXTS["a.go"] + "\n" + TEXTS["a.go"].partition("\n\n")[2].partition("\n\n")[2],
    "two/a.html": 2 * TEXTS["a.html"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "projects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "projects"


def test_every_place_is_asked_both_ways_and_all_that_is_counted_adds_up(
    default_bundle_folder: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "editing.json"
    arguments = ("--places", "6", "--max-tokens", "12", "--line-ends", "crlf", "--examples", "2", "--out", str(out))
    result = greencode("eval", "editing", str(folder), *arguments, data=tmp_path / "data")
    assert result.returncode == 0, result.stderr
    found = json.loads(out.read_text(encoding="utf-8"))
    asked = found["suggestions"]
    assert [(each["kind"]) for each in asked] == ["automatic", "explicit"] * 6
    assert len({each["place"] for each in asked}) == 6
    for kind in ("automatic", "explicit"):
        assert kind in result.stdout
        for table in (found["languages"][kind], found["places"][kind]):
            *rows, whole = table
            mine = [each for each in asked if each["kind"] == kind]
            shown = [each for each in mine if each["text"] is not None]
            assert whole["shown"]["count"] == len(shown) == sum(row["shown"]["count"] for row in rows)
            assert whole["shown"]["of"] == 6 == sum(row["shown"]["of"] for row in rows)
            for damage in DAMAGES:
                counted = sum(damage in each["damage"] for each in shown)
                assert whole[damage]["count"] == counted == sum(row[damage]["count"] for row in rows)
        assert [row["name"] for row in found["languages"][kind]] == ["python", "go", "html", "all"]
    assert any(each["text"] for each in asked)
    assert len(found["damaged"]) == sum(bool(each["damage"]) for each in asked)
    for example in found["damaged"]:
        assert example["text"] in example["after"]
        assert example["before"].count("█") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kind", "both-ways"), "--kind: there are automatic, explicit, both, not 'both-ways'"),
        (("--line-ends", "cr"), "--line-ends: there are keep, lf, crlf, not 'cr'"),
        (("--language", "cobol"), "--language: there are python, java"),
        ((), "holds no source file of 200 to 12000 characters"),
    ],
)
def test_a_wrong_choice_and_an_empty_folder_are_one_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    result = greencode("eval", "editing", str(tmp_path / "empty"), *arguments, data=tmp_path)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_neither_the_server_nor_the_command_line_imports_tree_sitter() -> None:
    code = (
        "import sys, greencode_lsp.server.app, greencode_lsp.completion.completer, greencode_lsp.cli;"
        "print([name for name in sys.modules if 'tree_sitter' in name or 'editing.' in name])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


async def test_an_editors_positions_count_utf16_units_and_lines_of_any_end() -> None:
    client = SimpleNamespace(feature=lambda name: lambda handler: handler, text_document_did_open=lambda params: None)
    editor = Editor(cast(LanguageClient, client))
    text = "a = '😀é'\r\nb = 2\rc\n"
    editor.open(SourceFile("a.py", "python", text), text)
    places = [(0, 0, 0), (0, 5, 5), (0, 7, 6), (0, 9, 8), (1, 0, 10), (2, 1, 17), (3, 0, 18)]
    for line, column, offset in places:
        assert editor.offset(types.Position(line, column)) == offset
        assert editor._position(offset) == types.Position(line, column)
    for line, column in ((0, 6), (0, 10), (4, 0)):
        with pytest.raises(ValueError, match="has no"):
            editor.offset(types.Position(line, column))


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 100, 0.0, 0.0370), (10, 100, 0.0552, 0.1744), (100, 100, 0.9630, 1.0), (1, 2, 0.0945, 0.9055)],
)
def test_intervals_are_wilsons(count: int, total: int, low: float, high: float) -> None:
    assert Share(count, total).interval == pytest.approx((low, high), abs=1e-4)
    assert Share(0, 0).interval is None


def test_an_example_shows_four_lines_around_the_cursor() -> None:
    text = "".join(f"{number}\n" for number in range(12))
    cursor = text.index("6")
    assert window(text, cursor, cursor, cursor) == "2\n3\n4\n5\n█6\n7\n8\n9\n"
