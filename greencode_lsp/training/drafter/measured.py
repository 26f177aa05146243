"""Measuring how often a drafter is right, and how sure it is where it is."""

from collections.abc import Mapping, Sequence

import torch

from greencode_lsp.engine import Runner
from greencode_lsp.engine.drafts.drafter import Drafter
from greencode_lsp.training.drafter.finals import finals_of
from greencode_lsp.training.errors import TrainingError
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.texts import Window

CLASSES = 10
"""Drafts are told apart by how likely they are called: under 10 %, 10 to 20 %, ..."""


@torch.inference_mode()
def measure_drafter(
    runner: Runner, drafter: Drafter, windows: Sequence[Window], lead: Sequence[int], report: Report
) -> Mapping[str, float]:
    """Draft behind every token of texts; return how often a draft is what full depth says, by how likely it is called.

    The drafter is given the words of no text, so that it is right a little more often where it works.
    """
    made, right = [0] * CLASSES, [0] * CLASSES
    for index, window in enumerate(windows):
        report("measuring", index, len(windows))
        rows = finals_of(runner, window, lead, index)
        said = runner.reader().likeliest(rows.final.to(runner.dtype))[0].tolist()
        for row in range(len(said) - 1):
            draft = drafter.draft(rows.final[row : row + 1], int(rows.true[row]), ())
            place = min(int(draft.probability * CLASSES), CLASSES - 1)
            made[place] += 1
            right[place] += draft.id == said[row + 1]
    if not sum(made):
        raise TrainingError("no text has three tokens; give more --check-tokens")
    shares = {f"right_{place * 100 // CLASSES}": right[place] / made[place] for place in range(CLASSES) if made[place]}
    return {"tokens": sum(made), "agreement": sum(right) / sum(made), **shares}
