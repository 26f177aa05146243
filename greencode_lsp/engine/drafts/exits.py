"""How many drafts to make before verifying them: as many as pay, none where exits hardly ever agree with full depth."""

from greencode_lsp.engine.model import FEW_ROWS, EarlyExitModel

DRAFT_CAP = FEW_ROWS
"""Drafts that wait for verification at most."""

PROBE_EVERY = 32
"""Tokens between two single drafts where drafting does not pay. A probe costs one run of the head."""

MARGIN = 1.1
"""Expected speed from which drafting pays: a pass of its own for every draft takes more time than its bytes say."""

MEMORY = 0.9
"""Weight of the past in the running means."""


class Drafting:
    """Learns how often drafts agree, and weighs what they cost by the bytes of weights they stream."""

    def __init__(self, model: EarlyExitModel) -> None:
        runner = model.backbone
        layer = runner.layer_bytes(0)
        self._layers, self._run_prices = model.layers, model.run_prices
        self._head = runner.head_bytes() / layer if layer else 0.0
        self._reading = max(map(model.reading_layers, range(max(len(model.segments) - 1, 1))))
        self._agreement = 0.5
        self._depth = float(model.segments[0].stop)
        self._since_probe = PROBE_EVERY

    def limit(self) -> int:
        """Return how many drafts to make now; 0 means to go to full depth without looking at exits."""
        best = max(range(2, DRAFT_CAP + 1), key=self.speed)
        if self.speed(best) > MARGIN:
            return best
        if self._since_probe >= PROBE_EVERY:
            return 1
        return 0

    def speed(self, drafts: int) -> float:
        """Return the expected tokens per cost of making that many drafts, relative to full depth without any."""
        agreed = min(self._agreement, 0.999)
        tokens = (1 - agreed**drafts) / (1 - agreed)
        shallow = drafts * (self._depth + self._reading)
        deep = (self._layers - self._depth + self._head) * self._run_prices[drafts - 1]
        return tokens * (self._layers + self._head) / (shallow + deep)

    def passed(self) -> None:
        """Note a token decoded without drafting."""
        self._since_probe += 1

    def verified(self, depths: list[int], agreed: int) -> None:
        """Note that of the drafts judged, read at these depths, the first `agreed` were right."""
        if depths:
            self._since_probe = 0
        for index, depth in enumerate(depths):
            self._agreement = MEMORY * self._agreement + (1 - MEMORY) * (index < agreed)
            self._depth = MEMORY * self._depth + (1 - MEMORY) * depth
