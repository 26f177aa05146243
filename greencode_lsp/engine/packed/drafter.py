"""A drafter in the kernel."""

from collections.abc import Callable

import torch
from torch import Tensor

from greencode_lsp.engine.drafts.drafter import Draft, DraftNetwork
from greencode_lsp.engine.packed.reader import PackedReader, coarse
from greencode_lsp.engine.packed.weights import PackedLinear, PackedWeights
from greencode_lsp.engine.threads import alone

PAYS_WITH = ("AVX-512 VNNI",)
"""Where rows beside others are cheap. With AVX2, by the prices of one machine, tokens cost as much with drafts as
without in `exact`, and 1 % more in `balanced`; on ARM nothing has been measured."""

MOST_ROWS = 4096
"""Tokens whose mapped rows are kept: a text says the same ones again, and one takes 2 KB of a model of 576."""


class PackedDrafter:
    """Computes a network by readers: two of `mapping` bring a state and a token together, `reader` reads what comes."""

    def __init__(
        self,
        weights: PackedWeights,
        network: DraftNetwork,
        mapping: Callable[[PackedLinear], PackedReader],
        reader: PackedReader,
    ) -> None:
        of_state, of_token = coarse(network.of_state), coarse(network.of_token)
        self._of_state, self._of_token, self._reader = mapping(of_state), mapping(of_token), reader
        self._head, self._mapped = weights.head, dict[int, Tensor]()
        self.network_bytes = of_state.weight.byte_count + of_token.weight.byte_count + reader.translator_bytes
        self.shortlist_bytes = reader.shortlist_bytes

    def draft(self, state: Tensor, token: int, words: tuple[int, ...]) -> Draft:
        """Say what mostly comes behind a token that was chosen by a state [1, hidden] at full depth."""
        mixed = self._of_state.logits(state)
        row = self._mapped_row(token)
        with alone():
            mixed = mixed + row
        ids, probabilities, made_up = self._reader.translated(mixed, words)
        return Draft(int(ids[0]), float(probabilities[0]), made_up)

    def _mapped_row(self, token: int) -> Tensor:
        if token not in self._mapped:
            if len(self._mapped) >= MOST_ROWS:
                self._mapped.clear()
            with alone():
                row = self._head.weight.rows(torch.tensor([token]))
            self._mapped[token] = self._of_token.logits(row)
        return self._mapped[token]
