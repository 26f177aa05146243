"""The record of a training: one JSON line a measurement, and TensorBoard's curves where it is installed."""

import json
import logging
from pathlib import Path
from typing import Any

from greencode_lsp.files import replace_file
from greencode_lsp.training.traces.shards import disk_errors

log = logging.getLogger(__name__)


class Journal:
    """Appends measurements of a run in `folder`; those an earlier run made after step `resumed` are dropped."""

    def __init__(self, folder: Path, resumed: int) -> None:
        self.path = folder / "journal.jsonl"
        with disk_errors(folder):
            kept = [line for line in self._lines() if line["step"] <= resumed]
            replace_file(self.path, b"".join(json.dumps(line).encode() + b"\n" for line in kept))
        self._board = open_board(folder / "tensorboard", resumed)

    def write(self, kind: str, step: int, values: dict[str, float]) -> None:
        """Record values measured after `step` steps."""
        with disk_errors(self.path.parent), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Write what TensorBoard still holds."""
        if self._board is not None:
            self._board.close()

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = []
        for text in self.path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:  # the last line of a killed run
                continue
        return lines


def open_board(folder: Path, resumed: int) -> Any:
    """Return TensorBoard's writer, None where it is not installed, which is said once."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.warning("no curves for TensorBoard: pip install tensorboard to have them; journal.jsonl has the numbers")
        return None
    return SummaryWriter(folder, purge_step=resumed + 1)
