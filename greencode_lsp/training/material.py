"""What every training begins with: a model's folder and facts, and windows of a corpus that fit it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.engine.identity import weights_identity
from greencode_lsp.models import Bundle, Progress, find_bundle, ready_folder
from greencode_lsp.training.corpus.reader import Corpus
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Choice, Window, choose_windows

VALIDATION_FILES = 20
"""One training file of so many is kept for choosing among checkpoints; the other splits stay unseen."""


@dataclass(frozen=True)
class Material:
    """A model that is on this machine. `lead` are the tokens it wants before any text; `identity` is its weights'."""

    bundle: Bundle
    folder: Path
    lead: tuple[int, ...]
    identity: str


def fetch_material(model: str, report: Report) -> Material:
    """Find a model by its bundle's name or its folder, and fetch it where it is not here yet."""
    bundle = find_bundle(model)

    def passed_on(progress: Progress) -> None:
        report(progress.stage, progress.done, progress.total)

    folder = ready_folder(bundle, passed_on)
    return Material(bundle, folder, lead_of(folder), weights_identity(folder))


def lead_of(folder: Path) -> tuple[int, ...]:
    """Return what the model's tokenizer puts before every text."""
    from tokenizers import Tokenizer

    return tuple(Tokenizer.from_file(str(folder / "tokenizer.json")).encode("").ids)


def open_corpus(folder: Path, material: Material) -> Corpus:
    """Open a corpus; raise `TrainingError` when its ids are those of another tokenizer."""
    corpus = Corpus.open(folder)
    here = hashlib.sha256((material.folder / "tokenizer.json").read_bytes()).hexdigest()
    if corpus.tokenizer_sha256 not in ("", here):
        raise TrainingError(
            f"{folder} was made with another tokenizer than {material.bundle.name}'s; make it again with: "
            f"greencode train corpus --model {material.bundle.name}"
        )
    return corpus


def split_windows(corpus: Corpus, split: str, choice: Choice) -> list[Window]:
    """Return windows of a split."""
    return choose_windows(list(corpus.files(split)), corpus.file_packages(split).tolist(), choice)


def training_windows(corpus: Corpus, choice: Choice, validation_tokens: int) -> tuple[list[Window], list[Window]]:
    """Return windows to train on, and windows of other files of the same split to choose checkpoints by."""
    files, packages = list(corpus.files("train")), corpus.file_packages("train").tolist()
    learned, kept = validation_split(len(files), choice.seed)

    def windows(numbers: Sequence[int], asked: Choice) -> list[Window]:
        return choose_windows([files[number] for number in numbers], [packages[number] for number in numbers], asked)

    return windows(learned, choice), windows(kept, replace(choice, max_tokens=validation_tokens))


def validation_split(files: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the numbers of the files to train on and of those kept, of each at least one."""
    if files < 2:
        raise TrainingError("the corpus has fewer than two training files; build a larger one")
    order: NDArray[Any] = np.random.default_rng((seed, files)).permutation(files)
    kept = max(1, files // VALIDATION_FILES)
    return sorted(order[kept:].tolist()), sorted(order[:kept].tolist())
