"""What a finished training leaves behind: `exits.safetensors` and its figures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save

from greencode_lsp.engine import load_backbone
from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.exits import EXITS_FILE, ExitHead, exits_metadata, exits_tensors, with_codes
from greencode_lsp.files import replace_file
from greencode_lsp.training.exits.job import Job
from greencode_lsp.training.exits.recipe import jsonable
from greencode_lsp.training.exits.shortlist import frequent_tokens, with_shortlist
from greencode_lsp.training.exits.trainer import Standing
from greencode_lsp.training.material import open_corpus
from greencode_lsp.training.traces.shards import disk_errors


def write_results(
    job: Job,
    shape: Architecture,
    heads: Mapping[int, ExitHead],
    standing: Standing,
    before: dict[str, float],
    after: dict[str, float],
) -> dict[str, Any]:
    """Write the heads and the figures of a finished training; return the figures."""
    if job.recipe.shortlist:
        ids = frequent_tokens(open_corpus(job.corpus, job.material), shape.vocabulary_size, job.recipe.shortlist)
        final_norm = load_backbone(job.material.folder).weights.final_norm  # in its own precision, not training's
        heads = with_shortlist(heads, ids, final_norm, shape.layers)
    with disk_errors(job.out):
        write_heads(job.out / EXITS_FILE, heads, shape, job.material.identity)
        result = {
            "model": job.material.bundle.name,
            "exits_file": str(job.out / EXITS_FILE),
            "best_step": standing.best_step,
            "steps": standing.step,
            "before": before,
            "after": after,
            "recipe": jsonable(job.recipe),
        }
        replace_file(job.out / "metrics.json", json.dumps(result, indent=1).encode())
    return result


def write_heads(path: Path, heads: Mapping[int, ExitHead], shape: Architecture, identity: str) -> None:
    """Write heads as they are shipped."""
    tensors = with_codes(exits_tensors(heads, "cpu"))
    replace_file(path, save(tensors, exits_metadata(heads, shape, identity)))
