"""Which part of the vocabulary exits read: the tokens that are most frequent in a corpus (see `engine.exits`)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Norm
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.training.corpus.reader import Corpus
from greencode_lsp.training.errors import TrainingError


def frequent_tokens(corpus: Corpus, vocabulary: int, size: int) -> Tensor:
    """Return the ids [size] that are most frequent in a corpus' training split, the most frequent first."""
    if not 0 < size < vocabulary:
        raise TrainingError(f"a shortlist of {size} tokens: give at least 1, and fewer than the model's {vocabulary}")
    counts = np.zeros(vocabulary, np.int64)
    for ids in corpus.files("train"):
        counts += np.bincount(ids, minlength=vocabulary)
    return torch.from_numpy(np.argsort(-counts, kind="stable")[:size].copy())


def share_covered(corpus: Corpus, split: str, ids: Tensor) -> float:
    """Return the share of a split's tokens that a shortlist, ids [size], holds."""
    inside = np.zeros(corpus.vocabulary, bool)
    inside[ids.numpy()] = True
    tokens = corpus.tokens(split)
    return sum(int(inside[file].sum()) for file in corpus.files(split)) / tokens if tokens else 0.0


def with_shortlist(heads: Mapping[int, ExitHead], ids: Tensor, final_norm: Norm, layers: int) -> dict[int, ExitHead]:
    """Give heads a shortlist, ids [size], and with them the exit at full depth that it makes possible."""
    return {depth: replace(head, shortlist=ids) for depth, head in {**heads, layers: ExitHead(final_norm)}.items()}
