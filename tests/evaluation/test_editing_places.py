"""Places cut from files: what a person's editor holds at each kind of them."""

import random

import pytest

from greencode_lsp.evaluation.editing.cuts import (
    KINDS,
    after_block,
    end_of_file,
    in_bracket,
    in_quote,
    line_in_block,
    middle_of_line,
    unfinished_line,
)
from greencode_lsp.evaluation.editing.damage import Edit, judge
from greencode_lsp.evaluation.editing.languages import LANGUAGES, file_type
from greencode_lsp.evaluation.editing.marks import read_syntax
from greencode_lsp.evaluation.editing.places import PlaceOptions, cut_places, digest, place_of, prepare
from greencode_lsp.evaluation.editing.sources import EditedFile, read_projects
from greencode_lsp.evaluation.editing.style import indents_by

GO = """package main

import "fmt"

func printAll(names []string, times int) {
\tfor _, name := range names {
\t\tfmt.Println("name:", name, times)
\t}
}
"""

PYTHON = """import os


def port(environment, default=8080):
    value = environment.get("PORT", str(default))
    if value:
        return int(value)
    return default
"""

HTML = """<div class="page">
  <p id="first">some text</p>
  plain and <b>bold</b> words
  <ul>
    <li>one</li>
  </ul>
</div>
"""

TEXTS = {
    "a.py": PYTHON,
    "A.java": 'class A {\n    int f(int a, int b) {\n        g("xy", a);\n        return a + b;\n    }\n}\n',
    "a.js": 'function f(a, b) {\n  g("xy", a);\n  return [a, b];\n}\n',
    "a.ts": 'function f(a: string, b: string) {\n  g("xy", a);\n  return [a, b];\n}\n',
    "a.tsx": 'const a = (b: string) => {\n  return (\n    <p className="c">\n      {f(b, "xy")}\n    </p>\n  );\n};\n',
    "a.go": GO,
    "a.c": 'int f(int a, int b)\n{\n    g("xy", a);\n    return a + b;\n}\n',
    "a.rs": 'fn f(a: i32, b: i32) -> i32 {\n    println!("{} {}", a, b);\n    a + b\n}\n',
    "a.html": HTML,
    "a.json": '{\n  "a": {\n    "bc": [1, 2]\n  },\n  "d": "ef"\n}\n',
    "a.yaml": 'on: [push, pull]\njobs:\n  build:\n    name: "abc"\n    runs: ubuntu\nother: 1\n',
}


def file(name, text=None):
    found = file_type(name)
    assert found is not None
    return EditedFile("project", name, found, TEXTS[name] if text is None else text)


def source(name, text=None, **options):
    ready = prepare(file(name, text), PlaceOptions(**options))
    assert ready is not None
    return ready


def all_cuts(cutter, name, text=None):
    """Return what chance can cut, with the cursor marked."""
    made = source(name, text)
    chance = random.Random(1)
    cuts = [cutter(made, chance) for _ in range(600)]
    places = [place_of(made, "", cut) for cut in cuts if cut is not None]
    return {place.before[: place.cursor] + "█" + place.before[place.cursor :] for place in places}


def lines_with_cursor(documents):
    return {line for document in documents for line in document.splitlines() if "█" in line}


def test_a_quote_holds_the_cursor_and_the_editor_has_closed_it_and_the_bracket_around_it():
    found = lines_with_cursor(all_cuts(in_quote, "a.go"))
    assert '\t\tfmt.Println("█")' in found
    assert '\t\tfmt.Println("█", name, times)' in found
    assert 'import "█"' in found
    assert not any("█" in line and line.count('"') % 2 for line in found)


def test_a_pythons_prefixed_quote_is_closed_by_the_quote_alone():
    assert 'a = f(b"█")' in lines_with_cursor(all_cuts(in_quote, "a.py", 'a = f(b"abc")\n'))


def test_a_bracket_holds_the_cursor_and_what_was_not_yet_written_is_gone():
    documents = all_cuts(in_bracket, "a.go")
    found = lines_with_cursor(documents)
    assert "\t\tfmt.Println(█)" in found
    assert "func printAll(█)" in found
    assert "func printAll(names []string, times int) {█}" in found
    fresh = next(document for document in documents if "func printAll(█)" in document and "{" not in document)
    assert fresh == 'package main\n\nimport "fmt"\n\nfunc printAll(█)\n'


def test_a_pythons_function_that_is_being_written_has_no_body_yet():
    assert "import os\n\n\ndef port(█)\n" in all_cuts(in_bracket, "a.py")


def test_tags_are_closed_as_brackets_are():
    found = lines_with_cursor(all_cuts(in_bracket, "a.html"))
    assert '  <p id="first">█</p>' in found
    assert '<div class="page">█</div>' in found
    assert 'const a = (b: string) => {\n  return (\n    <p className="c">█</p>\n  );\n};\n' in all_cuts(
        in_bracket, "a.tsx"
    )


def test_the_middle_of_a_line_keeps_what_is_right_of_the_cursor():
    found = lines_with_cursor(all_cuts(middle_of_line, "a.go"))
    assert "\t\tfmt.Println(█, name, times)" in found
    assert '\t\tfmt.Println("name:", name, █)' in found
    assert '\t\tfmt.█("name:", name, times)' in found


def test_the_middle_of_a_line_of_markup_is_an_attribute_or_the_text_between_tags():
    found = lines_with_cursor(all_cuts(middle_of_line, "a.html"))
    assert "  <p █>some text</p>" in found
    assert '  <p id="first">█</p>' in found


def test_an_unfinished_line_ends_at_the_cursor_and_leaves_nothing_open():
    documents = all_cuts(unfinished_line, "a.py")
    assert "    value = █" in lines_with_cursor(documents)
    assert "        return █" in lines_with_cursor(documents)
    assert all(line.endswith("█") for line in lines_with_cursor(documents))
    assert all(read_syntax(each.replace("█", ""), "python").unmatched == () for each in documents)


def test_an_empty_line_keeps_its_indentation_and_the_block_its_other_lines_or_none():
    documents = all_cuts(line_in_block, "a.go")
    assert lines_with_cursor(documents) == {"\t█", "\t\t█"}
    assert GO[: GO.index("\tfor")] + "\t█\n}\n" in documents
    assert "    if value:\n        █\n    return default" in "".join(all_cuts(line_in_block, "a.py"))


def test_a_comment_of_several_lines_is_not_torn_apart():
    text = "class A {\n    /**\n     * a\n     */\n    int b;\n    // c\n}\n"
    lines = text.splitlines(keepends=True)
    torn = {"".join([*lines[:line], "█\n", *lines[line + 1 :]]) for line in (1, 2, 3)}
    found = {document.replace("    █", "█") for document in all_cuts(line_in_block, "A.java", text)}
    assert "".join([*lines[:5], "█\n", *lines[6:]]) in found
    assert not torn & {document.replace("    █", "█").replace(" █", "█") for document in found}


def test_below_a_block_the_cursor_is_on_a_new_line_at_the_blocks_own_indentation():
    documents = all_cuts(after_block, "a.go")
    assert documents == {
        GO.replace("\t\t", "  ").replace("\t}\n", "\t}\n\t█\n").replace("  ", "\t\t"),
        GO[:-1] + "\n█\n",
    }
    assert "        return int(value)\n    █\n    return default" in "".join(all_cuts(after_block, "a.py"))


def test_a_complete_file_ends_with_a_new_line_that_holds_the_cursor():
    assert all_cuts(end_of_file, "a.go") == {GO + "█", GO + "\n█"}


@pytest.mark.slow
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_place_is_found_in_every_language_and_the_files_own_text_put_back_is_no_damage(name, kind):
    made = source(name)
    chance = random.Random(2)
    cuts = [cut for cut in (KINDS[kind](made, chance) for _ in range(600)) if cut is not None]
    assert cuts
    for cut in cuts:
        place = place_of(made, kind, cut)
        rest = place.before[place.cursor + len(place.closed) :]
        assert made.text.startswith(place.before[: cut.start])
        assert made.text[: cut.start] + place.removed + rest == made.text
        assert len(read_syntax(place.before, place.grammar).unmatched) == 0
        put_back = Edit(place.before, place.cursor, place.cursor + len(place.closed), place.removed)
        if place.removed.strip():
            assert judge(put_back, place.grammar).kinds == ()


def test_the_same_seed_cuts_the_same_places_and_another_one_others():
    files = [file(name) for name in TEXTS]
    first, again, other = (cut_places(files, PlaceOptions(33, seed), lambda *_: None) for seed in (1, 1, 2))
    assert digest(first) == digest(again) != digest(other)


def test_places_are_spread_evenly_over_languages_and_differ():
    places = cut_places([file(name) for name in TEXTS], PlaceOptions(33), lambda *_: None)
    assert [sum(place.language == language for place in places) for language in LANGUAGES] == [3] * len(LANGUAGES)
    assert len({(place.path, place.before, place.cursor) for place in places}) == 33


def test_all_kinds_come_even_where_each_language_has_few_places():
    places = cut_places([file(name) for name in TEXTS], PlaceOptions(22), lambda *_: None)
    assert {place.kind for place in places} == set(KINDS)


def test_files_with_errors_or_mixed_line_ends_are_left_out():
    assert prepare(file("a.py", "def f(:\n    pass\n"), PlaceOptions()) is None
    assert prepare(file("a.py", "a = 1\r\nb = 2\n"), PlaceOptions()) is None
    assert prepare(file("a.html", "<div>\n"), PlaceOptions()) is None


def test_line_ends_are_as_asked():
    assert source("a.py", line_ends="crlf").text == PYTHON.replace("\n", "\r\n")
    assert source("a.py", PYTHON.replace("\n", "\r\n")).text.count("\r\n") == PYTHON.count("\n")
    assert source("a.py", PYTHON.replace("\n", "\r\n"), line_ends="lf").text == PYTHON
    places = cut_places([file("a.py")], PlaceOptions(14, line_ends="crlf"), lambda *_: None)
    assert all(place.before.count("\n") == place.before.count("\r\n") for place in places)


def test_indentation_is_as_asked_but_in_strings_of_several_lines():
    text = 'def f():\n    if a:\n        b = """\n    c\n"""\n        return (b,\n                c)\n'
    tabs = 'def f():\n\tif a:\n\t\tb = """\n    c\n"""\n\t\treturn (b,\n\t\t\t\tc)\n'
    assert source("a.py", text, indentation="tabs").text == tabs
    assert source("a.go", indentation="spaces").text == GO.replace("\t", "    ")
    assert source("a.js", indentation="tabs").text == TEXTS["a.js"].replace("  ", "\t")
    assert source("a.yaml", indentation="tabs").text == TEXTS["a.yaml"]


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("if a:\n\tb = 1\n\tc = 1\nif d:\n  e = 1\n", "tabs"),
        ("if a:\n  b = 1\n", "spaces"),
        ("a = 1\n", None),
        ('a = """\n  b\n  c\n  d\n"""\nif e:\n\tf = 1\n', "tabs"),
    ],
)
def test_a_file_indents_by_what_most_of_its_lines_of_code_begin_with(text, style):
    assert indents_by(read_syntax(text, "python")) == style


def test_a_comments_asterisks_tell_nothing_about_indentation():
    assert indents_by(read_syntax("/*\n * a\n * b\n * c\n */\nint f(void)\n{\n\treturn 1;\n}\n", "c")) == "tabs"


def test_the_pinned_projects_cover_every_language_and_are_in_no_training_corpus():
    projects = read_projects()
    assert {language for project in projects for language in project.languages} | {"yaml"} == set(LANGUAGES)
    assert {project.package.split for project in projects} == {"heldout"}
    assert all(project.package.sha256 for project in projects)
