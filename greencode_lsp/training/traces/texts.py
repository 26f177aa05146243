"""Which stretches of a corpus are read: a few windows from each file, so that many files speak."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.errors import TrainingError

CONTEXT = 1024


@dataclass(frozen=True)
class Window:
    """Neighbouring tokens of one file: the file's number within its split, and where in it `ids` begin.

    `before` are tokens of the same text that are read first and not observed.
    """

    package: int
    file: int
    start: int
    ids: NDArray[Any]
    before: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int64))

    def read_by(self, row: int) -> list[int]:
        """Return the tokens of this text up to a row of `ids`, that row's own among them."""
        return [*map(int, self.before), *map(int, self.ids[: row + 1])]


@dataclass(frozen=True)
class Choice:
    """How windows are chosen: tokens in all, tokens of one window, windows of one file, and the seed of the order."""

    max_tokens: int
    context: int = CONTEXT
    windows_per_file: int = 2
    seed: int = 0


def choose_windows(files: Sequence[NDArray[Any]], packages: Sequence[int], choice: Choice) -> list[Window]:
    """Return windows of files in a random order, those of one file behind one another and in reading order.

    Which part of a longer file is read is random too, or beginnings would be all that is learned. Every window has at
    least two tokens: one to read and one to predict. Raises `TrainingError` when there are none.
    """
    rng = np.random.default_rng(choice.seed)
    chosen: list[Window] = []
    tokens = 0
    for file in rng.permutation(len(files)):
        ids = files[file]
        room = max(len(ids) - choice.windows_per_file * choice.context, 0)
        first = int(rng.integers(0, room // choice.context + 1)) * choice.context
        for start in range(first, len(ids), choice.context)[: choice.windows_per_file]:
            piece = ids[start : start + min(choice.context, choice.max_tokens - tokens)]
            if len(piece) < 2:
                break
            chosen.append(Window(int(packages[file]), int(file), start, piece))
            tokens += len(piece)
    if not chosen:
        raise TrainingError("the corpus has no file of two tokens in this split; build a larger one")
    return chosen
