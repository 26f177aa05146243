"""Token healing: a prompt may end in the middle of what the model knows as one token.

After `    ` a tokenizer-trained model expects ` return` with three blanks before it, and after `retur` it has
never seen an `n` alone. So the last piece of the prompt is taken back and the model may only say texts that
begin with it. (The idea is guidance's; here the constraint may span several tokens.)
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from greencode_lsp.completion.tokenizer import CodeTokenizer


@dataclass(frozen=True)
class HealedPrompt:
    """Token ids to continue, and the bytes the continuation has to begin with."""

    ids: list[int]
    required: bytes


class TokenHealer:
    """Takes back the last piece of a prompt and says which tokens may follow."""

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer
        # Neither a cache of the class nor one that leads back to this healer: a model must go with its last reference.
        self._starting = lru_cache(maxsize=256)(TokensInOrder(tokenizer).starting)

    def heal(self, ids: Sequence[int]) -> HealedPrompt:
        """Take back the blanks and line breaks at the end, which group by what follows, or else the last word.

        At least one token stays, for there must be something to continue.
        """
        kept = list(ids)
        while self._may_go(kept) and not self._piece(kept[-1]).strip():
            kept.pop()
        if len(kept) == len(ids):
            while self._may_go(kept):
                taken = self._piece(kept.pop())
                if not (kept and continues_word(self._piece(kept[-1]), taken)):
                    break
        return HealedPrompt(kept, b"".join(self._piece(id) for id in ids[len(kept) :]))

    def allowed(self, required: bytes, generated: Sequence[int]) -> Tensor | None:
        """Return the ids that may follow the generated ones, sorted; None once the requirement is met."""
        for id in generated:
            required = required[len(self._piece(id)) :]
            if not required:
                return None
        return self._starting(required) if required else None

    def _piece(self, id: int) -> bytes:
        return self._tokenizer.token_bytes[id]

    def _may_go(self, kept: Sequence[int]) -> bool:
        return len(kept) > 1 and kept[-1] not in self._tokenizer.special_ids


class TokensInOrder:
    """The tokens of a vocabulary in the order of their bytes."""

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer

    def starting(self, required: bytes) -> Tensor:
        """Return the ids of tokens that begin with these bytes, or that these bytes begin with."""
        pieces, ids = self._sorted
        low = bisect_left(pieces, required)
        high = bisect_left(pieces, required + b"\xff" * 8)
        found = set(ids[low:high])
        for length in range(1, len(required)):
            place = bisect_left(pieces, required[:length])
            while place < len(pieces) and pieces[place] == required[:length]:
                found.add(ids[place])
                place += 1
        return torch.tensor(sorted(found))

    @cached_property
    def _sorted(self) -> tuple[list[bytes], list[int]]:
        special = self._tokenizer.special_ids
        pairs = sorted((piece, id) for id, piece in enumerate(self._tokenizer.token_bytes) if id not in special)
        return [piece for piece, _ in pairs], [id for _, id in pairs]


def continues_word(left: bytes, right: bytes) -> bool:
    """Say whether two neighbouring pieces belong to one word."""
    return left[-1:].isalnum() and right[:1].isalnum()
