"""Keys and values of neighbouring layers, in tensors that grow by doubling."""

from torch import Tensor

MINIMUM_CAPACITY = 256

BLOCK_ROWS = 16


class Cache:
    """K/V of the layers of one segment. Shapes: keys, values [layers, kv_heads, capacity, head_size].

    Which rows are valid is the segment's business: a row is written before it is read, and never moved. A runner may
    order the numbers of 16 neighbouring rows as it likes: capacity and what is kept are multiples of that.
    """

    def __init__(self, like: Tensor, layers: int, kv_heads: int, head_size: int) -> None:
        self.keys = like.new_empty(layers, kv_heads, 0, head_size)
        self.values = like.new_empty(layers, kv_heads, 0, head_size)

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return self.keys.shape[2]

    @property
    def byte_count(self) -> int:
        """Bytes held."""
        return self.keys.nbytes + self.values.nbytes

    def reserve(self, rows: int, valid: int) -> None:
        """Make room for that many rows, keeping the first `valid`."""
        if rows > self.capacity:
            capacity = whole_blocks(max(rows, 2 * self.capacity, MINIMUM_CAPACITY))
            self.keys = grown(self.keys, capacity, whole_blocks(valid))
            self.values = grown(self.values, capacity, whole_blocks(valid))


def whole_blocks(rows: int) -> int:
    """Round a number of rows up to whole blocks."""
    return -(-rows // BLOCK_ROWS) * BLOCK_ROWS


def grown(tensor: Tensor, capacity: int, valid: int) -> Tensor:
    """Return a larger copy of a tensor [layers, kv_heads, capacity, head_size] with its first `valid` rows."""
    layers, kv_heads, _, head_size = tensor.shape
    larger = tensor.new_empty(layers, kv_heads, capacity, head_size)
    larger[:, :, :valid] = tensor[:, :, :valid]
    return larger
