"""Policies that were trained: a small network reads the hidden state behind an exit (GREEN-CODE, arXiv 2501.11006).

Each exit has its own network of two hidden layers, which is how the exit's index enters:

    z = tanh(in.weight[e] @ h / scale + in.bias[e])         h [hidden], z [width]
    z = tanh(mid.weight[e] @ z + mid.bias[e])
    exit, stop = out.weight[e] @ z + out.bias[e]

`scale` is the root mean square of h (what the norm before the head divides by, too), or 1 where the file says "raw".
Whatever standardises the inputs is part of the weights. `exit` rises with how good it is to read the token here rather
than to go deeper, `stop` with how good it is to give up; neither is a probability.

That runs no LM head. A policy may be asked once more where it would exit, when the token there has been read, which
costs no more than leaving does, unless it is refused. From p, the token's probability, and from the first z follows how
good it is to say this token:

    l = log(p / (1 - p))
    y = tanh(confirm.mid.weight[e] @ [z, l] + confirm.mid.bias[e])
    confirm = confirm.out.weight[e] @ [y, l] + confirm.out.bias[e]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from greencode_lsp.policy.base import Reading, Verdict
from greencode_lsp.policy.errors import PolicyError
from greencode_lsp.reading import check_regular, parse_json

if TYPE_CHECKING:
    from torch import Tensor

FORMAT, CONFIRMING_FORMAT = "1", "2"
"""Formats of policies that decide before a token is read, and of those that decide once more behind that."""

INPUTS = ("rms", "raw")
SMALLEST_SQUARE = 1e-6
"""Added to the mean square of a state, as in the models' own norms."""

TENSORS = ("in.weight", "in.bias", "mid.weight", "mid.bias", "out.weight", "out.bias")
CONFIRMING = ("confirm.mid.weight", "confirm.mid.bias", "confirm.out.weight", "confirm.out.bias")

LEAST_DOUBT = 2.0**-11
"""Probabilities nearer to 0 or 1 count as that far away: traces, which have them in float16, know no more."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PolicyFile:
    """What `policy.safetensors` holds.

    Shapes, with E exits: in.weight [E, width, hidden], mid.weight [E, second width, width], out.weight [E, 2, second
    width], and, where it confirms, confirm.mid.weight [E, third width, width + 1], confirm.out.weight [E, 1, third
    width + 1]; biases accordingly. `stop_threshold` is infinite for policies that never give up. `grid` [Q],
    descending: thresholds for calibration to try, chosen on training data so that calibration may test them.
    """

    exits: tuple[int, ...]
    hidden_size: int
    kind: str
    inputs: str
    stop_threshold: float
    grid: Floats
    tensors: dict[str, Floats]

    @property
    def confirms(self) -> bool:
        """Whether it decides once more when a token has been read."""
        return CONFIRMING[0] in self.tensors


class PolicyNetwork:
    """The networks of all exits, ready to run. Not for use from two threads at once."""

    def __init__(self, file: PolicyFile) -> None:
        self.file = file
        tensors = [np.ascontiguousarray(file.tensors[name], dtype=np.float32) for name in TENSORS]
        self._exits = [tuple(tensor[index] for tensor in tensors) for index in range(len(file.exits))]
        self._first = np.empty(tensors[1].shape[1], np.float32)
        self._second = np.empty(tensors[3].shape[1], np.float32)
        if file.confirms:
            tensors = [np.ascontiguousarray(file.tensors[name], dtype=np.float32) for name in CONFIRMING]
            self._confirming = [tuple(tensor[index] for tensor in tensors) for index in range(len(file.exits))]
        self._on_device: dict[Any, list[tuple[Tensor, ...]]] = {}

    def scores(self, exit_index: int, hidden: Tensor) -> tuple[float, float]:
        """Return the scores for exiting and for giving up of a state [hidden] behind an exit."""
        if hidden.device.type != "cpu":
            exit_score, stop_score = self.scores_on_device(exit_index, hidden).tolist()
            return exit_score, stop_score
        _, _, mid_weight, mid_bias, out_weight, out_bias = self._exits[exit_index]
        second = self._second
        np.dot(mid_weight, self._first_layer(exit_index, hidden), out=second)
        second += mid_bias
        np.tanh(second, out=second)
        out = out_weight.dot(second)
        return float(out[0] + out_bias[0]), float(out[1] + out_bias[1])

    def confirmation(self, exit_index: int, hidden: Tensor, probability: float) -> float:
        """Return the score for saying the token of this probability behind an exit where the state [hidden] stands."""
        mid_weight, mid_bias, out_weight, out_bias = self._confirming[exit_index]
        sure = log_odds(np.float32(probability))
        known = np.append(self._first_layer(exit_index, hidden.cpu()), sure)
        third = np.append(np.tanh(mid_weight @ known + mid_bias), sure)
        return float((out_weight @ third + out_bias)[0])

    def _first_layer(self, exit_index: int, hidden: Tensor) -> Floats:
        """Return what the first hidden layer makes of a state [hidden], until it is asked again: [width]."""
        weight, bias, *_ = self._exits[exit_index]
        state, first = hidden.float().numpy(), self._first
        np.dot(weight, state, out=first)
        if self.file.inputs == "rms":
            first *= 1.0 / math.sqrt(float(state.dot(state)) / len(state) + SMALLEST_SQUARE)
        first += bias
        return np.tanh(first, out=first)

    def scores_on_device(self, exit_index: int, hidden: Tensor) -> Tensor:
        """Return both scores of a state [hidden] as a tensor [2] where the state is, without waiting for them."""
        import torch

        exits = self._on_device.get(hidden.device)
        if exits is None:
            exits = [tuple(torch.from_numpy(part).to(hidden.device) for part in parts) for parts in self._exits]
            self._on_device[hidden.device] = exits
        weight, bias, mid_weight, mid_bias, out_weight, out_bias = exits[exit_index]
        state = hidden.float()
        first = weight @ state
        if self.file.inputs == "rms":
            first = first * (state.square().mean() + SMALLEST_SQUARE).rsqrt()
        second = torch.tanh(mid_bias + mid_weight @ torch.tanh(first + bias))
        return out_bias + out_weight @ second


class LearnedPolicy:
    """Give up where the network is sure that full depth errs, else exit where its score reaches the threshold.

    Where the network confirms, that score must reach it, too.
    """

    def __init__(self, network: PolicyNetwork, threshold: float) -> None:
        self.network, self.threshold = network, threshold

    def decide(self, reading: Reading) -> Verdict:
        """Read the hidden state, or how sure the token is that was read; takes microseconds."""
        if reading.probability is not None:
            sure = self.network.confirmation(reading.exit_index, reading.hidden, reading.probability)
            return Verdict.EXIT if sure >= self.threshold else Verdict.CONTINUE
        exit_score, stop_score = self.network.scores(reading.exit_index, reading.hidden)
        if stop_score >= self.network.file.stop_threshold:
            return Verdict.STOP
        if exit_score < self.threshold:
            return Verdict.CONTINUE
        return Verdict.READ if self.network.file.confirms else Verdict.EXIT


def log_odds(probability: NDArray[Any] | np.floating[Any]) -> Floats:
    """Return log(p / (1 - p)) of probabilities, in single precision, with none of them quite sure."""
    some = np.clip(probability.astype(np.float32), LEAST_DOUBT, 1 - LEAST_DOUBT)
    return np.asarray(np.log(some / (1 - some)))


def read_policy(path: Path) -> PolicyFile:
    """Read a policy file; raise `PolicyError` in one line when it is damaged."""
    try:
        check_regular(path)
        with safe_open(path, framework="np") as file:
            facts = file.metadata() or {}
            if facts["format"] not in (FORMAT, CONFIRMING_FORMAT):
                raise PolicyError(f"{path} has format {facts['format']}, which this version of greencode does not know")
            names = TENSORS if facts["format"] == FORMAT else TENSORS + CONFIRMING
            tensors = {name: floats(file.get_tensor(f"policy.{name}"), name) for name in names}
            grid = floats(file.get_tensor("policy.grid"), "grid")
        policy = PolicyFile(
            exits=tuple(int(depth) for depth in parse_json(facts["exits"])),
            hidden_size=int(facts["hidden_size"]),
            kind=facts["kind"],
            inputs=facts["inputs"],
            stop_threshold=float(facts["stop_threshold"]),
            grid=grid,
            tensors=tensors,
        )
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise PolicyError(f"{path} is damaged or no policy ({error}); train it again or fetch it again") from error
    _check(path, policy)
    return policy


def floats(numbers: NDArray[Any], name: str) -> Floats:
    """Return floating-point numbers in single precision; raise `ValueError` for whole ones."""
    if numbers.dtype.kind != "f":
        raise ValueError(f"{name} is of type {numbers.dtype}, wanted floating-point numbers")
    return numbers.astype(np.float32)


def load_network(path: Path, exits: tuple[int, ...], hidden_size: int) -> PolicyNetwork:
    """Read a policy for a model with these exits; raise `PolicyError` when it was trained for another."""
    policy = read_policy(path)
    if policy.exits != exits:
        raise PolicyError(f"{path} is for exits {list(policy.exits)}, but the model has {list(exits)}; train it again")
    if policy.hidden_size != hidden_size:
        raise PolicyError(f"{path} reads states of {policy.hidden_size}, but the model's have {hidden_size} numbers")
    return PolicyNetwork(policy)


def _check(path: Path, policy: PolicyFile) -> None:
    exits, tensors = len(policy.exits), policy.tensors

    def last(name: str) -> int:  # 0 is no size of anything: what has no dimension is a wrong shape then
        return tensors[name].shape[-1] if tensors[name].ndim else 0

    width, second = last("in.bias"), last("mid.bias")
    expected = {
        "in.weight": (exits, width, policy.hidden_size),
        "in.bias": (exits, width),
        "mid.weight": (exits, second, width),
        "mid.bias": (exits, second),
        "out.weight": (exits, 2, second),
        "out.bias": (exits, 2),
    }
    if policy.confirms:
        third = last("confirm.mid.bias")
        expected |= {
            "confirm.mid.weight": (exits, third, width + 1),
            "confirm.mid.bias": (exits, third),
            "confirm.out.weight": (exits, 1, third + 1),
            "confirm.out.bias": (exits, 1),
        }
    wrong = [name for name, shape in expected.items() if tensors[name].shape != shape or 0 in shape]
    broken = [name for name in expected if not np.isfinite(tensors[name]).all()]
    if policy.grid.ndim != 1 or np.isnan(policy.grid).any():
        raise PolicyError(f"{path} is damaged or no policy (its grid is no row of numbers); fetch it again")
    if wrong or broken or policy.inputs not in INPUTS or math.isnan(policy.stop_threshold) or not exits:
        what = "unknown metadata"
        if wrong:
            found, wanted = (list(sizes) for sizes in (tensors[wrong[0]].shape, expected[wrong[0]]))
            what = f"{wrong[0]} has shape {found}, wanted {wanted}"
        elif broken:
            what = f"NaN or infinite numbers in {broken[0]}"
        raise PolicyError(f"{path} is damaged or no policy ({what}); train it again or fetch it again")
