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
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
