"""From a corpus and a recipe to adapters for the layers, and the norms of their exits."""

from typing import Any

import torch
from safetensors.torch import save

from greencode_lsp.engine import load_backbone, load_runner
from greencode_lsp.engine.adapters import ADAPTERS_FILE, adapters_metadata, load_adapters
from greencode_lsp.files import replace_file
from greencode_lsp.paths import made_folder
from greencode_lsp.training.exits.job import Job, begin_heads
from greencode_lsp.training.exits.packing import PackedTexts
from greencode_lsp.training.exits.results import write_results
from greencode_lsp.training.exits.trainer import device_name, make_accelerator, train
from greencode_lsp.training.exits.tuned import TunedTask
from greencode_lsp.training.material import open_corpus, training_windows, validation_split
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.shards import disk_errors
from greencode_lsp.training.traces.texts import Choice


def train_tuned(job: Job, report: Report) -> dict[str, Any]:
    """Train layers and exits; write adapters and heads, and figures measured with the adapters as they are shipped."""
    recipe, material = job.recipe, job.material
    accelerator = make_accelerator(job.device)
    backbone = load_backbone(material.folder, device_name(accelerator), torch.float32)
    recipe.check(backbone.shape)
    corpus = open_corpus(job.corpus, material)
    files = list(corpus.files("train"))
    learned, _ = validation_split(len(files), recipe.seed)
    choice = Choice(recipe.validation_tokens, recipe.context, recipe.windows_per_file, recipe.seed)
    _, kept = training_windows(corpus, choice, recipe.validation_tokens)
    ending = backbone.shape.end_of_text[:1]
    texts = PackedTexts(
        [files[number] for number in learned], recipe.tokens, recipe.context, material.lead, ending, recipe.seed
    )
    fast = recipe.frozen_layers > 0 and backbone.device.type == "cpu"
    runner = load_runner(material.folder, "cpu", made_folder("packed")) if fast else None
    task = TunedTask(backbone, recipe, texts, kept, runner)
    begin_heads(task.model.heads, job, backbone.shape)
    layers = task.model.layers
    if job.adapters is not None:
        layers.take(load_adapters(job.adapters, backbone.shape, material.identity).changes)
    before = task.score(task.module)
    standing = train(task, recipe, job.origin(corpus), job.out, accelerator, report)
    changes = layers.adapters()
    layers.take(changes)  # what is measured is what is shipped
    if accelerator.is_main_process:
        facts = adapters_metadata(backbone.shape, material.identity, recipe.four_bits)
        with disk_errors(job.out):
            replace_file(job.out / ADAPTERS_FILE, save(changes, facts))
    return write_results(job, backbone.shape, task.model.heads.as_heads(), standing, before, task.score(task.module))
