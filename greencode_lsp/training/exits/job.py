"""What one training of exits is to do."""

from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.engine.adapters import adapters_beside
from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.exits import load_exits
from greencode_lsp.engine.identity import exits_identity
from greencode_lsp.training.corpus.reader import Corpus
from greencode_lsp.training.exits.heads import TrainableExits
from greencode_lsp.training.exits.recipe import Recipe
from greencode_lsp.training.material import Material


@dataclass(frozen=True)
class Job:
    """What to train, from which corpus, into which folder, on which device.

    `start` is a file of trained exits that the heads begin as, and layers as the adapters beside it, where there are
    some; without one they begin by changing nothing.
    """

    material: Material
    corpus: Path
    out: Path
    recipe: Recipe
    device: str
    start: Path | None = None

    @property
    def adapters(self) -> Path | None:
        """The changes of layers that the job begins with, where there are some."""
        return None if self.start is None else adapters_beside(self.start)

    def origin(self, corpus: Corpus) -> dict[str, str]:
        """Name what the run begins with, each by the beginning of its hash: the model, the corpus, the first heads."""
        start = "" if self.start is None else exits_identity(self.start)
        hashes = {"model": self.material.identity, "corpus": corpus.identity, "start": start}
        return {name: sha256[:12] for name, sha256 in hashes.items()}


def begin_heads(heads: TrainableExits, job: Job, shape: Architecture) -> None:
    """Have heads begin as the job's trained ones, where it names some.

    Raises `EngineError` or `TrainingError` in one line: a file that cannot be read, or is of other weights or exits.
    """
    if job.start is not None:
        device = next(heads.parameters()).device
        heads.begin_as(load_exits(job.start, shape, job.material.identity, device))
