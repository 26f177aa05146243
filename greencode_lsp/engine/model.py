"""A backbone cut at its exits: what runs between two exits, and how each exit is read."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor

from greencode_lsp.engine.drafts.drafter import DraftNetwork
from greencode_lsp.engine.drafts.ngrams import NgramTable
from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.kv_map import Filling, KvMap
from greencode_lsp.engine.runner import Runner
from greencode_lsp.engine.shortlist import listed_by, words_of

ROW_PRICE = 0.15
"""What a further row adds to a run of few rows, as a share of the first, which streams the weights; until measured."""

FEW_ROWS = 8
"""Rows of the runs that drafts are verified in, at most."""


class EarlyExitModel:
    """A backbone with exits after some of its layers.

    `exits` are depths counted in layers done, 1-based: exit 12 of 30 lies behind the twelfth layer.
    Segment `s` runs the layers between exit `s - 1` and exit `s`; the last segment ends at full depth.
    `heads` are those of exits that were trained; an exit without one is read as full depth is.
    An exit whose head has a shortlist may stand at full depth: behind it, the last segment has no layers, and what is
    read there is the whole head.
    `kv_maps` say what rows far above the cursor leave behind exits, where a request allows that; `fillings` are those
    that this runner computes, by depth.
    `ngrams` say what mostly follows in code, for guesses at the next tokens, and so does a `drafter`, where this runner
    computes the network.
    `run_prices[i]` is what a run with i further rows costs, in runs of one. It decides how much is drafted; whoever
    measures what rows cost on this machine sets it.
    """

    def __init__(
        self,
        backbone: Runner,
        exits: tuple[int, ...] = (),
        heads: Mapping[int, ExitHead] | None = None,
        kv_maps: Sequence[KvMap] = (),
        ngrams: NgramTable | None = None,
        network: DraftNetwork | None = None,
    ) -> None:
        self.backbone, self.heads, self.ngrams = backbone, dict(heads or {}), ngrams
        layers = backbone.shape.layers
        at_full_depth = self.heads.get(layers)
        deepest = layers - 1 if at_full_depth is None or at_full_depth.shortlist is None else layers
        if any(low >= high for low, high in pairwise((0, *exits, deepest + 1))):
            raise EngineError(f"exits {list(exits)} must rise strictly and lie between 1 and {deepest}")
        if strangers := sorted(self.heads.keys() - set(exits)):
            raise EngineError(f"there are heads for exits {strangers}, and the model's exits are {list(exits)}")
        self.segments = tuple(range(low, high) for low, high in pairwise((0, *exits, layers)))
        self._readers = tuple(backbone.reader(head) for head in (*map(self.heads.get, exits), None))
        layer_bytes = backbone.layer_bytes(0)
        self._translator_layers = tuple(reader.translator_bytes / layer_bytes for reader in self._readers)
        self._shortlist_layers = tuple(reader.shortlist_bytes / layer_bytes for reader in self._readers)
        self._head_layers = backbone.head_bytes() / layer_bytes
        self._listed = listed_by(self.heads)
        self.drafter = None if network is None else backbone.drafter(network)
        drafted_list = None if network is None else network.head.shortlist
        self._drafted = None if drafted_list is None else frozenset(drafted_list.tolist())
        drafted = self.drafter and self.drafter.network_bytes + self.drafter.shortlist_bytes
        self.draft_layers = (drafted or 0) / layer_bytes
        self.run_prices = tuple(1 + ROW_PRICE * further for further in range(FEW_ROWS))
        self.fillings: dict[int, Filling] = {}
        for found in kv_maps:
            if found.depth not in exits:
                raise EngineError(
                    f"keys and values are mapped behind layer {found.depth}, where no exit stands: {exits}"
                )
            if (filler := backbone.filler(found)) is not None:
                self.fillings[found.depth] = Filling(
                    exits.index(found.depth) + 1, filler, filler.map_bytes / layer_bytes, found.near
                )

    @property
    def layers(self) -> int:
        """Full depth."""
        return self.backbone.shape.layers

    @property
    def early_exits(self) -> tuple[int, ...]:
        """Depths of the exits that leave out layers."""
        return tuple(segment.stop for segment in self.segments if segment.stop < self.layers)

    @property
    def last(self) -> int:
        """Index of the last segment, whose end is full depth."""
        return len(self.segments) - 1

    def depth(self, segment: int) -> int:
        """Return how many layers a row has done when it leaves this segment."""
        return self.segments[segment].stop

    def translator_layers(self, segment: int) -> float:
        """Return what reading behind this segment costs before the head, as a share of a layer, by bytes of weights."""
        return self._translator_layers[segment]

    def shortlist_layers(self, segment: int) -> float:
        """Return what reading a shortlist behind this segment costs in place of the head; 0 where it has none."""
        return self._shortlist_layers[segment]

    def reading_layers(self, segment: int) -> float:
        """Return what choosing a token behind this segment costs in all, in layers by bytes of weights."""
        return self.translator_layers(segment) + (self.shortlist_layers(segment) or self._head_layers)

    def price(self, segment: int) -> float:
        """Return what a token that is read behind this segment costs, as a share of one at full depth."""
        return (self.depth(segment) + self.reading_layers(segment)) / (self.layers + self._head_layers)

    @property
    def unread_share(self) -> float:
        """What a row costs in the last layer where nobody looks at it there, as a share of one that is read."""
        return self.backbone.unread_share

    @property
    def draft_price(self) -> float:
        """What the drafter costs for a token, as a share of one at full depth."""
        return self.draft_layers / (self.layers + self._head_layers)

    def read(self, segment: int, hidden: Tensor) -> Tensor:
        """Return the logits [rows, vocabulary] of hidden states [rows, hidden] that leave this segment."""
        return self._readers[segment].logits(hidden)

    def words_of(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return the tokens of a text that its exits are to read beside their shortlist; none where they have none."""
        return words_of(tokens, self._listed)

    def drafted_words(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """Return the tokens of a text that the drafter is to read beside its own shortlist."""
        return words_of(tokens, self._drafted)

    def likeliest(self, segment: int, hidden: Tensor, words: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """Return the most likely tokens [rows] behind hidden states [rows, hidden] that leave this segment.

        With them come their probabilities [rows], among the tokens of the exit's shortlist, where it has one, and the
        text's `words`. Cheaper than the logits. Raises `NumericalError` where no logit is a number.
        """
        return self._readers[segment].likeliest(hidden, words)

    def most_likely(self, segment: int, hidden: Tensor, words: tuple[int, ...] = ()) -> Tensor:
        """Return the most likely tokens alone."""
        return self.likeliest(segment, hidden, words)[0]
