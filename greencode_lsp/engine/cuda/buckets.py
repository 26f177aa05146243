"""The few sizes that computations are captured for."""

ROW_BUCKETS = (1, 2, 4, 8, 16)

MOST_ROWS = ROW_BUCKETS[-1]

SHORTEST_LENGTH = 512


def row_bucket(rows: int) -> int:
    """Return the smallest bucket that holds 1 to 16 rows."""
    return next(bucket for bucket in ROW_BUCKETS if bucket >= rows)


def length_bucket(length: int, capacity: int) -> int:
    """Return how many positions to attend to for at least `length`: a power of two, or all there are."""
    return min(max(SHORTEST_LENGTH, 1 << (length - 1).bit_length()), capacity)
