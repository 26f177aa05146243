"""Dropping files that are in the corpus already, word for word or nearly so (MinHash, datasketch)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from greencode_lsp.training.corpus.lexing import Values, grams

PERMUTATIONS = 128
SHINGLE = 5
THRESHOLD = 0.7

_SCHEME = "affine32"

Signature = NDArray[np.uint32]


def signature_of(values: Values) -> Signature:
    """Return the MinHash of a file's runs of five lexical tokens. Shape: [128]."""
    from datasketch import MinHash

    shingles = np.unique(grams(values, SHINGLE) >> np.uint64(32))
    minhash = MinHash(num_perm=PERMUTATIONS, hashfunc=int, scheme=_SCHEME)
    minhash.update_batch(shingles.tolist())
    return np.asarray(minhash.hashvalues, dtype=np.uint32)


class Deduplicator:
    """Remembers files; of a group of duplicates the first one asked about stays."""

    def __init__(self) -> None:
        from datasketch import MinHashLSH

        self._digests: set[str] = set()
        self._near: Any = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
        self._signatures: list[Signature] = []

    def duplicate(self, digest: str, signature: Signature) -> str | None:
        """Return what kind of duplicate a file is, in the words of the corpus's counts; remember it when it is none."""
        from datasketch import MinHash

        if digest in self._digests:
            return "exact duplicate"
        self._digests.add(digest)
        minhash = MinHash(num_perm=PERMUTATIONS, hashvalues=signature, hashfunc=int, scheme=_SCHEME)
        for other in self._near.query(minhash):
            # LSH proposes; the signatures decide.
            if np.mean(self._signatures[other] == signature) >= THRESHOLD:
                return "near duplicate"
        self._near.insert(len(self._signatures), minhash)
        self._signatures.append(signature)
        return None
