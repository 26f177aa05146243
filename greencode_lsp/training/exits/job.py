"""What one training of exits is to do."""

from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.exits import load_exits
from greencode_lsp.training.exits.heads import TrainableExits
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.material import Material


@dataclass(frozen=True)
class Job:
    """What to train, from which corpus, into which folder, on which device.

    `start` is a file of trained exits that the heads begin as; without one they begin by changing nothing.
    """

    material: Material
    corpus: Path
    out: Path
    recipe: Recipe
    device: str
    start: Path | None = None


def begin_heads(heads: TrainableExits, job: Job, shape: Architecture) -> None:
    """Have heads begin as the job's trained ones, where it names some.

    Raises `EngineError` or `TrainingError` in one line: a file that cannot be read, or is of other weights or exits.
    """
    if job.start is not None:
        heads.begin_as(load_exits(job.start, shape, job.material.identity))
