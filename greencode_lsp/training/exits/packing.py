"""Raw text packed to a context: files behind one another, each ended by the model's own mark, cut into equal texts."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.training.errors import TrainingError


class PackedTexts:
    """Texts of `context` tokens, in another order in every epoch; the last, unfilled one is left out.

    Every text begins with `lead`, where the model wants one; `ending` follows every file.
    """

    def __init__(
        self,
        files: Sequence[NDArray[Any]],
        tokens: int,
        context: int,
        lead: Sequence[int],
        ending: Sequence[int],
        seed: int,
    ) -> None:
        self._lead, self._ending = list(lead), np.asarray(list(ending), np.int64)
        self._body, self._seed = context - len(self._lead), seed
        self._files = self._first(files, tokens)
        self.texts = sum(len(file) + len(self._ending) for file in self._files) // self._body
        if not self.texts:
            raise TrainingError(f"the corpus does not fill one text of {context} tokens; build a larger one")
        self._stream = lru_cache(maxsize=2)(self._packed)

    def text(self, epoch: int, index: int) -> Tensor:
        """Return text `index` of an epoch: [context]."""
        body = self._stream(epoch)[index * self._body : (index + 1) * self._body]
        return torch.from_numpy(np.concatenate((np.asarray(self._lead, np.int64), body)))

    def _first(self, files: Sequence[NDArray[Any]], tokens: int) -> list[NDArray[Any]]:
        """Return files in a random order until there are so many tokens."""
        chosen: list[NDArray[Any]] = []
        for index in np.random.default_rng(self._seed).permutation(len(files)):
            if tokens <= 0:
                break
            chosen.append(files[index][:tokens])
            tokens -= len(chosen[-1])
        return chosen

    def _packed(self, epoch: int) -> NDArray[np.int64]:
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._files))
        return np.concatenate([part.astype(np.int64) for index in order for part in (self._files[index], self._ending)])
