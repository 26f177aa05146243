"""How much of each package goes in: many packages a little rather than few a lot."""

from collections.abc import Sequence


def level(available: Sequence[int], budget: int, most: int) -> int:
    """Return the most tokens any one package may give so that all together give at most `budget`.

    `available` holds what each package has. As water fills a vessel: small packages give all, large ones the same.
    Never above `most`.
    """
    left, packages = budget, len(available)
    for tokens in sorted(available):
        share = left // packages
        if tokens > share:
            return min(share, most)
        left -= tokens
        packages -= 1
    return most


def take(lengths: Sequence[int], allowed: int) -> list[int]:
    """Return the places of the files that fit into `allowed` tokens, in order; one that is too long is passed over."""
    taken, used = [], 0
    for place, length in enumerate(lengths):
        if used + length <= allowed:
            taken.append(place)
            used += length
    return taken
