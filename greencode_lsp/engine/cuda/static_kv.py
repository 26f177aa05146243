"""K/V at addresses that never change, lent to one text at a time."""

import weakref

import torch
from torch import Tensor

from greencode_lsp.engine.cache import Cache
from greencode_lsp.engine.cuda.buckets import length_bucket


class StaticKV:
    """K/V of a segment's layers. Shapes: keys, values [layers, kv_heads, capacity, head_size], positions [capacity].

    The cache of the text that runs is a view of these. When another text runs, the first one's rows move out into
    tensors of their own, and the other's move in: two copies at the speed of memory. No row here is NaN that the text
    has not made so: what a mask hides still gets multiplied, by 0.
    """

    def __init__(self, like: Tensor, layers: int, kv_heads: int, head_size: int, capacity: int) -> None:
        with torch.inference_mode(False):
            self.keys = like.new_zeros(layers, kv_heads, capacity, head_size)
            self.values = like.new_zeros(layers, kv_heads, capacity, head_size)
            self.positions = torch.arange(capacity, device=like.device)
        self._tenant: weakref.ref[Cache] | None = None
        self._written = 0

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return self.keys.shape[2]

    def lend(self, cache: Cache, valid: int, rows: int) -> None:
        """Let a cache live here, of whose rows the first `valid` count, and that is about to have `rows` written."""
        tenant = None if self._tenant is None else self._tenant()
        if tenant is not cache:
            if tenant is not None:
                tenant.keys, tenant.values = tenant.keys.clone(), tenant.values.clone()
            self._move_in(cache, valid)
        seen = length_bucket(rows, self.capacity)
        if tenant is not cache or cache.capacity < seen:
            cache.keys, cache.values = self.keys[:, :, :seen], self.values[:, :, :seen]
        self._written = max(self._written, rows)

    def _move_in(self, cache: Cache, valid: int) -> None:
        for mine, theirs in ((self.keys, cache.keys), (self.values, cache.values)):
            mine[:, :, :valid] = theirs[:, :, :valid]
            mine[:, :, valid : self._written] = 0  # the last text may have left NaN
        self._tenant = weakref.ref(cache)
