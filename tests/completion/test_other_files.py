"""What a document sees of others, and that it stands in front of the prompt."""

import pytest

from greencode_lsp.completion.other_files import PIECE_LINES, PIECES, OtherFiles, Piece, head_of, piece_at
from greencode_lsp.completion.prompt import fit_prompt, prompt_with_other_files
from greencode_lsp.completion.tokenizer import CodeTokenizer


def piece(document: str, text: str, language: str = "python") -> Piece:
    return Piece(document, language, f"/src/{document}", text)


def seen(files: OtherFiles, document: str = "here.py", language: str = "python", prefix: str = "") -> tuple[str, ...]:
    return files.seen_from(document, language, f"/src/{document}", prefix)


def test_a_document_sees_the_others_of_its_language_newest_last() -> None:
    files = OtherFiles()
    for one in (piece("a.py", "a = 1"), piece("here.py", "h = 0"), piece("b.py", "b = 2")):
        files.add(one)
    files.add(piece("c.java", "int c;", "java"))
    assert seen(files) == ("# a.py\na = 1\n\n", "# b.py\nb = 2\n\n", "# here.py\n")
    assert seen(files, "d.java", "java") == ("// c.java\nint c;\n\n", "// d.java\n")
    assert seen(files, "e.lua", "lua") == ()


def test_what_shares_words_with_the_text_stands_nearest_to_it() -> None:
    files = OtherFiles()
    files.add(piece("a.py", "def reticulate_splines(): ..."))
    files.add(piece("b.py", "def polish_mirrors(): ..."))
    assert seen(files, prefix="reticulate_splines(")[-2].startswith("# a.py")
    assert seen(files, "other.py", prefix="polish_mirrors(")[-2].startswith("# b.py")


def test_pieces_that_are_not_wanted_any_more_are_seen_by_nobody() -> None:
    files = OtherFiles()
    for one in (piece("a.py", "a = 1"), piece("b.py", "b = 2")):
        files.add(one)
    assert len(seen(files)) == 3
    files.keep(lambda one: one.path != "/src/a.py")
    assert seen(files) == ("# b.py\nb = 2\n\n", "# here.py\n")


def test_what_is_seen_stays_while_a_person_stays() -> None:
    files = OtherFiles()
    files.add(piece("a.py", "a = 1"))
    before = seen(files)
    files.add(piece("b.py", "b = 2"))
    assert seen(files) == before
    seen(files, "b.py")
    assert len(seen(files)) == len(before) + 1


def test_pieces_that_say_the_same_give_way_and_the_oldest_go() -> None:
    files = OtherFiles()
    files.add(piece("a.py", "\n".join(f"x{index} = {index}" for index in range(20))))
    files.add(piece("b.py", "\n".join(f"x{index} = {index}" for index in range(19))))
    assert [text.split("\n")[0] for text in seen(files)] == ["# b.py", "# here.py"]
    for index in range(PIECES + 3):
        files.add(piece(f"{index}.py", f"unique_{index} = 1"))
    seen(files, "elsewhere.py")
    assert len(seen(files)) == PIECES + 1
    files.add(piece("empty.py", "\n \n"))
    seen(files, "elsewhere.py")
    assert len(seen(files)) == PIECES + 1


def test_a_piece_is_the_lines_around_a_place() -> None:
    lines = [f"line_{index}\n" for index in range(100)]
    around = piece_at("a", "python", "a", "".join(lines[:50]), "".join(lines[50:]))
    assert "line_49" in around.text and "line_50" in around.text
    assert len(around.text.splitlines()) <= PIECE_LINES
    head = head_of("a", "python", "a", "".join(lines))
    assert head.text.splitlines() == [line.strip() for line in lines[:PIECE_LINES]]
    assert head_of("a", "python", "a", "short").text == "short"


@pytest.fixture(scope="module")
def tokenizer(default_bundle_folder):
    return CodeTokenizer.load(default_bundle_folder)


def test_pieces_stand_in_front_as_far_as_their_share_goes(tokenizer) -> None:
    small = [f"# {name}.py\n{name} = 1\n\n" for name in "abc"]
    ids = prompt_with_other_files("x = ", small, 200, tokenizer)
    assert tokenizer.decode(ids) == "".join(small) + "x = "
    large = ["# large.py\n" + "value = 1\n" * 100, *small]
    assert prompt_with_other_files("x = ", large, 200, tokenizer) == ids
    assert prompt_with_other_files("x = ", (), 200, tokenizer) == fit_prompt("x = ", 200, tokenizer)


def test_with_pieces_a_long_file_still_fits(tokenizer) -> None:
    source = "".join(f"def function_{index}(value):\n    return value\n\n\n" for index in range(200))
    ids = prompt_with_other_files(source, ["# a.py\na = 1\n\n"], 400, tokenizer)
    assert 200 < len(ids) <= 400
    assert tokenizer.decode(ids).startswith("# a.py\na = 1\n\n")
    assert tokenizer.decode(ids).endswith("return value\n\n\n")
