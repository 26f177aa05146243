"""What a piece of work costs: joules per layer and per head run, calibrated on this machine."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from greencode_lsp.reading import parse_json

PREFILL_CHUNK_ROWS = 256


@dataclass(frozen=True)
class Work:
    """What was run: `layer_runs[layers, rows]` and `head_runs[rows]` say how often."""

    layer_runs: Mapping[tuple[float, int], int] = field(default_factory=dict)
    head_runs: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: Work) -> Work:
        return Work(
            layer_runs=Counter(self.layer_runs) + Counter(other.layer_runs),
            head_runs=Counter(self.head_runs) + Counter(other.head_runs),
        )


def full_depth(layers: int, prompt_rows: int, new_tokens: int, unread_share: float = 1.0) -> Work:
    """List what a completion runs where nothing exits early.

    One prefill of `prompt_rows` (those not reused from the last request) in chunks of 256 rows, the head once, then one
    row through all layers and the head for each further token. A row of the prompt that is not the last one costs
    `unread_share` of what others do in the last layer: nobody reads what that makes of it but its keys and values.
    """
    steps = max(new_tokens - 1, 0)
    chunks, rest = divmod(max(prompt_rows - 1, 0), PREFILL_CHUNK_ROWS)
    layer_runs: Counter[tuple[float, int]] = Counter()
    unread = layers - 1 + unread_share
    layer_runs[unread, PREFILL_CHUNK_ROWS] += chunks
    # The last row runs beside the rest of them, or alone.
    layer_runs[unread if rest else layers, rest + 1] += prompt_rows > 0
    layer_runs[1 - unread_share, 1] += rest > 0 and unread_share < 1
    layer_runs[layers, 1] += steps
    return Work(layer_runs=+layer_runs, head_runs=+Counter({1: steps + (prompt_rows + new_tokens > 0)}))


@dataclass(frozen=True)
class CostTable:
    """Joules of one layer, and of the LM head, over `rows[i]` rows at once, as `source` measured them.

    `rows` ascends. More rows never cost less: where readings contradict that, they are averaged (`non_decreasing`).
    """

    rows: tuple[int, ...]
    layer_joules: tuple[float, ...]
    head_joules: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.layer_joules) == len(self.head_joules) > 0:
            raise ValueError("a cost table needs one layer and one head figure for each row count")
        if not all(map(math.isfinite, self.layer_joules + self.head_joules)):
            raise ValueError("the joules of a cost table must be finite")
        if list(self.rows) != sorted({row for row in self.rows if row > 0}):
            raise ValueError("the row counts of a cost table must be positive and ascend")
        for name in ("layer_joules", "head_joules"):
            object.__setattr__(self, name, non_decreasing([max(joules, 0.0) for joules in getattr(self, name)]))

    def joules(self, work: Work) -> float:
        """Joules of `work`, linear in rows between the calibrated points and beyond them."""
        in_layers = sum(
            count * layers * _interpolate(self.rows, self.layer_joules, rows)
            for (layers, rows), count in work.layer_runs.items()
        )
        in_head = sum(count * _interpolate(self.rows, self.head_joules, rows) for rows, count in work.head_runs.items())
        return in_layers + in_head

    def to_json(self) -> str:
        """Write the table as a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CostTable:
        """Read what `to_json` wrote; raises ValueError where it is something else."""
        try:
            data = parse_json(text)
            return cls(
                rows=tuple(int(row) for row in data["rows"]),
                layer_joules=tuple(float(joules) for joules in data["layer_joules"]),
                head_joules=tuple(float(joules) for joules in data["head_joules"]),
                source=str(data["source"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"not a cost table: {error!r}") from error


def non_decreasing(values: Sequence[float], weights: Sequence[float] | None = None) -> tuple[float, ...]:
    """Return the values that never decrease and are nearest to `values` (isotonic regression, least squares).

    Neighbours in the wrong order are replaced by their mean, as often as needed (pool adjacent violators; Barlow et
    al., Statistical Inference under Order Restrictions, 1972). `weights` are positive, 1 each by default. Raises
    ValueError where there are not as many weights as values.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, number of values
    for value, weight in zip(values, weights or [1.0] * len(values), strict=True):
        mean, total, count = value, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_count = pools.pop()
            mean = (other * other_weight + mean * total) / (other_weight + total)
            total, count = other_weight + total, other_count + count
        pools.append((mean, total, count))
    return tuple(mean for mean, _, count in pools for _ in range(count))


def _interpolate(rows: Sequence[int], joules: Sequence[float], row: int) -> float:
    """Joules at `row` on the line through the two nearest points; below the first point towards its fixed cost."""
    if len(rows) == 1:
        return joules[0] * max(row / rows[0], 1.0)
    right = min(max(bisect_right(rows, row), 1), len(rows) - 1)
    left = right - 1
    slope = (joules[right] - joules[left]) / (rows[right] - rows[left])
    return max(joules[left] + slope * (row - rows[left]), 0.0)
