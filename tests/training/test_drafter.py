"""Drafters that learn what full depth says one token later."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import load_backbone
from greencode_lsp.engine.drafts.drafter import DRAFTER_FILE, load_drafter, save_drafter
from greencode_lsp.training.drafter.finals import BLOCK_ROWS, RecordedFinals, finals_of, record_finals
from greencode_lsp.training.drafter.task import DRAFTS, DrafterTask
from greencode_lsp.training.drafter.trainable import TrainableDrafter
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.material import Material, open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice, Window
from tests.training.tiny import VOCABULARY

pytestmark = pytest.mark.usefixtures("one_thread")


def windows_of(material: Material, corpus_folder: Path, tokens: int) -> list[Window]:
    return split_windows(open_corpus(corpus_folder, material), "train", Choice(tokens, 64))


def recorded(material: Material, corpus_folder: Path, folder: Path, tokens: int = 1500) -> RecordedFinals:
    windows = windows_of(material, corpus_folder, tokens)
    record_finals(load_backbone(material.folder), windows, material.lead, folder, {}, silent)
    return RecordedFinals(folder, blocks_per_step=1, epochs=2, seed=0, further=DRAFTS)


@pytest.mark.parametrize("material", ["llama", "opt"], indirect=True)
@torch.inference_mode()
def test_learning_computes_what_the_engine_does(material: Material) -> None:
    backbone = load_backbone(material.folder)
    learning = TrainableDrafter(backbone, torch.arange(3, VOCABULARY), 24, seed=0)
    torch.nn.init.normal_(learning.of_token, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(learning.reading.mlp_out, generator=torch.Generator().manual_seed(2))
    drafter = backbone.drafter(learning.learned(VOCABULARY))
    assert drafter is not None
    states, tokens = torch.randn(5, backbone.shape.hidden_size), torch.arange(10, 15)
    read, made_up = learning(states, tokens)
    logits = read @ backbone.weights.head.weight[3:VOCABULARY].T
    for row, token in enumerate(tokens.tolist()):
        draft = drafter.draft(states[row : row + 1], token, ())
        assert draft.id == 3 + int(logits[row].argmax())
        assert draft.probability == pytest.approx(float(logits[row].softmax(dim=0).max()), abs=1e-5)
        torch.testing.assert_close(draft.state, made_up[row : row + 1], atol=1e-5, rtol=1e-5)


def test_a_drafter_goes_on_from_another(material: Material, tmp_path: Path) -> None:
    backbone, taught = load_backbone(material.folder), torch.arange(3, VOCABULARY)
    learning, after = (TrainableDrafter(backbone, taught, 32, seed) for seed in (0, 1))
    torch.nn.init.normal_(learning.of_token, generator=torch.Generator().manual_seed(1))
    torch.nn.init.normal_(learning.reading.mlp_out, generator=torch.Generator().manual_seed(2))
    save_drafter(tmp_path / DRAFTER_FILE, learning.learned(40), material.identity)
    kept = load_drafter(tmp_path / DRAFTER_FILE, backbone.shape, material.identity)
    after.begin_as(kept)
    states, tokens = torch.randn(5, backbone.shape.hidden_size), torch.arange(10, 15)
    drafter = backbone.drafter(kept)
    assert drafter is not None
    with torch.inference_mode():
        _, found = after(states, tokens)
        expected = [drafter.draft(states[row : row + 1], 10 + row, ()).state for row in range(5)]
    torch.testing.assert_close(found, torch.cat(expected), atol=1e-4, rtol=1e-5)
    with pytest.raises(TrainingError, match="has width 32: give --width 32"):
        TrainableDrafter(backbone, taught, 24, 0).begin_as(kept)


def test_recorded_rows_are_read_with_those_behind_them(material: Material, corpus_folder: Path, tmp_path: Path) -> None:
    source = recorded(material, corpus_folder, tmp_path)
    backbone, windows = load_backbone(material.folder), windows_of(material, corpus_folder, 1500)
    finals = [finals_of(backbone, window, material.lead, index) for index, window in enumerate(windows)]
    whole, true, text = (torch.cat([getattr(one, name) for one in finals]) for name in ("final", "true", "text"))
    for block in (0, len(true) // BLOCK_ROWS - 1):
        rows = source.read(block)
        here = slice(block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS + DRAFTS)
        torch.testing.assert_close(rows.final.float(), whole[here], atol=0.02, rtol=0.002)
        assert torch.equal(rows.true, true[here]) and torch.equal(rows.text, text[here])
    epochs = [[int(source.parts(step)[0][0]) for step in steps] for steps in (range(5), range(5, 10))]
    assert source.steps == 10
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(5))


def test_too_few_tokens_are_refused(material: Material, corpus_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="too few for a step; give more --max-tokens"):
        recorded(material, corpus_folder, tmp_path, tokens=200)


def test_drafts_are_taught_by_what_full_depth_says_there(
    material: Material, corpus_folder: Path, tmp_path: Path
) -> None:
    backbone = load_backbone(material.folder)
    learning = TrainableDrafter(backbone, torch.arange(VOCABULARY), 24, seed=0)
    kept = [finals_of(backbone, windows_of(material, corpus_folder, 60)[0], material.lead, 0)]
    task = DrafterTask(learning, backbone, recorded(material, corpus_folder, tmp_path), kept)

    def cheating(states: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Read what full depth itself has at the next row."""
        place = int((kept[0].final == states[0]).all(dim=1).nonzero()[0]) + 1
        ahead = kept[0].final[place : place + len(states)].float()
        assert torch.equal(tokens, kept[0].true[place - 1 :][: len(tokens)])
        return torch.nn.functional.rms_norm(
            ahead, ahead.shape[1:], backbone.weights.final_norm.weight, backbone.shape.norm_epsilon
        ), ahead

    figures = task.score(cheating)  # type: ignore[arg-type]  # called as a module is
    assert figures["agreement_1"] == figures["agreement_2"] == 1.0
    assert task.score(learning)["loss"] > figures["loss"]


def test_the_command_trains_a_drafter_and_says_how_often_it_is_right(
    material: Material, corpus_folder: Path, tmp_path: Path
) -> None:
    def run(*options: object) -> Any:
        arguments = ["train", "drafter", corpus_folder, tmp_path, "--model", material.folder, "--context", 64]
        arguments += [
            "--width",
            64,
            "--taught",
            92,
            "--shortlist",
            90,
            "--max-tokens",
            6000,
            "--check-tokens",
            900,
            *options,
        ]
        ran = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        assert ran.exit_code == 0, ran.output or str(ran.exception)
        return json.loads(ran.output[ran.output.index("{") :])

    once = run("--epochs", 1, "--learning-rate", 0)
    for name in ("last.pt", "best.pt"):
        (tmp_path / name).unlink()
    learned = run("--epochs", 12, "--learning-rate", 5e-3)
    assert learned["agreement"] > once["agreement"] + 0.2
    assert learned["tokens"] == once["tokens"] > 500
    shape = load_backbone(material.folder).shape
    network = load_drafter(tmp_path / DRAFTER_FILE, shape, material.identity)
    assert network.head.shortlist is not None and len(network.head.shortlist) == 90
    assert run("--epochs", 12, "--learning-rate", 5e-3) == learned  # it had been done
