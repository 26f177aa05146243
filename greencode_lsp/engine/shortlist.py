"""What an exit with a shortlist chooses among: tokens that are frequent in code, and the words of the text at hand.

Names come back. Of what full depth says and a shortlist of frequent tokens lacks, most stands in the text already, and
a text has few such tokens. So a shortlist's part of the head has room for them, and is given the rows they need.
"""

from collections.abc import Mapping, Sequence, Set

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Linear
from greencode_lsp.engine.exits import ExitHead

ROOM = 256
"""Tokens of a text that are read beside a shortlist. Files of code had a median of 7 that 8,192 lack, at most 77."""


def listed_by(heads: Mapping[int, ExitHead]) -> frozenset[int] | None:
    """Return the ids on the shortlist that heads share, None where they read the whole vocabulary."""
    shortlist = next((head.shortlist for head in heads.values() if head.shortlist is not None), None)
    return None if shortlist is None else frozenset(shortlist.tolist())


def words_of(tokens: Sequence[int], listed: Set[int] | None) -> tuple[int, ...]:
    """Return the tokens of a text that are not listed, of more than `ROOM` the latest, in the order of their ids."""
    if listed is None:
        return ()
    latest_first = dict.fromkeys(reversed(tokens))
    return tuple(sorted([token for token in latest_first if token not in listed][:ROOM]))


class PartOfHead:
    """The rows of a head that read a shortlist, ids [tokens], and room for the words of a text.

    Shapes: ids [tokens + ROOM], linear's weight [tokens + ROOM, hidden] and bias [tokens + ROOM], which keeps what has
    no word yet from being chosen. All stay where they are in memory.
    """

    def __init__(self, head: Linear, shortlist: Tensor) -> None:
        self.asked = shortlist  # kept, for parts are found by where it lies
        self._head, self._size = head, len(shortlist)
        self._words: tuple[int, ...] = ()
        self.ids = torch.cat((shortlist, shortlist[:1].expand(ROOM))).to(head.weight.device)
        bias = head.weight.new_zeros(len(self.ids)) if head.bias is None else head.bias[self.ids]
        bias[self._size :] = -torch.inf
        self.linear = Linear(head.weight[self.ids], bias)

    @property
    def byte_count(self) -> int:
        """Bytes of weights that the shortlist's rows are; those of a text's few words are not counted."""
        return self.linear.weight[: self._size].nbytes

    def take(self, words: tuple[int, ...]) -> None:
        """Read these tokens, at most `ROOM`, beside the shortlist."""
        if words == self._words:
            return
        ids, linear, bias = torch.tensor(words, dtype=torch.long), self.linear, self.linear.bias
        assert bias is not None, "it masks"
        taken = slice(self._size, self._size + len(words))
        self.ids[taken] = ids = ids.to(self.ids.device)
        linear.weight[taken] = self._head.weight[ids]
        bias[self._size :] = -torch.inf
        bias[taken] = 0.0 if self._head.bias is None else self._head.bias[ids]
        self._words = words
