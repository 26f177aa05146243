"""A policy's network in the compiled kernel.

A call takes some microseconds between two segments. numpy's took eight times that there, once the layers' weights had
pushed its own out of the processor's caches.
"""

import ctypes

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine.packed.library import load_library
from greencode_lsp.policy.learned import SMALLEST_SQUARE, TENSORS, PolicyNetwork


class CPolicy(ctypes.Structure):
    """The network of one exit, field for field as kernel/scoring.h has it."""

    _fields_ = (
        ("inputs", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("second", ctypes.c_int64),
        ("scaled", ctypes.c_int64),
        ("smallest_square", ctypes.c_float),
        ("in_weight", ctypes.c_void_p),
        ("mid_weight", ctypes.c_void_p),
        ("out_weight", ctypes.c_void_p),
        ("in_bias", ctypes.c_void_p),
        ("mid_bias", ctypes.c_void_p),
        ("out_bias", ctypes.c_void_p),
    )


class PackedPolicyNetwork(PolicyNetwork):
    """A policy's network with weights in half floats. Not for use from two threads at once."""

    def __init__(self, network: PolicyNetwork) -> None:
        super().__init__(network.file)
        library, tensors = load_library(), network.file.tensors
        self._score = library.score_policy
        weights = {name: np.ascontiguousarray(tensors[name], dtype=np.float16) for name in TENSORS[::2]}
        biases = {name: np.ascontiguousarray(tensors[name], dtype=np.float32) for name in TENSORS[1::2]}
        self._kept = [weights, biases]  # what C structures point at must live as long as they do
        _, width, inputs = weights["in.weight"].shape
        second = weights["mid.weight"].shape[1]
        scaled = int(network.file.inputs == "rms")
        networks = [
            CPolicy(
                *(inputs, width, second, scaled, SMALLEST_SQUARE),
                *(address(part, index) for parts in (weights, biases) for part in parts.values()),
            )
            for index in range(len(network.file.exits))
        ]
        self._kept.append(networks)
        self._networks = [ctypes.byref(each) for each in networks]
        self._room = (ctypes.c_float * (width + second))()
        self._scores = (ctypes.c_float * 2)()

    def scores(self, exit_index: int, hidden: Tensor) -> tuple[float, float]:
        """Return the scores for exiting and for giving up of a state [hidden] behind an exit."""
        state = hidden.float().contiguous()
        self._score(self._networks[exit_index], state.data_ptr(), self._room, self._scores)
        return self._scores[0], self._scores[1]


def address(part: NDArray[np.generic], index: int) -> int:
    """Return where one exit's part of an array begins."""
    return int(part[index].ctypes.data)
