"""Maps of keys and values that learn from what near rows say."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import EarlyExitModel, load_backbone
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.kv_map import KvMap, as_kept, kv_map_file, load_kv_map
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.trainer import make_accelerator, train
from greencode_lsp.training.kv_map import measured
from greencode_lsp.training.kv_map.distilled import FilledLayers, MapTask
from greencode_lsp.training.kv_map.measured import read_logits
from greencode_lsp.training.kv_map.training import MapJob
from greencode_lsp.training.material import Material, open_corpus, split_windows, training_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice

pytestmark = pytest.mark.usefixtures("one_thread")


def random_map(material: Material, near: int = 8) -> KvMap:
    """Return a map of random numbers from layer 2 of 4."""
    shape = load_backbone(material.folder).shape
    outputs = 2 * 2 * shape.kv_heads * shape.head_size
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(outputs, shape.hidden_size, generator=generator) * shape.hidden_size**-0.5
    return KvMap(2, Linear(weight, torch.randn(outputs, generator=generator)), near=near)


def map_job(corpus: Path, tokens: int, context: int) -> MapJob:
    return MapJob(
        corpus,
        out=Path(),
        depth=2,
        near=0,
        start=None,
        fit_tokens=0,
        tokens=tokens,
        check_tokens=0,
        learning_rate=2e-2,
        context=context,
        seed=0,
    )


@pytest.mark.parametrize("material", ["llama", "opt"], indirect=True)
@torch.inference_mode()
def test_learning_computes_what_the_engine_does(material: Material, corpus_folder: Path) -> None:
    backbone, found = load_backbone(material.folder), as_kept(random_map(material))
    window = split_windows(open_corpus(corpus_folder, material), "heldout", Choice(96, 96))[0]
    tokens = [*material.lead, *map(int, window.ids)]
    engine = read_logits(EarlyExitModel(backbone, (2,), kv_maps=[found]), tokens, fill=2)
    hidden = backbone.run_layers(range(2), backbone.embed(tokens, 0), 0, backbone.new_cache(2))
    far = (len(tokens) - 16 - 8 - 16) // 16 * 16
    learning = backbone.logits(FilledLayers(backbone, found)(hidden, far))
    torch.testing.assert_close(learning[-len(engine) :], engine, atol=1e-4, rtol=1e-4)
    exact = read_logits(EarlyExitModel(backbone, (2,), kv_maps=[found]), tokens, fill=0)
    assert (engine - exact).abs().max() > 0.1  # the map matters


def test_a_map_learns_to_have_full_depth_say_what_it_says_without_one(
    material: Material, corpus_folder: Path, tmp_path: Path
) -> None:
    backbone, job = load_backbone(material.folder), map_job(corpus_folder, 20_000, 96)
    recipe = job.recipe(backbone.shape.layers)
    corpus = open_corpus(corpus_folder, material)
    texts = training_windows(corpus, job.choice(job.tokens), 960)
    task = MapTask(backbone, backbone, random_map(material, near=0), recipe, texts, material.lead)
    before = task.score(task.module)
    train(task, recipe, {}, tmp_path, make_accelerator("cpu"), silent)
    after = task.score(task.module)
    assert after["divergence"] < 0.95 * before["divergence"]
    assert after["agreement"] > before["agreement"]
    assert task.layers.learned().depth == 2


def test_texts_that_are_all_too_short_are_refused(material: Material, corpus_folder: Path) -> None:
    backbone, windows = (
        load_backbone(material.folder),
        split_windows(open_corpus(corpus_folder, material), "train", Choice(200, 30)),
    )
    recipe = map_job(corpus_folder, 200, 30).recipe(backbone.shape.layers)
    with pytest.raises(TrainingError, match="too few are long enough for rows to be filled"):
        MapTask(backbone, backbone, random_map(material), recipe, (windows, windows), material.lead)


def test_the_command_writes_a_map_and_says_what_it_loses(
    material: Material, corpus_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "FEWEST_PROJECTS", 1)
    monkeypatch.setattr(measured, "upper_limit", lambda losses, confidence: float(losses.mean()))

    def run(name: str, *options: object) -> tuple[int, Any]:
        arguments = ["train", "kv-map", corpus_folder, tmp_path / name, "--model", material.folder, "--context", 128]
        ran = CliRunner().invoke(app, [*map(str, [*arguments, "--at", "1,3", *options])])
        output = ran.output or str(ran.exception)
        return ran.exit_code, json.loads(output[output.index("{") :]) if "{" in output else output

    code, fitted = run("fitted", "--depth", 3, "--max-tokens", 0, "--json")
    assert code == 0, fitted
    code, learned = run("learned", "--depth", 3, "--max-tokens", 4000, "--json")
    assert code == 0, learned
    shape = load_backbone(material.folder).shape
    maps = [load_kv_map(tmp_path / name / kv_map_file(3), shape, material.identity) for name in ("fitted", "learned")]
    assert [one.upper_loss for one in maps] == pytest.approx([fitted["upper_loss"], learned["upper_loss"]])
    assert not torch.equal(maps[0].linear.weight, maps[1].linear.weight)
    assert run("learned", "--depth", 3, "--max-tokens", 4000, "--json") == (0, learned)  # it had been done
    fitted_file = tmp_path / "fitted" / kv_map_file(3)
    code, kept = run("kept", "--depth", 3, "--start", fitted_file, "--max-tokens", 0, "--json")
    assert code == 0, kept
    assert torch.equal(load_kv_map(tmp_path / "kept" / kv_map_file(3), shape).linear.weight, maps[0].linear.weight)
    code, output = run("start", "--depth", 1, "--start", fitted_file)
    assert code == 1
    assert "maps from layer 3; give --depth 3, or another file" in output
    code, output = run("other", "--depth", 2)
    assert code == 1
    assert "give the depth of an exit that leaves out layers" in output
