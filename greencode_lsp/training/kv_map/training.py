"""From a corpus to a map's file: a first map by least squares, one that goes on learning, and what that loses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from greencode_lsp.engine import Backbone, EarlyExitModel, load_backbone
from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.kv_map import KvMap, as_kept, kv_map_file, load_kv_map, save_kv_map
from greencode_lsp.policy.bundle import file_sha256
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.exits.trainer import make_accelerator, train
from greencode_lsp.training.kv_map.distilled import MapTask
from greencode_lsp.training.kv_map.least_squares import fit_kv_map
from greencode_lsp.training.kv_map.measured import measure_filling, summary
from greencode_lsp.training.material import open_corpus, training_windows
from greencode_lsp.training.opened import OpenedModel
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.shards import disk_errors
from greencode_lsp.training.traces.texts import Choice


@dataclass(frozen=True)
class MapJob:
    """Which map to train, from how much of a corpus, into which folder.

    near: so many rows above the last one run through all layers. start: the file of a map to go on from; without one,
    the first is fitted by least squares to fit_tokens. tokens: that it learns from afterwards, 0 for none.
    check_tokens: of the calibration split, to measure on.
    """

    corpus: Path
    out: Path
    depth: int
    near: int
    start: Path | None
    fit_tokens: int
    tokens: int
    check_tokens: int
    learning_rate: float
    context: int
    seed: int

    def recipe(self, layers: int) -> Recipe:
        """Return what the shared loop of trainings needs to know."""
        return Recipe(
            description="a map of keys and values",
            layers=layers,
            exits=(self.depth,),
            mode="frozen",
            learning_rate=self.learning_rate,
            tokens=self.tokens,
            warmup_steps=20,
            batch_tokens=2 * self.context,
            micro_batch_tokens=self.context,
            context=self.context,
            windows_per_file=1,
            validation_tokens=32 * self.context,
            checkpoints=10,
            seed=self.seed,
        )

    def beginning(self) -> Mapping[str, str]:
        """Say what the map begins as, and how many rows are near: a run goes on with the same."""
        begun = f"least squares of {self.fit_tokens} tokens" if self.start is None else file_sha256(self.start)
        return {"near": str(self.near), "begun": begun}

    def choice(self, tokens: int) -> Choice:
        """Return how windows of so many tokens are chosen."""
        return Choice(tokens, self.context, 1, self.seed)


def train_kv_map(opened: OpenedModel, job: MapJob, report: Report) -> Mapping[str, float]:
    """Train a map, going on from `job.out` where a run was stopped, and write it; return what was measured of it.

    Raises `TrainingError` in one line: no such exit, a GPU, too few tokens, or too few projects with long texts to say
    anything of the loss.
    """
    runner, depth = opened.runner, job.depth
    if depth not in opened.exits or depth >= runner.shape.layers:
        raise TrainingError(f"--depth {depth}: give the depth of an exit that leaves out layers, of {opened.exits}")
    if runner.device.type != "cpu":
        raise TrainingError(f"keys and values are not filled on {runner.device}; use --device cpu")
    backbone = load_backbone(opened.material.folder, adapters=opened.adapters)
    found = KvMap(depth, first_map(opened, job, backbone, report), job.near)
    if job.tokens:
        corpus, recipe = open_corpus(job.corpus, opened.material), job.recipe(runner.shape.layers)
        texts = training_windows(corpus, job.choice(job.tokens), recipe.validation_tokens)
        task = MapTask(runner, backbone, found, recipe, texts, opened.material.lead)
        layers = {"model": opened.material.identity, "exits": opened.exits_sha256}
        origin = {**layers, "corpus": corpus.identity, **job.beginning()}
        train(task, recipe, origin, job.out, make_accelerator("cpu"), report)
        found = task.layers.learned()
    found = as_kept(found)  # what is measured is what is shipped
    model = EarlyExitModel(runner, opened.exits, opened.heads, [found])
    checking = opened.windows(job.corpus, "calibration", job.choice(job.check_tokens))
    measured = summary(measure_filling(model, depth, checking, opened.material.lead, report))
    with disk_errors(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
        proven = replace(found, upper_loss=measured["upper_loss"])
        save_kv_map(job.out / kv_map_file(depth), proven, runner.shape, opened.material.identity)
    return {**measured, "map_layers": model.fillings[depth].layers}


def first_map(opened: OpenedModel, job: MapJob, backbone: Backbone, report: Report) -> Linear:
    """Return the map that learning begins with."""
    if job.start is None:
        fitting = opened.windows(job.corpus, "train", job.choice(job.fit_tokens))
        return fit_kv_map(opened.runner, backbone, job.depth, fitting, opened.material.lead, report)
    found = load_kv_map(job.start, opened.runner.shape, opened.material.identity)
    if found.depth != job.depth:
        raise TrainingError(f"{job.start} maps from layer {found.depth}; give --depth {found.depth}, or another file")
    return found.linear
