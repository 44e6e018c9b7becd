"""Memory that tensors leave behind stays with the process."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8  # of glibc's mallopt
LARGE = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, for the next tensors; call it once, before the first of them.

    Otherwise glibc gives every large block back to the kernel, which hands out empty pages again one by one: on CPUs
    that was a fourth of all time of training on video. Nothing happens where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(MMAP_MAX, 0)  # no block is too large for the heap
    mallopt(ARENA_MAX, 1)  # threads that read batches use the same heap: their own would be too small for a batch
    mallopt(TRIM_THRESHOLD, LARGE)
