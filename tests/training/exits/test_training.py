"""Training exits on a small model for real: what it learns, and what stops it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.engine import grid, load_backbone
from greencode_lsp.engine.adapters import ADAPTERS_FILE, MATRICES
from greencode_lsp.engine.exits import EXITS_FILE, load_exits
from greencode_lsp.engine.grid import as_codes, nearest_codes
from greencode_lsp.engine.packed.packing import pack
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.checkpoints import LAST, load_checkpoint
from greencode_lsp.training.exits.curves import measure_curves
from greencode_lsp.training.exits.job import Job
from greencode_lsp.training.exits.recipe import Recipe, jsonable
from greencode_lsp.training.exits.trainer import make_optimizer, set_rate
from greencode_lsp.training.exits.training import train_exits
from greencode_lsp.training.material import fetch_material, open_corpus, split_windows
from greencode_lsp.training.progress import silent
from greencode_lsp.training.traces.texts import Choice
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("one_thread")

TUNED = {"true_share": 0.3, "width": 0, "rank": 4}

FAMILIES = pytest.mark.parametrize("material", ["llama", "opt"], indirect=True)


class KilledError(Exception):
    """What stops a run in a test, as a kill would."""


def interrupt_at(step: int):
    def report(stage: str, done: int, total: int) -> None:
        if stage == "training" and done == step:
            raise KilledError

    return report


def gained(result: dict, depth: int) -> float:
    return result["after"][f"agreement_{depth}"] - result["before"][f"agreement_{depth}"]


def in_four_bits(folder: Path, to: Path) -> Path:
    """Copy a model, its layers' matrices on the grid of 4 bits."""
    shutil.copytree(folder, to)
    weights = load_file(folder / "model.safetensors")
    coarse = {name: grid.on_grid(one) if is_layers_matrix(name, one) else one for name, one in weights.items()}
    save_file(coarse, to / "model.safetensors", metadata={"format": "pt"})
    return to


def is_layers_matrix(name: str, tensor: torch.Tensor) -> bool:
    return ".layers." in name and tensor.dim() == 2


@FAMILIES
@pytest.mark.parametrize("epochs", [1, 3])
def test_heads_on_frozen_layers_learn_to_say_what_full_depth_says(job: Callable[..., Job], epochs: int) -> None:
    asked = job(epochs=epochs, tokens=9000 // epochs)
    result = train_exits(asked, silent)
    assert gained(result, 1) > 0.1
    assert gained(result, 2) > 0.05
    shape = load_backbone(asked.material.folder).shape
    heads = load_exits(asked.out / EXITS_FILE, shape, asked.material.identity)
    assert {depth: head.translator is not None for depth, head in heads.items()} == {1: True, 2: True, 3: True}
    assert not (asked.out / ADAPTERS_FILE).exists()


@FAMILIES
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "rate", "rank"), [("low-rank", 1e-2, 4), ("full", 2e-3, 8)])
def test_tuned_layers_are_read_earlier_and_stay_as_good_at_full_depth(
    job: Callable[..., Job], mode: str, rate: float, rank: int
) -> None:
    asked = job(mode=mode, learning_rate=rate, epochs=2, true_share=0.3, width=0, rank=rank, full_depth_share=0.4)
    result = train_exits(asked, silent)
    assert gained(result, 1) > 0.05
    assert gained(result, 2) > 0.03
    assert result["after"]["loss_4"] < result["after"]["original_loss"] + 0.02
    merged = load_backbone(asked.material.folder, adapters=asked.out / ADAPTERS_FILE)
    original = load_backbone(asked.material.folder)
    change = (merged.weights.layers[0].mlp_in.weight - original.weights.layers[0].mlp_in.weight).float()
    assert 1 <= int(torch.linalg.matrix_rank(change, tol=1e-3)) <= rank


def test_curves_compare_with_the_weights_as_they_were(job: Callable[..., Job]) -> None:
    asked = job(mode="low-rank", learning_rate=1e-2, **TUNED)
    train_exits(asked, silent)
    about = ["--model", asked.material.folder, "--exits-file", asked.out / EXITS_FILE, "--context", 64]
    arguments = ["train", "curves", asked.corpus, *about, "--max-tokens", 3000, "--device", "cpu", "--json"]
    ran = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    full = json.loads(ran.stdout)["rows"][-1]
    corpus = open_corpus(asked.corpus, asked.material)
    windows, lead = split_windows(corpus, "heldout", Choice(3000, 64)), asked.material.lead
    for when, adapters in (("before", None), ("after", asked.out / ADAPTERS_FILE)):
        backbone = load_backbone(asked.material.folder, adapters=adapters)
        (expected,) = measure_curves(backbone, (), {}, windows, lead, silent)
        assert full[when]["perplexity"] == pytest.approx(expected.perplexity, rel=1e-3)
    assert full["before"]["perplexity"] != full["after"]["perplexity"]


@FAMILIES
@pytest.mark.slow
@pytest.mark.parametrize(("mode", "rate", "rank"), [("low-rank", 1e-2, 8), ("full", 2e-3, 0)])
def test_layers_that_learn_in_four_bits_are_run_in_four(
    job: Callable[..., Job], mode: str, rate: float, rank: int
) -> None:
    tuned = {"mode": mode, "learning_rate": rate, "epochs": 3, "true_share": 0.3, "full_depth_share": 0.4, "rank": rank}
    asked = job(four_bits=True, **tuned)
    result = train_exits(asked, silent)
    assert gained(result, 1) > 0.05
    coarse = result["before"]["loss_4"]  # the same layers, rounded without having learned to be
    assert result["after"]["loss_4"] < coarse
    layers = load_backbone(asked.material.folder, adapters=asked.out / ADAPTERS_FILE).weights.layers
    assert {pack(getattr(layer, part).weight).bits for layer in layers for part in MATRICES} == {4}


@FAMILIES
@pytest.mark.slow
def test_scales_learn_and_the_codes_of_four_bits_stay(job: Callable[..., Job], tmp_path: Path) -> None:
    tuned = {"mode": "scales", "learning_rate": 4e-3, "exits_learning_rate": 1e-2, "epochs": 3, "true_share": 0.3}
    with pytest.raises(TrainingError, match=r"mode scales is for models in 4 bits \(Q4_1\), which this one is not"):
        train_exits(job(**tuned), silent)
    coarse = in_four_bits(job().material.folder, tmp_path / "coarse")
    asked = replace(job(**tuned), material=fetch_material(str(coarse), silent))
    result = train_exits(asked, silent)
    assert gained(result, 1) > 0.05
    assert result["after"]["loss_4"] < result["after"]["original_loss"]
    before, after = (load_backbone(coarse, adapters=one) for one in (None, asked.out / ADAPTERS_FILE))
    for old, new in zip(before.weights.layers, after.weights.layers, strict=True):
        for part in MATRICES:
            one, other = (as_codes(getattr(layer, part).weight, nearest_codes) for layer in (old, new))
            assert torch.equal(one["codes"], other["codes"])
            assert not torch.equal(one["scales"], other["scales"])
            assert pack(getattr(new, part).weight).bits == 4


@FAMILIES
def test_layers_below_those_that_learn_stay_as_they_are(job: Callable[..., Job]) -> None:
    asked = job(mode="full", learning_rate=4e-3, epochs=2, true_share=0.3, rank=8, frozen_layers=1)
    result = train_exits(asked, silent)
    assert gained(result, 1) > 0.05  # its head learns
    assert gained(result, 2) > 0.03
    changed = {name.split(".")[1] for name in load_file(asked.out / ADAPTERS_FILE)}
    assert changed == {"1", "2", "3"}


def test_exits_may_learn_at_another_rate_than_layers() -> None:
    module = torch.nn.ModuleDict({"layers": torch.nn.Linear(2, 2), "heads": torch.nn.Linear(2, 2)})
    recipe = Recipe("", 4, (1,), "scales", 4e-3, 1000, exits_learning_rate=1e-3, warmup_steps=4, weight_decay=0.1)
    optimizer = make_optimizer(module, recipe)
    set_rate(optimizer, recipe, 1, 100)
    found = {id(one): group for group in optimizer.param_groups for one in group["params"]}
    rates = {name: (found[id(one)]["lr"], found[id(one)]["weight_decay"]) for name, one in module.named_parameters()}
    half = {
        "layers.weight": (2e-3, 0.1),
        "layers.bias": (2e-3, 0.0),
        "heads.weight": (5e-4, 0.1),
        "heads.bias": (5e-4, 0.0),
    }
    assert rates == half


def test_matrices_without_a_grid_do_not_learn_in_four_bits(
    job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grid, "GROUP", 48)
    with pytest.raises(TrainingError, match="four_bits needs matrices whose inputs are multiples of"):
        train_exits(job(mode="low-rank", four_bits=True), silent)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 2}, {"epochs": 1}, {"mode": "low-rank", "tokens": 1500, **TUNED}],
    ids=["recorded", "live", "low-rank"],
)
def test_a_run_that_goes_on_equals_one_that_was_never_stopped(job: Callable[..., Job], changes: dict) -> None:
    whole, stopped = job("whole", **changes), job("stopped", **changes)
    expected = train_exits(whole, silent)
    with pytest.raises(KilledError):
        train_exits(stopped, interrupt_at(expected["steps"] - 2))
    begun = load_checkpoint(stopped.out / LAST)
    assert begun is not None and 0 < begun["standing"]["step"] < expected["steps"] - 2 + 1
    assert train_exits(stopped, silent)["after"] == expected["after"]
    one, other = (load_file(asked.out / EXITS_FILE) for asked in (whole, stopped))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert journal(whole.out) == journal(stopped.out)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"epochs": 2}, {"mode": "low-rank", "tokens": 1500, **TUNED}],
    ids=["recorded", "low-rank"],
)
def test_two_processes_learn_what_one_does(job: Callable[..., Job], changes: dict, tmp_path: Path) -> None:
    alone = job("alone", **changes)
    expected = train_exits(alone, silent)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in jsonable(alone.recipe).items()))
    train = ("-m", "greencode_lsp.cli", "train", "exits", alone.corpus, tmp_path / "together", "--recipe", recipe)
    launch = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2)
    command = (*launch, *train, "--model", alone.material.folder, "--device", "cpu")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert ran.returncode == 0, ran.stderr
    result = json.loads((tmp_path / "together" / "metrics.json").read_text())
    assert result["steps"] == expected["steps"]
    assert result["after"] == pytest.approx(expected["after"], rel=1e-3, abs=1e-3)


def journal(folder: Path) -> list[dict]:
    """Return a run's record without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "tokens_per_s"} for line in lines]


def test_a_loss_that_is_no_number_stops_the_run_with_its_last_checkpoint_intact(job: Callable[..., Job]) -> None:
    asked = job()
    with pytest.raises(KilledError):
        train_exits(asked, interrupt_at(6))
    before = (asked.out / LAST).read_bytes()
    with pytest.raises(TrainingError, match=r"the loss became nan .* is intact: lower the learning rate"):
        train_exits(job(learning_rate=1e38), silent)
    assert (asked.out / LAST).read_bytes() == before
    assert train_exits(asked, silent)["steps"] > 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_stops_the_run_with_its_last_checkpoint_intact(job: Callable[..., Job]) -> None:
    asked = job()
    with pytest.raises(KilledError):
        train_exits(asked, interrupt_at(6))
    before = (asked.out / LAST).read_bytes()
    os.symlink("/dev/full", asked.out / f".{LAST}")
    with pytest.raises(TrainingError, match=r"the disk of .* is full: what was saved is intact"):
        train_exits(asked, silent)
    assert (asked.out / LAST).read_bytes() == before
    assert train_exits(asked, silent)["steps"] > 6


def test_a_folder_of_another_run_is_refused(job: Callable[..., Job]) -> None:
    train_exits(job(), silent)
    with pytest.raises(TrainingError, match="another width: 24, now 32"):
        train_exits(job(width=32), silent)


@pytest.mark.parametrize("mode", ["frozen", "low-rank"])
def test_a_run_goes_on_only_where_it_began(job: Callable[..., Job], mode: str) -> None:
    asked = job(mode=mode)
    train_exits(asked, silent)
    with pytest.raises(TrainingError, match="another start: '', now '"):
        train_exits(replace(asked, start=asked.out / EXITS_FILE), silent)
    with pytest.raises(TrainingError, match="another model: '"):
        train_exits(replace(asked, material=replace(asked.material, identity="of another model")), silent)


def test_a_broken_checkpoint_is_one_line(job: Callable[..., Job]) -> None:
    asked = job()
    asked.out.mkdir()
    (asked.out / LAST).write_bytes(b"half a file")
    with pytest.raises(TrainingError, match=r"last.pt cannot be read: .* remove it to begin again"):
        train_exits(asked, silent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exits": (1, 4)}, r"exits \[1, 4\] must rise strictly and lie between 1 and 3"),
        ({"exits": (2, 1)}, r"exits \[2, 1\] must rise strictly"),
        ({"layers": 30}, "the recipe is for 30 layers, this model has 4"),
        ({"full_depth_share": 1.0}, "full_depth_share 1.0 must be below 1: exits need a share, too"),
        ({"frozen_layers": 4}, "frozen_layers 4 must lie between 0 and 3"),
        ({"four_bits": True}, "four_bits is for layers that learn; with mode frozen they stay as they are"),
        ({"context": 1024}, "context 1024 must lie between 2 and the model's 128"),
    ],
)
def test_a_recipe_that_does_not_fit_the_model_is_refused(job: Callable[..., Job], changes: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        train_exits(job(**changes), silent)


@FAMILIES
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["frozen", "low-rank"])
def test_a_training_that_goes_on_from_exits_begins_where_they_ended(job: Callable[..., Job], mode: str) -> None:
    first = job("first")
    ended = train_exits(first, silent)["after"]
    second = train_exits(replace(job("second", mode=mode), start=first.out / EXITS_FILE), silent)
    names = ("agreement_1", "agreement_2")
    assert [second["before"][name] for name in names] == pytest.approx(
        [ended[name] for name in names], abs=0.02
    )  # one of them in bfloat16
    assert gained(second, 1) >= 0


def test_a_training_goes_on_from_changed_layers(job: Callable[..., Job]) -> None:
    tuned = {"mode": "full", "four_bits": True, "learning_rate": 2e-3, "true_share": 0.3}
    first = job("first", **tuned)
    ended = train_exits(first, silent)["after"]
    start = first.out / EXITS_FILE
    second = train_exits(replace(job("second", **tuned), start=start), silent)
    assert second["before"] == pytest.approx(ended, abs=0.01)  # exits are shipped in 4 bits
    assert second["after"]["score"] > ended["score"]
    heads = replace(job("heads"), start=start)
    figures = train_exits(heads, silent)
    assert figures["before"]["agreement_2"] == pytest.approx(ended["agreement_2"], abs=0.02)
    assert (heads.out / ADAPTERS_FILE).read_bytes() == (first.out / ADAPTERS_FILE).read_bytes()
    with pytest.raises(TrainingError, match=r"change what this recipe leaves as it is: layer\.0"):
        train_exits(replace(job("upper", frozen_layers=1, **tuned), start=start), silent)
    with pytest.raises(TrainingError, match=r"the adapters to go on from were trained by another recipe: .layer\.0"):
        train_exits(replace(job("other", **{**tuned, "four_bits": False}), start=start), silent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 32}, "the exit after 1 layers to go on from has width 24, the recipe 32: give --width 24"),
        ({"exits": (1, 3)}, r"the exits to go on from have none after 3 layers, only \[1, 2"),
    ],
)
def test_exits_that_do_not_fit_are_no_beginning(job: Callable[..., Job], changes: dict, message: str) -> None:
    first = job("first", exits=(1, 2))
    train_exits(first, silent)
    with pytest.raises(TrainingError, match=message):
        train_exits(replace(job("second", **changes), start=first.out / EXITS_FILE), silent)


def test_recorded_states_serve_other_exits_later(job: Callable[..., Job]) -> None:
    train_exits(job(epochs=2), silent)
    other = job(epochs=2, exits=(1, 3))
    for path in (other.out / LAST, other.out / "best.pt"):
        path.unlink()
    index = other.out / "states" / "states.json"
    recorded = index.stat().st_mtime_ns
    shards = {path.name: path.stat().st_mtime_ns for path in index.parent.glob("*.npy")}
    result = train_exits(other, silent)
    assert {path.name: path.stat().st_mtime_ns for path in index.parent.glob("*.npy")} == shards
    assert index.stat().st_mtime_ns >= recorded
    assert gained(result, 1) > 0.05
