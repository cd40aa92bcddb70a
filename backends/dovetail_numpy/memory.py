"""Memory that the C library keeps for the next array instead of handing it back to the system after every step.

A training step frees what it has allocated, and the next step asks for the same again. glibc returns a free end of the
heap of 128 KB and more at once, so that each step pays a page fault for every 4 KB: two thirds of the time of a small
network (``docs/decisions/0007-freed-memory.md``).
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

KEPT: Final = 1 << 28
"""At most so many bytes stay with the process when nothing uses them."""

LARGEST: Final = 1 << 25
"""Arrays from this size on are given back one by one; glibc allows no more."""

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_OWN_CHOICE: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES")
"""Whoever has set one of these has tuned the allocator, and is left alone (mallopt(3))."""


def keep_freed_memory() -> bool:
    """Raise glibc's thresholds; return whether that was done: not elsewhere, nor against the user's own setting."""
    if sys.platform != "linux" or any(name in os.environ for name in _OWN_CHOICE):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False  # another C library
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST)) and bool(mallopt(_TRIM_THRESHOLD, KEPT))
