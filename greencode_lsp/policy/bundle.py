"""What a bundle offers to decide by: its policy and calibration, or what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from greencode_lsp.policy.calibration import CALIBRATION_FILE, Calibration, read_calibration
from greencode_lsp.policy.errors import PolicyError
from greencode_lsp.reading import UnreadableFileError, sha256_of

if TYPE_CHECKING:
    from greencode_lsp.policy.learned import PolicyNetwork

POLICY_FILE = "policy.safetensors"


@dataclass(frozen=True)
class BundlePolicy:
    """A model's exits, and what came with them: a policy, its calibration, or a `problem` in one line."""

    exits: tuple[int, ...] = ()
    network: PolicyNetwork | None = None
    calibration: Calibration | None = None
    problem: str = ""


def load_bundle_policy(folder: Path, exits: tuple[int, ...], hidden_size: int, exits_sha256: str = "") -> BundlePolicy:
    """Read what lies in a bundle's folder. Never raises: full depth needs none of it.

    `exits_sha256` names the trained exits it is to decide for, where there are some.
    """
    path = folder / POLICY_FILE
    if not path.is_file() or not exits:
        return BundlePolicy(exits)
    from greencode_lsp.policy.learned import load_network

    try:
        network = load_network(path, exits, hidden_size)
        if not (folder / CALIBRATION_FILE).is_file():
            return BundlePolicy(exits, network)
        calibration = read_calibration(folder / CALIBRATION_FILE)
        if calibration.policy_sha256 != file_sha256(path):
            raise PolicyError(f"{folder / CALIBRATION_FILE} is of another policy; run greencode calibrate again")
        if exits_sha256 and calibration.exits_sha256 not in ("", exits_sha256):
            raise PolicyError(
                f"{folder / CALIBRATION_FILE} is of other exits; record traces with these and calibrate again"
            )
    except PolicyError as error:
        return BundlePolicy(exits, problem=str(error))
    return BundlePolicy(exits, network, calibration)


def file_sha256(path: Path) -> str:
    """Return a file's sha256 in hexadecimal; raise `PolicyError` in one line."""
    try:
        return sha256_of(path)
    except (OSError, UnreadableFileError) as error:
        raise PolicyError(f"{path} cannot be read: {error}; fetch it again") from error
