"""The part of a packed head that reads a shortlist and the words of a text."""

import torch
from torch import Tensor

from greencode_lsp.engine.packed.packing import BLOCK
from greencode_lsp.engine.packed.structures import describe_linear
from greencode_lsp.engine.packed.weights import PackedHead
from greencode_lsp.engine.shortlist import ROOM
from greencode_lsp.engine.threads import alone


class PackedPart:
    """The blocks of a packed head that read a shortlist, ids [tokens], and room for the words of a text.

    `head` and `screen` describe them to the kernel, `tokens` is how many outputs of theirs are tokens, and ids
    [tokens + ROOM] say which. All stay where they are in memory.
    """

    def __init__(self, whole: PackedHead, shortlist: Tensor) -> None:
        self.asked = shortlist  # kept, for parts are found by where it lies
        self._whole, self._size = whole, len(shortlist)
        self._words: tuple[int, ...] = ()
        self._first = self._size // BLOCK * BLOCK  # the block in which words begin may hold some of the shortlist, too
        self.ids = torch.cat((shortlist, shortlist[:1].expand(ROOM)))
        self._part = whole.select(self.ids)
        self.head = describe_linear(self._part.head)
        self.screen = self.head if self._part.screen is None else describe_linear(self._part.screen)
        self.byte_count = self._part.byte_count * len(shortlist) // len(self.ids)  # a text's few words are not counted
        self._lay(self.ids[self._first : self._size])

    @property
    def tokens(self) -> int:
        """How many tokens are read."""
        return self._size + len(self._words)

    def take(self, words: tuple[int, ...]) -> None:
        """Read these tokens, at most `ROOM`, beside the shortlist."""
        if words == self._words:
            return
        with alone():
            self.ids[self._size : self._size + len(words)] = torch.tensor(words, dtype=torch.long)
            self._words = words
            self._lay(self.ids[self._first : self.tokens])

    def _lay(self, ids: Tensor) -> None:
        """Have these ids read from the first block with room on, and nothing behind them."""
        padded = 0
        if len(ids):
            fresh = self._whole.select(ids)
            padded = fresh.head.weight.outputs
            blocks = slice(self._first // BLOCK, (self._first + padded) // BLOCK)
            for mine, other in ((self._part.head, fresh.head), (self._part.screen, fresh.screen)):
                if mine is None or other is None:
                    continue
                mine.weight.codes[blocks] = other.weight.codes
                mine.weight.scales[blocks] = other.weight.scales
                if mine.bias is not None and other.bias is not None:
                    mine.bias[self._first : self._first + padded] = other.bias
        self.head.outputs = self.screen.outputs = self._first + padded
