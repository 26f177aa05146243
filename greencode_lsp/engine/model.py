"""A backbone cut at its exits: what runs between two exits, and how each exit is read."""

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor

from greencode_lsp.engine.errors import EngineError
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.runner import Runner


class EarlyExitModel:
    """A backbone with exits after some of its layers.

    `exits` are depths counted in layers done, 1-based: exit 12 of 30 lies behind the twelfth layer.
    Segment `s` runs the layers between exit `s - 1` and exit `s`; the last segment ends at full depth.
    `heads` are those of exits that were trained; an exit without one is read as full depth is.
    """

    def __init__(
        self, backbone: Runner, exits: tuple[int, ...] = (), heads: Mapping[int, ExitHead] | None = None
    ) -> None:
        layers = backbone.shape.layers
        bounds = (0, *exits, layers)
        if any(low >= high for low, high in pairwise(bounds)):
            raise EngineError(f"exits {list(exits)} must rise strictly and lie between 1 and {layers - 1}")
        self.backbone, self.heads = backbone, dict(heads or {})
        if strangers := sorted(self.heads.keys() - set(exits)):
            raise EngineError(f"there are heads for exits {strangers}, and the model's exits are {list(exits)}")
        self.segments = tuple(range(low, high) for low, high in pairwise(bounds))
        self._readers = tuple(backbone.reader(self.heads.get(segment.stop)) for segment in self.segments)
        layer_bytes = backbone.layer_bytes(0)
        self._translator_layers = tuple(reader.translator_bytes / layer_bytes for reader in self._readers)

    @property
    def layers(self) -> int:
        """Full depth."""
        return self.backbone.shape.layers

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

    def read(self, segment: int, hidden: Tensor) -> Tensor:
        """Return the logits [rows, vocabulary] of hidden states [rows, hidden] that leave this segment."""
        return self._readers[segment].logits(hidden)

    def most_likely(self, segment: int, hidden: Tensor) -> Tensor:
        """Return the most likely tokens [rows] behind hidden states [rows, hidden] that leave this segment.

        Cheaper than the logits. Raises `NumericalError` where no logit is a number.
        """
        return self._readers[segment].most_likely(hidden)
