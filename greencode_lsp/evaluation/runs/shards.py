"""Which part of the examples this process runs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from greencode_lsp.evaluation.errors import EvaluationError


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count` parts."""

    index: int = 0
    count: int = 1

    def file(self, path: Path) -> Path:
        """Return the file of this part's results, beside those of the others."""
        if self.count == 1:
            return path
        return path.with_name(f"{path.stem}.{self.index + 1}-of-{self.count}{path.suffix}")


def parse_shard(text: str) -> Shard:
    """Read I/N, I from 1; raise `EvaluationError`."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise EvaluationError(f"--shard takes I/N with I from 1 to N, not {text!r}")
    return Shard(int(match[1]) - 1, int(match[2]))


def launched_shard(environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the part that `accelerate launch` (or torchrun) gave this process; all of it without them."""
    try:
        index, count = int(environment.get("RANK", 0)), int(environment.get("WORLD_SIZE", 1))
    except ValueError:
        return Shard()
    return Shard(index, count) if 0 <= index < count else Shard()


def local_rank(environment: Mapping[str, str] = os.environ) -> int:
    """Return which of this machine's GPUs a launched process should take."""
    rank = environment.get("LOCAL_RANK", "0")
    return int(rank) if rank.isdecimal() else 0
