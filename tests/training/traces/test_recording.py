"""Traces say what the model says, whatever stops their recording."""

import errno
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from greencode_lsp.engine import Backbone, EarlyExitModel, Runner, load_backbone
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.policy import FixedExit
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.policy.trace_set import as_full_depth_says, load_traces
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.record import record_traces
from greencode_lsp.training.traces.storage import TraceFacts, Traces
from greencode_lsp.training.traces.texts import Window
from greencode_lsp.training.traces.written import written_windows
from tests.training.tiny import random_text

pytestmark = pytest.mark.usefixtures("one_thread")

EXITS = (1, 3)
FACTS = TraceFacts("tiny", 4, EXITS, 32, ("one",), "train", 48)


@pytest.fixture
def runner(model_folders: Callable[[str], Path]) -> Runner:
    return load_backbone(model_folders("llama"))


@pytest.fixture
def windows() -> list[Window]:
    generator = np.random.default_rng(4)
    return [Window(0, index, 10 * index, random_text(generator, 40)) for index in range(5)]


def record(runner: Runner, windows: Sequence[Window], folder: Path, report=silent, facts=FACTS) -> Traces:
    return record_traces(runner, {}, windows, (), folder, facts, report)


def test_a_trace_is_what_transformers_computes(
    runner: Runner, windows: list[Window], model_folders: Callable[[str], Path], tmp_path: Path
) -> None:
    traces = record(runner, windows[:1], tmp_path)
    ids = torch.from_numpy(windows[0].ids)[None]
    reference = AutoModelForCausalLM.from_pretrained(model_folders("llama"))
    with torch.inference_mode():
        found = reference(ids, output_hidden_states=True)
        probabilities = found.logits[0, :-1].softmax(dim=-1)
    assert torch.from_numpy(traces.hidden[:][:, 0]).float() == pytest.approx(found.hidden_states[1][0, :-1], abs=2e-2)
    assert traces.predicted[:][:, -1].tolist() == probabilities.argmax(dim=-1).tolist()
    assert traces.probability[:][:, -1] == pytest.approx(probabilities.amax(dim=-1), abs=2e-3)
    assert traces.true[:].tolist() == ids[0, 1:].tolist()
    assert traces.place[:].tolist() == [[0, 0, row] for row in range(39)]


def test_a_shortlist_is_read_with_the_words_that_stand_before(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greencode_lsp.training.traces.record.READ_ROWS", 8)
    shortlist = torch.arange(0, runner.shape.vocabulary_size, 9)
    assert isinstance(runner, Backbone)
    head = ExitHead(runner.weights.final_norm, shortlist=shortlist)
    facts = TraceFacts("tiny", 4, (1, 4), 32, ("one",), "train", 48)
    before, ids = np.arange(1, 30), random_text(np.random.default_rng(4), 40)
    traces = record_traces(runner, {1: head, 4: head}, [Window(0, 0, 0, ids, before)], (), tmp_path, facts, silent)
    logits = runner.reader().logits(torch.from_numpy(traces.hidden[:][:, 1]).float())
    for row, said in enumerate(traces.predicted[:][:, 1].tolist()):
        known = {*shortlist.tolist(), *before.tolist(), *ids[: row // 8 * 8 + 1].tolist()}
        beyond = [id for id in range(runner.shape.vocabulary_size) if id not in known]
        assert said in known
        assert logits[row, said] > logits[row, sorted(known)].max() - 0.02  # states are kept in half floats
        assert beyond, "or nothing is shown"


def test_a_recording_that_was_killed_goes_on_to_the_same_end(
    runner: Runner, windows: list[Window], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greencode_lsp.training.traces.shards.SHARD_BYTES", 8000)

    def kill_at_the_fourth(stage: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(runner, windows, tmp_path / "killed", kill_at_the_fourth)
    assert 0 < len(Traces.open(tmp_path / "killed")) < 5 * 39
    resumed, whole = record(runner, windows, tmp_path / "killed"), record(runner, windows, tmp_path / "whole")
    for column in ("hidden", "predicted", "probability", "true", "place"):
        assert np.array_equal(getattr(resumed, column)[:], getattr(whole, column)[:])


def test_traces_of_another_kind_are_not_mixed_in(runner: Runner, windows: list[Window], tmp_path: Path) -> None:
    record(runner, windows[:1], tmp_path)
    other = TraceFacts("tiny", 4, EXITS, 32, ("one",), "heldout", 48)
    with pytest.raises(TrainingError, match=str(tmp_path)) as raised:
        record(runner, windows, tmp_path, facts=other)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("other", [{"seed": 7}, {"corpus_sha256": "c"}, {"windows_per_file": 9}, {"written_by": "p"}])
def test_a_recording_goes_on_with_the_same_windows_only(
    runner: Runner, windows: list[Window], tmp_path: Path, other: dict
) -> None:
    record(runner, windows[:1], tmp_path)
    assert len(record(runner, windows, tmp_path)) == 5 * 39  # more tokens go on
    with pytest.raises(TrainingError, match=f"was begun with another {next(iter(other))}"):
        record(runner, windows, tmp_path, facts=replace(FACTS, **other))


def test_a_text_beyond_the_context_is_one_line(runner: Runner, tmp_path: Path) -> None:
    room = runner.shape.context_length
    longest = random_text(np.random.default_rng(4), room + 2)
    assert len(record(runner, [Window(0, 0, 0, longest[:-1])], tmp_path)) == room
    with pytest.raises(
        TrainingError, match=f"{room + 1} tokens exceeds the model's context of {room}; lower --context"
    ):
        record(runner, [Window(0, 0, 0, longest)], tmp_path / "longer")


def test_a_full_disk_is_one_line_and_whole_shards_stay(
    runner: Runner, windows: list[Window], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greencode_lsp.training.traces.shards.SHARD_BYTES", 8000)

    def full(*ignored: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill_at_the_fourth(stage: str, done: int, total: int) -> None:
        if done == 3:
            monkeypatch.setattr(np, "save", full)

    with pytest.raises(TrainingError, match="full"):
        record(runner, windows, tmp_path, fill_at_the_fourth)
    monkeypatch.undo()
    assert len(Traces.open(tmp_path)) > 0
    assert len(record(runner, windows, tmp_path)) == 5 * 39


def test_what_a_policy_wrote_is_recorded_behind_what_it_read(
    runner: Runner, windows: list[Window], tmp_path: Path
) -> None:
    model = EarlyExitModel(runner, EXITS)
    written = written_windows(model, lambda: FixedExit(1), windows, (), 6, silent)
    assert [len(window.ids) for window in written] == [7] * 5
    assert all(window.ids[0] == asked.ids[-1] for window, asked in zip(written, windows, strict=True))
    record(runner, written, tmp_path)
    traces = load_traces(tmp_path)
    assert len(traces) == 5 * 6
    # Every token left at exit 1, so exit 1 says what was written: the states are those that the policy met.
    assert traces.predicted[:, 0].tolist() == [int(token) for window in written for token in window.ids[1:]]
    assert as_full_depth_says(traces).right[:, -1].all()


def test_a_policy_with_nothing_to_go_on_is_one_line(runner: Runner) -> None:
    short = [Window(0, 0, 0, np.arange(3, 9))]
    with pytest.raises(TrainingError, match="16 tokens to begin with"):
        written_windows(EarlyExitModel(runner, EXITS), lambda: FixedExit(1), short, (), 4, silent)
