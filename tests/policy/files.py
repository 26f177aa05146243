"""Policy and calibration files for tests, written as training writes them."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from greencode_lsp.policy.bundle import POLICY_FILE, file_sha256
from greencode_lsp.policy.calibration import CALIBRATION_FILE, Bound, Calibration

HIDDEN, WIDTH, SECOND = 16, 8, 6


def random_tensors(exits: int, seed: int = 0, *, confirms: bool = False) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {
        "in.weight": (exits, WIDTH, HIDDEN),
        "in.bias": (exits, WIDTH),
        "mid.weight": (exits, SECOND, WIDTH),
        "mid.bias": (exits, SECOND),
        "out.weight": (exits, 2, SECOND),
        "out.bias": (exits, 2),
    }
    if confirms:
        shapes |= {
            "confirm.mid.weight": (exits, SECOND, WIDTH + 1),
            "confirm.mid.bias": (exits, SECOND),
            "confirm.out.weight": (exits, 1, SECOND + 1),
            "confirm.out.bias": (exits, 1),
        }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def write_policy_file(folder: Path, depths: tuple[int, ...], tensors: dict | None = None, **facts: str) -> Path:
    tensors = random_tensors(len(depths)) if tensors is None else tensors
    metadata = {
        "format": "1",
        "exits": json.dumps(list(depths)),
        "hidden_size": str(HIDDEN),
        "kind": "supervised",
        "inputs": "rms",
        "stop_threshold": "inf",
        **facts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = {f"policy.{name}": tensor for name, tensor in tensors.items()}
    save_file({**content, "policy.grid": np.array([2.0, 0.0], np.float32)}, folder / POLICY_FILE, metadata)
    return folder / POLICY_FILE


def write_calibration_file(folder: Path, thresholds: dict[float, float | None], drafting: float | None = 0.5) -> Path:
    bounds = tuple(Bound(loss, threshold, 0.0, loss, 12.0, 0.4) for loss, threshold in thresholds.items())
    digest = file_sha256(folder / POLICY_FILE)
    Calibration(0.95, "calibration", 1000, "project", 20, digest, bounds, drafting, "mine").write(
        folder / CALIBRATION_FILE
    )
    return folder / CALIBRATION_FILE
