"""A map of keys and values in the kernel, and where its results are laid."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from greencode_lsp.engine.architecture import Architecture
from greencode_lsp.engine.cache import BLOCK_ROWS, Cache
from greencode_lsp.engine.kv_map import check_halves
from greencode_lsp.engine.threads import alone

MOST_ROWS = 256


class PackedFiller:
    """Computes a map by `read`, [rows, hidden] to [rows, outputs], and writes keys and values as the kernel reads them.

    `rotary` are cosines and sines [context, head_size / 2], None where positions are not rotations.
    """

    def __init__(
        self,
        shape: Architecture,
        depth: int,
        read: Callable[[Tensor], Tensor],
        map_bytes: int,
        rotary: tuple[Tensor | None, Tensor | None],
    ) -> None:
        self.map_bytes = map_bytes
        self._shape, self._depth, self._read, self._rotary = shape, depth, read, rotary

    def fill(self, hidden: Tensor, start: int, caches: Sequence[tuple[range, Cache]]) -> None:
        """Write what rows, hidden [rows, hidden] after the map's depth, would leave in these neighbouring layers."""
        for _, cache in caches:
            cache.reserve(start + len(hidden), start)
        for low, high in pairwise([*range(0, len(hidden), MOST_ROWS), len(hidden)]):
            self._fill(self._read(hidden[low:high]), start + low, caches)

    def _fill(self, mapped: Tensor, start: int, caches: Sequence[tuple[range, Cache]]) -> None:
        shape, rows = self._shape, len(mapped)
        with alone():
            check_halves(mapped, self._depth)
            both = mapped.view(rows, -1, 2, shape.kv_heads, shape.head_size)
            keys, values = self._rotated(both[:, :, 0], start), both[:, :, 1]
            done = 0
            for layers, cache in caches:
                here = slice(done, done + len(layers))
                done += len(layers)
                # 16 positions side by side: [layers, kv_heads, blocks, head_size, 16]
                laid = cache.keys.view(len(layers), shape.kv_heads, -1, shape.head_size, BLOCK_ROWS)
                blocks = slice(start // BLOCK_ROWS, (start + rows) // BLOCK_ROWS)
                split = keys[:, here].reshape(rows // BLOCK_ROWS, BLOCK_ROWS, len(layers), *keys.shape[2:])
                laid[:, :, blocks] = split.permute(2, 3, 0, 4, 1).half()
                cache.values[:, :, start : start + rows] = values[:, here].permute(1, 2, 0, 3).half()

    def _rotated(self, keys: Tensor, start: int) -> Tensor:
        cos, sin = self._rotary
        if cos is None or sin is None:
            return keys
        cos, sin = (table[start : start + len(keys), None, None] for table in (cos, sin))
        first, second = keys.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
