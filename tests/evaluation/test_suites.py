"""Rows become examples; what cannot become one is named and left out."""

import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from greencode_lsp.completion.tokenizer import CodeTokenizer
from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.suites.example import Check, Ending, Example
from greencode_lsp.evaluation.suites.lines import cut_file
from greencode_lsp.evaluation.suites.prompting import Prompter
from greencode_lsp.evaluation.suites.suite import Examples, Selection, find_suite, load_examples
from tests.evaluation.rows import PYTHON_FILE, RAW, write_lines, write_rows


@pytest.fixture(scope="module")
def tokenizer() -> CodeTokenizer:
    """One token for each byte: every count in these tests is one of characters."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(alphabet)}, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    return CodeTokenizer(bytes_only)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "data")


def load(tokenizer, data, name: str, form: str | None = None, context: int = 4096, **selection) -> Examples:
    return load_examples(*find_suite(name, form), Selection(data, **selection), Prompter(tokenizer, context))


def test_raw_rows_keep_prompt_target_and_repository(tokenizer, data):
    found = load(tokenizer, data, "py150")
    assert (found.form, found.language, len(found.examples), found.skipped) == ("raw", "python", 3, [])
    example = next(each for each in found.examples if each.row == 1)
    assert tokenizer.decode(example.prompt).endswith("def __init__(self, limit):\n        self.limit")
    assert tokenizer.decode(example.target) == example.reference == " = limit"
    assert (example.cluster, example.gold, example.ending) == ("one/thermometer", "= limit", Ending.LINE)
    assert next(each for each in found.examples if each.row == 2).ending is Ending.NEXT_LINE
    assert found.data.startswith("py150_raw.jsonl.gz sha256 ")


def test_a_cap_holds_for_each_repository_and_a_limit_for_all(tokenizer, data):
    capped = load(tokenizer, data, "py150", cap=1)
    assert sorted(example.cluster for example in capped.examples) == ["one/thermometer", "two/thermometer"]
    assert len(load(tokenizer, data, "py150", limit=1).examples) == 1


def test_tokenised_rows_become_source_and_masked_targets_are_left_out(tokenizer, data):
    found = load(tokenizer, data, "py150", "tokenised")
    assert found.causes() == {"the target has a masked literal": 1}
    example = next(each for each in found.examples if each.row == 1)
    assert example.before == "import os\n\n\ndef names(folder):\n    for name in os.listdir(folder):\n        yield"
    assert (example.reference, example.gold) == (" os.path.join(folder, name)", "os . path . join ( folder , name )")
    (java,) = (each for each in load(tokenizer, data, "javacorpus", "tokenised").examples if each.row == 2)
    assert (java.reference, java.end(" throws Problem {\n")) == (" throws Problem", len(" throws Problem "))


def test_windows_are_fifteen_tokens_after_the_papers_parts_of_a_file(tokenizer, data):
    row = RAW["py150"][2]
    text = row["prompt"] + row["target_line"]
    windows = [each for each in load(tokenizer, data, "py150", "windows").examples if each.row == 3]
    assert [example.id for example in windows] == ["row-3-20%", "row-3-30%", "row-3-50%", "row-3-60%"]
    for example, part in zip(windows, (0.2, 0.3, 0.5, 0.6), strict=True):
        cut = int(len(text.encode()) * part)
        assert (example.before, example.reference) == (text[:cut], text[cut : cut + 15])
        assert example.max_tokens == 15


def test_the_papers_form_joins_tokens_by_spaces_and_keeps_line_ends_as_words(tokenizer, data):
    windows = [each for each in load(tokenizer, data, "py150", "paper").examples if each.row == 1]
    text = "import os <EOL> def names ( folder ) : <EOL> for name in os . listdir ( folder ) : <EOL> yield os . path"
    assert all(text.startswith(example.before) for example in windows[:2])


def test_infilling_rows_belong_to_their_problem_and_carry_their_tests(tokenizer, data):
    found = load(tokenizer, data, "infilling")
    example = next(each for each in found.examples if each.row == 1)
    assert (example.cluster, example.reference) == ("HumanEval/900", "    result = number * 2")
    assert example.check is not None
    assert example.check.program("    result = 8").endswith("assert candidate(0) == 0\n\ncheck(double)\n")


def test_bad_rows_are_named_with_their_cause_and_the_rest_goes_on(tokenizer, data):
    good = RAW["py150"][0]
    rows = [
        "{not json",
        "[1, 2]",
        {**good, "prompt": "  \n"},
        {**good, "target_line": " "},
        {key: value for key, value in good.items() if key != "repo"},
        {**good, "prompt": 7},
        good,
    ]
    write_lines(data / "py150_raw.jsonl.gz", rows)
    found = load(tokenizer, data, "py150")
    assert [example.row for example in found.examples] == [7]
    causes = {skipped.row: skipped.cause for skipped in found.skipped}
    assert causes.pop(1).startswith("not JSON")
    assert causes == {
        2: "not a JSON object",
        3: "the prompt is empty",
        4: "the target is empty",
        5: "'repo' is missing",
        6: "'prompt' is not a text",
    }


def test_a_prompt_longer_than_the_context_is_cut_at_its_left_and_says_so(tokenizer, data):
    found = load(tokenizer, data, "py150", context=48 + 100)
    assert all(example.was_cut and len(example.prompt) <= 100 for example in found.examples)
    assert all(example.before.endswith(tokenizer.decode(example.prompt)) for example in found.examples)
    with pytest.raises(EvaluationError, match=r"no row that can be used \(a context of 40 tokens has no room"):
        load(tokenizer, data, "py150", context=40)


def test_unknown_suites_forms_and_folders_are_one_line_with_the_choices(tokenizer, tmp_path):
    with pytest.raises(EvaluationError, match="there are: py150, javacorpus, infilling"):
        find_suite("mbpp", None)
    with pytest.raises(EvaluationError, match="it has: prefix, suffix"):
        find_suite("infilling", "raw")
    with pytest.raises(EvaluationError, match=r"has no py150_raw\.jsonl\.gz"):
        load(tokenizer, tmp_path, "py150")
    with pytest.raises(EvaluationError, match="not trained to fill in"):
        load(tokenizer, write_rows(tmp_path), "infilling", "suffix")


def test_without_a_folder_rows_come_from_the_hub_or_the_cure_is_named(tokenizer, monkeypatch):
    with pytest.raises(EvaluationError, match="'raw' of py150 is not on the hub; give a folder by --data"):
        load(tokenizer, None, "py150")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(EvaluationError, match=r"pip install '\.\[eval\]'"):
        load(tokenizer, None, "py150", "paper")


def test_a_whole_file_of_the_hub_is_cut_within_a_line_with_two_tokens_left(tokenizer, monkeypatch):
    text = "<s> import os <EOL> a = os . getcwd ( ) <EOL> b = a + a <EOL> </s>"
    files = [{"id": 0, "code": text.split()}]

    class Datasets:
        @staticmethod
        def load_dataset(*names, **options):
            assert names[1] == "python"
            assert options["split"] == "test"
            return iter(files)

    monkeypatch.setitem(sys.modules, "datasets", Datasets)
    (example,) = load(tokenizer, None, "py150", "tokenised").examples
    line = example.before.split("\n")[-1] + example.reference
    assert line in ("a = os.getcwd()", "b = a + a")
    for number in range(30):
        row = cut_file(number, text.split()[1:-1], "python")
        assert len(row["gt"].split()) >= 2
        assert "<EOL>" not in row["gt"]


@pytest.mark.parametrize(
    ("ending", "text", "end"),
    [
        (Ending.LINE, "abc\ndef", 3),
        (Ending.LINE, "\nabc", 0),
        (Ending.LINE, "abc", None),
        (Ending.NEXT_LINE, "\n\n  abc\r\ndef", 7),
        (Ending.NEXT_LINE, "\n\n  ", None),
        (Ending.TOKENS, "abc\n", None),
    ],
)
def test_a_text_ends_where_its_rule_says(ending, text, end):
    assert ending.end(text) == end


def test_a_program_is_put_together_around_the_line():
    check = Check("def f():\n", "    return x\n", "def check(f):\n    assert f() == 1\n", "f")
    program = check.program("    x = 1")
    exec(compile(program, "program", "exec"), {})
    assert Example("a", 1, "c", "python", (1,), (2,), "", PYTHON_FILE, Ending.LINE, 1, check=check).check is check
