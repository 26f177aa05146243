"""The whole way, small: a model from nothing, its exits, traces, policy, calibration, and completions with them."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from greencode_lsp.cli.main import app
from greencode_lsp.completion.completer import Completer
from greencode_lsp.completion.loading import load_completer
from greencode_lsp.completion.suggestion import CompletionRequest, LoadOptions, Suggestion
from greencode_lsp.policy.calibration import CALIBRATION_FILE, Calibration, read_calibration
from greencode_lsp.policy.learned import read_policy
from greencode_lsp.training.calibration.learn_then_test import independent_units, relative_losses
from greencode_lsp.training.policy.scoring import decide, score
from greencode_lsp.training.policy.trace_set import load_traces
from tests.training.pipeline.code_models import (
    EXITS,
    LAYERS,
    library_modules,
    some_code,
    write_corpus,
    write_model,
    write_tokenizer,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]  # the first test waits for both trainings

FAMILIES = ("llama", "opt")

RECIPE = f"""
description = "some seconds"
layers = {LAYERS}
exits = {list(EXITS)}
mode = "frozen"
width = 64
learning_rate = 3e-3
tokens = 120_000
epochs = 3
batch_tokens = 2048
context = 128
drawn = 0
"""

BUNDLE = """
name = "small"
description = "a model of this test"
family = "{family}"
licence = "PSF-2.0"
layers = {layers}
exits = {exits}
[source]
kind = "folder"
path = "model"
"""


@dataclass(frozen=True)
class Made:
    """A bundle's folder, and where its traces of held-out projects lie."""

    bundle: Path
    held_out: Path
    code: list[str]

    @property
    def calibration(self) -> Calibration:
        return read_calibration(self.bundle / CALIBRATION_FILE)


def run(*arguments: object) -> dict:
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Train both families at once, each in a process of its own: models this small use one core."""
    roots = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    with ProcessPoolExecutor(len(roots), multiprocessing.get_context("spawn")) as pool:
        return dict(zip(roots, pool.map(train_everything, roots, roots.values()), strict=True))


@pytest.fixture(params=FAMILIES)
def made(request: pytest.FixtureRequest, everything: dict[str, Made]) -> Made:
    return everything[request.param]


def train_everything(family: str, root: Path) -> Made:
    """Train everything by the commands that a person would run."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GREENCODE_CACHE", str(root / "cache"))
        modules = library_modules()
        bundle, model = root / "bundle", root / "bundle" / "model"
        tokenizer = write_tokenizer(model, [text for texts in modules.values() for text in texts[:1]])
        corpus = write_corpus(root / "corpus", tokenizer, modules)
        write_model(model, family, corpus, steps=500)
        described = BUNDLE.format(family=family, layers=LAYERS, exits=list(EXITS))
        (bundle / "bundle.toml").write_text(described)
        (root / "recipe.toml").write_text(RECIPE)
        about = ("--model", bundle, "--device", "cpu")
        result = run("train", "exits", corpus.folder, root / "out", "--recipe", root / "recipe.toml", *about)
        (root / "out" / "exits.safetensors").rename(bundle / "exits.safetensors")
        assert all(result["after"][f"agreement_{depth}"] > result["before"][f"agreement_{depth}"] for depth in EXITS)
        for split, tokens in (("train", 120_000), ("calibration", 150_000), ("heldout", 150_000)):
            how = ("--split", split, "--max-tokens", tokens, "--context", 128, "--windows-per-file", 8)
            run("train", "traces", corpus.folder, root / split, *how, *about)
        run("train", "policy", root / "train", bundle, "--head-layers", 2, "--width", 32, "--epochs", 4)
        run("calibrate", root / "calibration", bundle, "--head-layers", 2)
        return Made(bundle, root / "heldout", some_code(modules, 6))


def held_out_losses_and_depth(made: Made, allowed: float) -> tuple[np.ndarray, float]:
    """Return what a bound's threshold loses in each held-out project, and the mean depth."""
    bound = made.calibration.bound(allowed)
    assert bound is not None
    assert bound.threshold is not None
    traces, policy = load_traces(made.held_out), read_policy(made.bundle / "policy.safetensors")
    choice = decide(score(policy, traces), bound.threshold, policy.stop_threshold)
    depth = float(np.array([*EXITS, LAYERS])[choice.exits].mean())
    return relative_losses(traces, choice, independent_units(traces)), depth


def test_calibrated_exits_save_layers_within_the_bound_on_projects_nobody_has_seen(made: Made) -> None:
    """Proven is the mean over projects, on others than these: two standard errors are theirs."""
    losses, depth = held_out_losses_and_depth(made, 0.05)
    assert losses.mean() - 2 * losses.std(ddof=1) / len(losses) ** 0.5 <= 0.05
    assert depth < LAYERS - 0.3
    assert made.calibration.unit == "project"


def test_a_tighter_bound_goes_deeper_and_loses_less(made: Made) -> None:
    loose, tight = held_out_losses_and_depth(made, 0.05), held_out_losses_and_depth(made, 0.02)
    assert tight[0].mean() < loose[0].mean()
    assert tight[1] > loose[1]


@pytest.fixture
def completer(made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Completer:
    monkeypatch.setenv("GREENCODE_DATA", str(tmp_path))
    monkeypatch.setenv("GREENCODE_CACHE", str(made.bundle.parent / "cache"))
    return load_completer(LoadOptions(str(made.bundle), "cpu"))


def suggestions(completer: Completer, made: Made, profile: str) -> list[Suggestion]:
    asked = [
        CompletionRequest(f"{profile} {index}", code, profile=profile, max_tokens=24, multiline="always")
        for index, code in enumerate(made.code)
    ]
    return [found for one in asked if (found := completer.complete(one)) is not None]


def test_completions_with_the_bundle_leave_early_and_cost_less(completer: Completer, made: Made) -> None:
    found = suggestions(completer, made, "eco")
    depths = {token.exit_layer for suggestion in found for token in suggestion.tokens}
    assert depths & set(EXITS)
    assert depths <= {*EXITS, LAYERS}
    joules = [(one.charge.joules or 0.0, one.charge.joules_full or 0.0) for one in found]
    assert 0 < sum(spent for spent, _ in joules) < sum(full for _, full in joules)


def test_exits_that_only_draft_change_nothing(completer: Completer, made: Made) -> None:
    full, exact = suggestions(completer, made, "full"), suggestions(completer, made, "exact")
    assert [one.text for one in exact] == [one.text for one in full]


def test_a_policy_can_learn_from_what_it_wrote_itself(made: Made, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GREENCODE_CACHE", str(made.bundle.parent / "cache"))
    corpus, about = made.bundle.parent / "corpus", ("--model", made.bundle, "--device", "cpu", "--context", 128)
    how = ("--split", "train", "--max-tokens", 4000, "--written-by", made.bundle, "--new-tokens", 16)
    written = run("train", "traces", corpus, tmp_path / "written", *how, *about)
    assert written["split"] == "train, written by eco"
    traces = load_traces(tmp_path / "written")
    assert (np.bincount(traces.files) <= 2 * 16).all()
    again = ("--on-policy", tmp_path / "written", "--width", 8, "--epochs", 1)
    refitted = run("train", "policy", made.bundle.parent / "train", tmp_path / "again", *again)
    assert refitted["rows"] == len(load_traces(made.bundle.parent / "train", 400_000, 420)) + len(traces)


@pytest.fixture(scope="module", autouse=True)
def few_threads():
    """Models this small are faster on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
