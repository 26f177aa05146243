"""A policy's network in the compiled kernel.

A call takes some microseconds between two segments. numpy's took eight times that there, once the layers' weights had
pushed its own out of the processor's caches.
"""

import ctypes
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from greencode_lsp.engine.packed.library import load_library
from greencode_lsp.policy.learned import CONFIRMING, SMALLEST_SQUARE, TENSORS, PolicyNetwork, log_odds


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
        ("third", ctypes.c_int64),
        ("confirm_mid_weight", ctypes.c_void_p),
        ("confirm_out_weight", ctypes.c_void_p),
        ("confirm_mid_bias", ctypes.c_void_p),
        ("confirm_out_bias", ctypes.c_void_p),
    )


class PackedPolicyNetwork(PolicyNetwork):
    """A policy's network with weights in half floats. Not for use from two threads at once."""

    def __init__(self, network: PolicyNetwork) -> None:
        super().__init__(network.file)
        library, tensors = load_library(), network.file.tensors
        self._score, self._confirm = library.score_policy, library.confirm_policy
        _, width, inputs = tensors["in.weight"].shape
        second, scaled = tensors["mid.weight"].shape[1], int(network.file.inputs == "rms")
        third = tensors["confirm.mid.weight"].shape[1] if network.file.confirms else 0
        deciding, confirming = prepared(tensors, TENSORS), prepared(tensors, CONFIRMING if third else ())
        networks = [
            CPolicy(
                *(inputs, width, second, scaled, SMALLEST_SQUARE, *(address(part, index) for part in deciding)),
                *(third, *(address(part, index) for part in confirming)),
            )
            for index in range(len(network.file.exits))
        ]
        self._kept = [deciding, confirming, networks]  # what C structures point at must live as long as they do
        self._networks = [ctypes.byref(each) for each in networks]
        self._room = (ctypes.c_float * (width + max(second, third) + 2))()
        self._scores = (ctypes.c_float * 2)()

    def scores(self, exit_index: int, hidden: Tensor) -> tuple[float, float]:
        """Return the scores for exiting and for giving up of a state [hidden] behind an exit."""
        state = hidden.float().contiguous()
        self._score(self._networks[exit_index], state.data_ptr(), self._room, self._scores)
        return self._scores[0], self._scores[1]

    def confirmation(self, exit_index: int, hidden: Tensor, probability: float) -> float:
        """Return the score for saying the token of this probability behind an exit where the state [hidden] stands."""
        state = hidden.float().contiguous()
        sure = float(log_odds(np.float32(probability)))
        return float(self._confirm(self._networks[exit_index], state.data_ptr(), sure, self._room))


def prepared(tensors: Mapping[str, NDArray[np.float32]], names: Sequence[str]) -> list[NDArray[np.generic]]:
    """Return weights in half floats and then biases in single precision, as a C structure names them."""
    found: list[NDArray[np.generic]] = []
    for part, dtype in (("weight", np.float16), ("bias", np.float32)):
        found += [np.ascontiguousarray(tensors[name], dtype=dtype) for name in names if name.endswith(part)]
    return found


def address(part: NDArray[np.generic], index: int) -> int:
    """Return where one exit's part of an array begins."""
    return int(part[index].ctypes.data)
