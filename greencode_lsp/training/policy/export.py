"""From what was trained, by whichever algorithm, to the one file that the run-time policy reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save
from torch import Tensor

from greencode_lsp.files import replace_file
from greencode_lsp.policy.learned import CONFIRMING_FORMAT, FORMAT, PolicyFile
from greencode_lsp.training.policy.fitting import ExitNetwork
from greencode_lsp.training.policy.inputs import Inputs, Singles
from greencode_lsp.training.policy.scoring import score
from greencode_lsp.training.policy.trace_set import Floats, TraceSet

LAYERS = {"in": "first.0", "mid": "gate.0", "out": "gate.2"}
CONFIRMING_LAYERS = {"confirm.mid": "confirm.0", "confirm.out": "confirm_out"}
"""What the layers of an `ExitNetwork` are called in a policy file, and where they are in the network."""

GRID_STEPS = 200

SCORES = 2
"""What networks say in a policy file: for leaving, and for giving up. What they were taught beside is left out."""

STOP_PRECISION = 0.99
"""How often a token must be beyond full depth, too, where a policy gives up."""

STOP_SUPPORT = 200
"""Rows that a stop threshold must rest on."""


def from_networks(networks: Sequence[ExitNetwork], inputs: Inputs) -> dict[str, Singles]:
    """Stack the networks of all exits, in order, into the tensors of a policy file."""
    names = LAYERS | (CONFIRMING_LAYERS if networks[0].confirms else {})
    tensors = {}
    for name, where in names.items():
        layers = [network.get_submodule(where) for network in networks]
        for part in ("weight", "bias"):
            tensors[f"{name}.{part}"] = np.stack([array(getattr(layer, part)) for layer in layers])
    tensors["in.weight"], tensors["in.bias"] = inputs.fold(tensors["in.weight"], tensors["in.bias"])
    for name in ("out.weight", "out.bias"):
        tensors[name] = tensors[name][:, :SCORES].copy()
    return tensors


def array(tensor: Tensor) -> Singles:
    """Return a parameter as an array of its own."""
    return tensor.detach().float().cpu().numpy().copy()


def finish(tensors: dict[str, Singles], kind: str, inputs: str, held_out: TraceSet, *, stops: bool) -> PolicyFile:
    """Add what depends on data: the thresholds that calibration will try, and from which stop score on to give up.

    Both come from rows that training held out, never from the calibration split, which is there to test them.
    """
    exits = held_out.exits
    draft = PolicyFile(exits, held_out.hidden.shape[2], kind, inputs, float("inf"), np.zeros(1, np.float32), tensors)
    scores = score(draft, held_out)
    assert scores.stop is not None, "every policy file has scores for giving up"
    return PolicyFile(
        exits=exits,
        hidden_size=draft.hidden_size,
        kind=kind,
        inputs=inputs,
        stop_threshold=stop_threshold(scores.stop, held_out) if stops else float("inf"),
        grid=threshold_grid(scores.both),
        tensors=tensors,
    )


def threshold_grid(scores: Floats) -> Singles:
    """Return thresholds from the highest score down to the lowest, finer where few tokens exit."""
    share = np.linspace(0.0, 1.0, GRID_STEPS) ** 1.5
    return np.unique(np.quantile(scores, 1.0 - share).astype(np.float32))[::-1].copy()


def stop_threshold(stop_scores: Floats, traces: TraceSet) -> float:
    """Return the lowest stop score from which on full depth is nearly always wrong; infinite where there is none."""
    highest = stop_scores.max(axis=1)
    order = np.argsort(-highest)
    hopeless = np.cumsum(~traces.right[order, -1]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero((hopeless >= STOP_PRECISION) & (np.arange(len(order)) >= min(STOP_SUPPORT, len(order) // 50)))
    return float(highest[order[good[-1]]]) if len(good) else float("inf")


def write_policy(path: Path, policy: PolicyFile, **facts: str) -> None:
    """Write a policy file; `facts` go into its metadata beside what the run time needs."""
    metadata = {
        "format": CONFIRMING_FORMAT if policy.confirms else FORMAT,
        "exits": json.dumps(list(policy.exits)),
        "hidden_size": str(policy.hidden_size),
        "kind": policy.kind,
        "inputs": policy.inputs,
        "stop_threshold": repr(policy.stop_threshold),
        **facts,
    }
    tensors = {f"policy.{name}": np.ascontiguousarray(tensor) for name, tensor in policy.tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, save({**tensors, "policy.grid": policy.grid}, metadata))
