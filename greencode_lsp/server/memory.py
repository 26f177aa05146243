"""Memory that is no longer used goes back to the system."""

import ctypes
import platform

LARGE_BYTES = 2**20

M_MMAP_THRESHOLD = -3
"""glibc's number for that parameter (malloc.h)."""


def return_large_blocks() -> None:
    """Have glibc give blocks of a megabyte and more back as soon as they are freed.

    By itself it raises that limit to 32 MB with the first such block that is freed. Weights, keys and values then leave
    holes in its arenas that a server with changing documents, and one that loads another model, never gives back.
    Elsewhere nothing happens.
    """
    if is_glibc():
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def return_free_pages() -> None:
    """Have glibc give back the pages that lie free between smaller blocks.

    By itself it only gives back those at the end of its heap. Takes half a millisecond where there are none, and about
    10 ms for each 100 MB of them. Elsewhere nothing happens.
    """
    if is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def is_glibc() -> bool:
    """Say whether this process allocates by glibc."""
    return platform.libc_ver()[0] == "glibc"
