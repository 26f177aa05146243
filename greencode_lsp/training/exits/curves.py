"""How good every exit is, measured over windows of held-out code: what decides where exits pay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from greencode_lsp.engine import Runner
from greencode_lsp.engine.exits import ExitHead
from greencode_lsp.engine.runner import Reader
from greencode_lsp.engine.shortlist import listed_by, words_of
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.record import READ_ROWS
from greencode_lsp.training.traces.texts import Window

PRECISION = 0.99


@dataclass(frozen=True)
class ExitQuality:
    """What reading at one depth is worth.

    agreement: share of tokens on which it says what full depth says. accuracy: share on which it says what came.
    perplexity: of what came, by the whole head. sure_share: the largest share of tokens, its surest first, of which
    99 % agree.
    """

    depth: int
    agreement: float
    accuracy: float
    perplexity: float
    sure_share: float


class Tally:
    """Sums over rows at one depth; room for all of them from the start, lest small pieces hold on to large ones."""

    def __init__(self, rows: int) -> None:
        self.loss, self.right, self.rows = 0.0, 0, 0
        self.agrees, self.sureness = torch.zeros(rows, dtype=torch.bool), torch.zeros(rows)

    def add(self, reader: Reader, hidden: Tensor, words: tuple[int, ...], full: Tensor, true: Tensor) -> None:
        """Read and count rows, with a text's words. Shapes: hidden [rows, hidden], full and true [rows]."""
        self.loss += float(functional.cross_entropy(reader.logits(hidden).float(), true, reduction="sum"))
        tokens, probabilities = reader.likeliest(hidden, words)
        self.right += int((tokens == true.cpu()).sum())
        rows = slice(self.rows, self.rows + len(true))
        self.agrees[rows], self.sureness[rows] = tokens == full, probabilities
        self.rows = rows.stop

    def quality(self, depth: int) -> ExitQuality:
        """Return the means."""
        rows = self.rows
        agrees = self.agrees[:rows][self.sureness[:rows].argsort(descending=True, stable=True)]
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
    readers: list[Reader] = [runner.reader(head) for head in (*map(heads.get, exits), None)]
    tallies, listed = [Tally(sum(len(window.ids) for window in windows)) for _ in readers], listed_by(heads)
    for index, window in enumerate(windows):
        report("measuring exits", index, len(windows))
        observed = observe(runner, window.ids, exits, lead)
        for start in range(0, len(observed.true), READ_ROWS):
            rows, words = slice(start, start + READ_ROWS), words_of(window.read_by(start), listed)
            states = [*observed.hidden[rows].unbind(1), observed.final[rows]]
            full, _ = readers[-1].likeliest(states[-1])
            for reader, hidden, tally in zip(readers, states, tallies, strict=True):
                tally.add(reader, hidden, words, full, observed.true[rows])
    depths = (*exits, runner.shape.layers)
    return [tally.quality(depth) for depth, tally in zip(depths, tallies, strict=True)]
