"""What the number format that a model runs in costs: next tokens, by packed weights and by plain bfloat16 ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from greencode_lsp.engine import Runner, load_backbone, load_runner
from greencode_lsp.engine.adapters import ADAPTERS_FILE
from greencode_lsp.paths import made_folder
from greencode_lsp.training.material import Material
from greencode_lsp.training.progress import Report
from greencode_lsp.training.traces.observe import observe
from greencode_lsp.training.traces.texts import Window

READ_ROWS = 256


@dataclass(frozen=True)
class FormatQuality:
    """How two runners of one model do on the same tokens.

    `right` is the share of tokens on which the runner says what came, `right_plain` the same for the plain one, and
    `agreement` the share on which both say the same.
    """

    tokens: int
    right: float
    right_plain: float
    agreement: float

    @property
    def points_lost(self) -> float:
        """By how many percentage points the runner is less often right."""
        return 100 * (self.right_plain - self.right)


def load_both(material: Material, device: str) -> tuple[Runner, Runner]:
    """Load a model as it runs on a device, and on a plain bfloat16 backbone; raise `EngineError` in one line."""
    path = material.bundle.folder / ADAPTERS_FILE
    adapters = path if path.is_file() else None
    runner = load_runner(material.folder, device, made_folder("packed"), adapters)
    return runner, load_backbone(material.folder, device, torch.bfloat16, adapters)


@torch.inference_mode()
def compare_formats(
    runner: Runner, plain: Runner, windows: Sequence[Window], lead: Sequence[int], report: Report
) -> FormatQuality:
    """Run both over the same windows, and choose tokens as decoding does."""
    right = right_plain = same = tokens = 0
    for index, window in enumerate(windows):
        report("comparing", index, len(windows))
        one, other = (observe(each, window.ids, (), lead) for each in (runner, plain))
        for start in range(0, len(one.true), READ_ROWS):
            rows = slice(start, start + READ_ROWS)
            true = one.true[rows].cpu()
            said = runner.reader().likeliest(one.final[rows])[0]
            plainly = plain.reader().likeliest(other.final[rows])[0]
            right += int((said == true).sum())
            right_plain += int((plainly == true).sum())
            same += int((said == plainly).sum())
        tokens += len(one.true)
    return FormatQuality(tokens, right / tokens, right_plain / tokens, same / tokens)
