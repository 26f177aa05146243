"""How good every exit is, measured over windows of held-out code: what decides where exits pay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine import Runner
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.runner import Reader
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.texts import Window

READ_ROWS = 256

PRECISION = 0.99


@dataclass(frozen=True)
class ExitQuality:
    """What reading at one depth is worth.

    agreement: share of tokens on which it says what full depth says. accuracy: share on which it says what came.
    perplexity: of what came. sure_share: the largest share of tokens, its surest first, of which 99 % agree.
    """

    depth: int
    agreement: float
    accuracy: float
    perplexity: float
    sure_share: float


@dataclass
class Tally:
    """Sums over rows at one depth."""

    loss: float = 0.0
    right: int = 0
    agrees: list[Tensor] = field(default_factory=list)
    sureness: list[Tensor] = field(default_factory=list)

    def add(self, logits: Tensor, full: Tensor, true: Tensor) -> None:
        """Count rows. Shapes: logits [rows, vocabulary], full and true [rows]."""
        scores = logits.float().log_softmax(dim=-1)
        best, token = scores.max(dim=-1)
        self.loss += float(functional.nll_loss(scores, true, reduction="sum"))
        self.right += int((token == true).sum())
        self.agrees.append((token == full).cpu())
        self.sureness.append(best.cpu())

    def quality(self, depth: int) -> ExitQuality:
        """Return the means."""
        agrees = torch.cat(self.agrees)[torch.cat(self.sureness).argsort(descending=True, stable=True)]
        rows = len(agrees)
        precise = (agrees.cumsum(0) >= PRECISION * torch.arange(1, rows + 1)).nonzero()
        return ExitQuality(
            depth=depth,
            agreement=float(agrees.float().mean()),
            accuracy=self.right / rows,
            perplexity=float(torch.tensor(self.loss / rows).exp()),
            sure_share=float(precise.max() + 1) / rows if len(precise) else 0.0,
        )


@torch.inference_mode()
def measure_curves(
    runner: Runner,
    exits: Sequence[int],
    heads: Mapping[int, ExitHead],
    windows: Sequence[Window],
    lead: Sequence[int],
    report: Report,
) -> list[ExitQuality]:
    """Return the quality of every exit and, last, of full depth; exits without a head are read as full depth is."""
    readers: list[Reader] = [runner.reader(heads.get(depth)) for depth in exits]
    tallies = [Tally() for _ in (*exits, runner.shape.layers)]
    for index, window in enumerate(windows):
        report("measuring exits", index, len(windows))
        observed = observe(runner, window.ids, exits, lead)
        for start in range(0, len(observed.true), READ_ROWS):
            rows = slice(start, start + READ_ROWS)
            true, final = observed.true[rows], runner.logits(observed.final[rows])
            full = final.argmax(dim=-1)
            for column, (reader, tally) in enumerate(zip(readers, tallies, strict=False)):
                tally.add(reader.logits(observed.hidden[rows, column]), full, true)
            tallies[-1].add(final, full, true)
    depths = (*exits, runner.shape.layers)
    return [tally.quality(depth) for depth, tally in zip(depths, tallies, strict=True)]
