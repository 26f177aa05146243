import pytest

from greencode_lsp.completion.prompt import fit_prompt
from greencode_lsp.completion.tokenizer import CodeTokenizer

SOURCE = "".join(f"def function_{index}(value):\n    return value + {index}\n\n\n" for index in range(400))


@pytest.fixture(scope="module")
def tokenizer(default_bundle_folder):
    return CodeTokenizer.load(default_bundle_folder)


def test_a_short_text_is_taken_whole(tokenizer):
    assert tokenizer.decode(fit_prompt("a = 1\nb", 100, tokenizer)) == "a = 1\nb"


def test_a_long_text_is_cut_at_a_line_start_within_the_budget(tokenizer):
    ids = fit_prompt(SOURCE, 600, tokenizer)
    text = tokenizer.decode(ids)
    assert 300 < len(ids) <= 600
    assert SOURCE.endswith(text)
    assert SOURCE[: -len(text)].endswith("\n")


def test_the_cut_stays_while_a_person_types(tokenizer):
    """A prompt must begin with the one before it, or everything computed for that one is lost."""
    kept = moved = 0
    before = fit_prompt(SOURCE, 600, tokenizer)
    for length in range(1, 300):
        now = fit_prompt(SOURCE + "result = compute(alpha, beta)\n" * (length // 30), 600, tokenizer)
        kept += now[:100] == before[:100]
        moved += now[:100] != before[:100]
        before = now
    assert moved <= 2
    assert kept > 290


def test_the_cut_survives_edits_above_it_and_below_it(tokenizer):
    lines = SOURCE.splitlines(keepends=True)
    before = fit_prompt(SOURCE, 600, tokenizer)
    above = "".join([*lines[:40], "inserted = 1\n", "and = 2\n", *lines[40:]])
    assert fit_prompt(above, 600, tokenizer) == before
    below = "".join([*lines[:-20], "inserted = 1\n", *lines[-20:]])
    assert fit_prompt(below, 600, tokenizer)[:200] == before[:200]


@pytest.mark.parametrize("text", ["x" * 50_000, "x = [" + "1, " * 20_000, "\n" * 9000 + "a", "word " * 9000 + "\nend"])
def test_text_without_structure_still_fits(tokenizer, text):
    ids = fit_prompt(text, 200, tokenizer)
    assert 0 < len(ids) <= 200
    assert text.endswith(tokenizer.decode(ids)[-3:])
