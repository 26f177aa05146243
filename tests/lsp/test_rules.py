"""When nothing is computed."""

from dataclasses import replace

import pytest

from greencode_lsp.server.place import Place
from greencode_lsp.server.rules import ALWAYS, WHILE_TYPING, objection
from greencode_lsp.server.settings import Settings

HERE = Place("file:///a.py", "python", "x = val", "\ny = 2\n", path="/home/me/project/src/a.py")


def test_nothing_objects_to_a_word_being_typed() -> None:
    assert objection(ALWAYS, HERE, Settings()) is None
    assert objection(WHILE_TYPING, HERE, Settings()) is None


def test_only_named_languages_are_completed() -> None:
    assert objection(ALWAYS, HERE, Settings(languages=("java",))) == "another_language"
    assert objection(ALWAYS, HERE, Settings(languages=("java", "python"))) is None


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        ("*.py", True),
        ("a.py", True),
        ("b.py", False),
        ("src", False),
        ("src/*", True),
        ("**/src/**", True),
        ("/home/me/project/*", True),
        ("/home/you/*", False),
        ("*.min.js", False),
    ],
)
def test_patterns_exclude_files_by_name_or_path(pattern: str, excluded: bool) -> None:
    assert objection(ALWAYS, HERE, Settings(exclude=(pattern,))) == ("excluded_path" if excluded else None)


@pytest.mark.parametrize(
    ("place", "rule"),
    [
        (replace(HERE, after_deletion=True), "after_deletion"),
        (replace(HERE, only_moved=True), "only_moved"),
        (replace(HERE, prefix="x = va", suffix="lue"), "inside_word"),
        (replace(HERE, prefix="x = va", suffix="_1"), "inside_word"),
        (replace(HERE, prefix="größ", suffix="e"), "inside_word"),
        (replace(HERE, prefix="f(", suffix=")"), None),
        (replace(HERE, prefix="f(a", suffix=")"), None),
        (replace(HERE, prefix="x = ", suffix="value"), None),
        (replace(HERE, prefix="", suffix=""), None),
    ],
)
def test_typing_is_let_pass_where_a_suggestion_would_not_be_read(place: Place, rule: str | None) -> None:
    assert objection(WHILE_TYPING, place, Settings()) == rule


def test_who_wants_suggestions_on_demand_gets_no_others() -> None:
    assert objection(WHILE_TYPING, HERE, Settings(automatic=False)) == "only_on_demand"
