"""Files of results: a killed run goes on, and nothing is mixed up."""

import gzip
from pathlib import Path

import pytest

from greencode_lsp.evaluation.errors import EvaluationError
from greencode_lsp.evaluation.runs.journal import JournalWriter, merge_journals, read_journal
from greencode_lsp.evaluation.runs.records import Failure, Forced
from greencode_lsp.evaluation.runs.shards import Shard, launched_shard, local_rank, parse_shard
from tests.evaluation.cases import example, result

HEADER = {"settings": {"suite": "py150", "limit": 4}, "machine": {"date": "today"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "results.jsonl"


def write(path: Path, number: int, header=HEADER) -> None:
    writer = JournalWriter(path, header)
    writer.add_example(example(f"row-{number}", "x"))
    writer.add_result(result(f"row-{number}", "full", "x y", forced=Forced(1, 2, 3), passed=True))
    writer.close()


def test_what_is_written_is_read_again(path):
    write(path, 1)
    journal = read_journal(path)
    assert journal.settings == HEADER["settings"]
    assert journal.examples == {"row-1": example("row-1", "x")}
    assert journal.results["row-1", "full"] == result("row-1", "full", "x y", forced=Forced(1, 2, 3), passed=True)


def test_a_packed_file_is_read_too(path):
    write(path, 1)
    packed = path.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_journal(packed).results == read_journal(path).results


def test_a_killed_run_goes_on_behind_its_last_whole_line(path):
    write(path, 1)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind": "result", "example": "row-2", "te')
    assert set(read_journal(path).results) == {("row-1", "full")}  # also the report can read it as it is
    write(path, 2)
    assert path.read_bytes().startswith(whole)
    assert set(read_journal(path).results) == {("row-1", "full"), ("row-2", "full")}
    assert path.read_text().count('"kind": "header"') == 1


def test_other_settings_are_refused_and_another_day_is_not(path):
    write(path, 1)
    write(path, 2, {**HEADER, "machine": {"date": "tomorrow"}})
    with pytest.raises(EvaluationError, match="begun with another limit; give another --out"):
        write(path, 3, {**HEADER, "settings": {"suite": "py150", "limit": 5}})


def test_a_result_replaces_an_earlier_failure(path):
    writer = JournalWriter(path, HEADER)
    writer.add_failure(Failure("row-1", "full", "row 1: a hidden state is NaN"))
    writer.close()
    assert list(read_journal(path).failures.values()) == [Failure("row-1", "full", "row 1: a hidden state is NaN")]
    write(path, 1)
    assert read_journal(path).failures == {}


@pytest.mark.parametrize("content", [b"", b"not json\nand more\n", b"[]\n", b'{"kind": "result"}\n', b"\xff\n"])
def test_what_is_no_file_of_results_is_one_line(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=str(path)):
        read_journal(path)


def test_shards_are_put_together_and_other_runs_are_not(tmp_path):
    for part in (1, 2):
        write(tmp_path / f"{part}.jsonl", part)
    write(tmp_path / "other.jsonl", 3, {**HEADER, "settings": {"suite": "javacorpus", "limit": 4}})
    one, two, other = (read_journal(tmp_path / f"{name}.jsonl") for name in ("1", "2", "other"))
    assert set(merge_journals([one, two], ["1", "2"]).results) == {("row-1", "full"), ("row-2", "full")}
    with pytest.raises(EvaluationError, match="other and 1 are not of one run: they have another suite"):
        merge_journals([one, other], ["1", "other"])


def test_shards_are_named_from_one_and_write_beside_each_other():
    assert parse_shard("2/3") == Shard(1, 3)
    assert parse_shard("2/3").file(Path("out/py150.jsonl")) == Path("out/py150.2-of-3.jsonl")
    assert Shard().file(Path("py150.jsonl")) == Path("py150.jsonl")
    for wrong in ("0/2", "3/2", "1", "a/b"):
        with pytest.raises(EvaluationError, match="--shard takes I/N"):
            parse_shard(wrong)


def test_a_launcher_says_which_part_a_process_runs():
    assert launched_shard({}) == Shard()
    assert launched_shard({"RANK": "1", "WORLD_SIZE": "4"}) == Shard(1, 4)
    assert launched_shard({"RANK": "x", "WORLD_SIZE": "4"}) == Shard()
    assert (local_rank({}), local_rank({"LOCAL_RANK": "3"})) == (0, 3)
