"""From a corpus and a recipe to files beside a bundle: `exits.safetensors`, and adapters where layers were trained."""

from typing import Any

import torch

from greencode_lsp.engine import load_backbone, load_runner
from greencode_lsp.engine.adapters import ADAPTERS_FILE
from greencode_lsp.engine.runner import multiplies_bfloat16
from greencode_lsp.files import replace_file
from greencode_lsp.paths import made_folder
from greencode_lsp.training.exits.frozen import FrozenTask
from greencode_lsp.training.exits.job import Job, begin_heads
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.exits.results import write_results
from greencode_lsp.training.exits.states import BatchSize, LiveSource, RecordedSource, join, record_states, states_of
from greencode_lsp.training.exits.trainer import device_name, make_accelerator, train
from greencode_lsp.training.exits.tuning import train_tuned
from greencode_lsp.training.material import open_corpus, training_windows
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.shards import disk_errors
from greencode_lsp.training.traces.texts import Choice

STATES = "states"


def train_exits(job: Job, report: Report) -> dict[str, Any]:
    """Train to the end, going on from `job.out` where a run was stopped; return facts and figures for people.

    Raises `TrainingError`, `CorpusError`, `BundleError` or `EngineError`, one line each.
    """
    if job.recipe.mode == "frozen":
        return train_frozen(job, report)
    return train_tuned(job, report)


def train_frozen(job: Job, report: Report) -> dict[str, Any]:
    """Train heads on frozen layers; where there are several epochs, the layers' states are recorded first."""
    recipe, material = job.recipe, job.material
    accelerator = make_accelerator(job.device)
    device = device_name(accelerator)
    backbone = load_backbone(material.folder, device, dense_type(device))
    recipe.check(backbone.shape)
    corpus = open_corpus(job.corpus, material)
    choice = Choice(recipe.tokens, recipe.context, recipe.windows_per_file, recipe.seed)
    windows, kept = training_windows(corpus, choice, recipe.validation_tokens)
    runner = load_runner(material.folder, device, made_folder("packed"), job.adapters)
    size = BatchSize(recipe.micro_batch_tokens, max(1, recipe.batch_tokens // recipe.micro_batch_tokens))
    validation = join([states_of(runner, window, recipe.exits, material.lead) for window in kept])
    origin = job.origin(corpus)
    if recipe.epochs > 1:
        facts = {"model": material.bundle.name, "weights_sha256": material.identity, **choice_facts(recipe)}
        facts |= {name: origin[name] for name in ("corpus", *(("start",) if job.adapters else ()))}
        if accelerator.is_main_process:
            record_states(runner, windows, recipe.exits, material.lead, job.out / STATES, facts, report)
        accelerator.wait_for_everyone()
        source: Any = RecordedSource(job.out / STATES, recipe.exits, size, recipe.epochs, recipe.seed)
    else:
        source = LiveSource(runner, windows, recipe.exits, material.lead, size)
    task = FrozenTask(backbone, recipe, source, validation)
    begin_heads(task.heads, job, backbone.shape)
    untrained = task.score(task.module)
    standing = train(task, recipe, origin, job.out, accelerator, report)
    heads = task.heads.as_heads()
    if job.adapters is not None and accelerator.is_main_process:
        with disk_errors(job.out):
            replace_file(job.out / ADAPTERS_FILE, job.adapters.read_bytes())
    return write_results(job, backbone.shape, heads, standing, untrained, task.score(task.module))


def choice_facts(recipe: Recipe) -> dict[str, Any]:
    """Return what of a recipe decides which windows are read, and in which order; more tokens only go on with it."""
    return {name: getattr(recipe, name) for name in ("context", "windows_per_file", "seed")}


def dense_type(device: str) -> torch.dtype:
    """Return the number format for dense matrices that do not learn."""
    return torch.bfloat16 if device != "cpu" or multiplies_bfloat16() else torch.float32
