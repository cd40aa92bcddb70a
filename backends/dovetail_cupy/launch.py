"""Starting CUDA kernels of one's own: a source is compiled when its first kernel is asked for.

Products and sums are never contracted to one operation, so that a kernel gives what its decomposition gives.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import cupy
import numpy as np

OPTIONS: Final = ("--fmad=false",)
THREADS: Final = 256
"""Threads of a block: a power of 2, as the sums over a block need."""
LARGEST_GRID: Final = 1 << 16
"""Blocks that are started at most; each then takes every so-many-th row or element."""


@cache
def _module(source: str) -> Any:
    """The compiled kernels of a source; CuPy keeps one copy per device."""
    return cupy.RawModule(code=source, options=OPTIONS)


def each(source: str, name: str, count: int, *arguments: Any) -> None:
    """Start a kernel with a thread for each of ``count`` elements, which is its last argument."""
    if count:
        grid = min(-(-count // THREADS), LARGEST_GRID)
        _module(source).get_function(name)((grid,), (THREADS,), (*arguments, np.int64(count)))


def rows(source: str, name: str, count: int, *arguments: Any) -> None:
    """Start a kernel with a block of threads for each of ``count`` rows, which is its last argument."""
    if count:
        grid = min(count, LARGEST_GRID)
        _module(source).get_function(name)((grid,), (THREADS,), (*arguments, np.int64(count)))


def spelled(array: Any) -> str:
    """What a kernel's name ends in for arrays of this dtype."""
    return str(array.dtype.name)
