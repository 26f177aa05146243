"""What calibration found: which threshold of a policy keeps the quality loss within which bound."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from greencode_lsp.files import replace_file
from greencode_lsp.policy.errors import PolicyError
from greencode_lsp.reading import read_json

FORMAT = 1
CALIBRATION_FILE = "calibration.json"
PROFILES = {"balanced": 0.01, "eco": 0.05}
"""The quality loss each profile may cost."""


@dataclass(frozen=True)
class Bound:
    """A bound on the quality loss, and the lowest threshold proven to keep it.

    `loss` is relative: the share of full depth's right next tokens that may get lost. `threshold` is None where no
    threshold was proven: every token goes to full depth then. `expected_loss` is the mean on the calibration projects
    and `upper_loss` its upper confidence limit, `mean_depth` counts layers, `saved` is the share of joules.
    All that is about exits; a map of keys and values after `fill` layers has a part of the bound, too, 0 for none.
    """

    loss: float
    threshold: float | None
    expected_loss: float
    upper_loss: float
    mean_depth: float
    saved: float
    fill: int = 0


@dataclass(frozen=True)
class ProvenMap:
    """A map of keys and values that bounds leave room for: its depth, its file, and how much of a bound it takes."""

    depth: int
    sha256: str
    upper_loss: float


@dataclass(frozen=True)
class Calibration:
    """The content of `calibration.json`.

    `confidence` is that of each bound on its own; `clusters` is how many independent projects (or files, as `unit`
    says) it rests on. `drafting_threshold` is the one at which exits draft fastest where full depth verifies them; None
    where drafting does not pay. `policy_sha256` and `exits_sha256` name the policy and the trained exits that all of it
    is about, the latter empty where nobody kept it. `maps` are those of keys and values that bounds leave a part to.
    """

    confidence: float
    split: str
    rows: int
    unit: str
    clusters: int
    policy_sha256: str
    bounds: tuple[Bound, ...]
    drafting_threshold: float | None = None
    exits_sha256: str = ""
    maps: tuple[ProvenMap, ...] = ()
    profiles: Mapping[str, float] = field(default_factory=lambda: dict(PROFILES))

    def bound(self, loss: float) -> Bound | None:
        """Return the loosest bound that is no looser than `loss`, None where there is none."""
        return max((bound for bound in self.bounds if bound.loss <= loss + 1e-9), key=lambda b: b.loss, default=None)

    @property
    def proven_losses(self) -> tuple[float, ...]:
        """The bounds, ascending, that some threshold was proven to keep."""
        return tuple(sorted(bound.loss for bound in self.bounds if bound.threshold is not None))

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        replace_file(path, (json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n").encode())


def read_calibration(path: Path) -> Calibration:
    """Read a calibration file; raise `PolicyError` in one line when it is damaged."""
    try:
        data = read_json(path)
        if data["format"] != FORMAT:
            raise PolicyError(f"{path} has format {data['format']}, which this version of greencode does not know")
        bounds = tuple(
            Bound(
                loss=_number(bound["loss"]),
                threshold=None if bound["threshold"] is None else _number(bound["threshold"]),
                expected_loss=_number(bound["expected_loss"]),
                upper_loss=_number(bound["upper_loss"]),
                mean_depth=_number(bound["mean_depth"]),
                saved=_number(bound["saved"]),
                fill=int(bound.get("fill", 0)),
            )
            for bound in data["bounds"]
        )
        drafting = data["drafting_threshold"]
        return Calibration(
            confidence=_number(data["confidence"]),
            split=str(data["split"]),
            rows=int(data["rows"]),
            unit=str(data["unit"]),
            clusters=int(data["clusters"]),
            policy_sha256=str(data["policy_sha256"]),
            bounds=bounds,
            drafting_threshold=None if drafting is None else _number(drafting),
            exits_sha256=str(data.get("exits_sha256", "")),
            maps=tuple(
                ProvenMap(int(one["depth"]), str(one["sha256"]), _number(one["upper_loss"]))
                for one in data.get("maps", ())
            ),
            profiles={str(name): _number(loss) for name, loss in data["profiles"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyError(f"{path} is damaged ({error!r}); run greencode calibrate again or fetch it again") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
