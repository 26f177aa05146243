"""Writing a safetensors file piece by piece: `safetensors.numpy.save_file` wants the whole model in memory."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TensorShape = tuple[int, ...]

_ALIGNMENT = 8


@contextmanager
def write_safetensors(path: Path, shapes: Mapping[str, TensorShape]) -> Iterator[Callable[[NDArray[np.float16]], None]]:
    """Yield a function that takes float16 arrays: the tensors of `shapes`, in that order, in pieces of any size.

    The format is at https://github.com/huggingface/safetensors#format: the header's length (8 bytes, little-endian),
    the header (JSON, padded with spaces), the tensors without gaps.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)

        def write(piece: NDArray[np.float16]) -> None:
            file.write(np.ascontiguousarray(piece, dtype="<f2").data)

        yield write
        assert file.tell() == 8 + len(text) + end, "the pieces do not add up to the shapes"
