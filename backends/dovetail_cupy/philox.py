"""Random numbers on CuPy: one CUDA kernel per function, the state read on the device.

`dovetail.backend.streams` defines what every function returns, bit for bit; `philox_source` has the kernels.
The number of threads has no part in any result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import cupy
import numpy as np

from dovetail.backend import streams
from dovetail_cupy.philox_source import source

Array = Any

THREADS: Final = 256
LARGEST_GRID: Final = 1 << 16
"""Blocks of threads that are started at most; each thread then takes every so-many-th element."""

blocks = streams.blocks


@cache
def _module() -> Any:
    """Return the compiled kernels; CuPy compiles them on first use and keeps one copy per device."""
    return cupy.RawModule(code=source(), options=("--fmad=false",))


def _run(name: str, work: int, n: int, *arguments: Any) -> None:
    """Start a kernel for ``work`` items (blocks of words, or elements) of an array of n elements."""
    if n:
        grid = min(-(-work // THREADS), LARGEST_GRID)
        _module().get_function(name)((grid,), (THREADS,), (*arguments, np.int64(n)))


def random_words(state: Array, *, shape: Sequence[int], width: int) -> Array:
    """Return the random words of one draw: uint32 for width 32, uint64 for width 64.

    ``state`` is the int64 array [seed, stream, offset] on the device; it is not changed or read by the host.
    """
    work = blocks(shape, width)
    out = cupy.empty(tuple(shape), np.uint32 if width == 32 else np.uint64)
    _run(f"words{width}", work, math.prod(shape), cupy.ascontiguousarray(state), out)
    return out


def uniform_from_words(words: Array, *, dtype: Any, low: float = 0.0, high: float = 1.0) -> Array:
    """Return uniform numbers in [0, 1), exact multiples of 2^-24 (float32) or 2^-53 (float64).

    Other bounds give ``u * (high - low) + low`` in float64, rounded once. TypeError for other words.
    """
    return _float_kernel("uniform", words, dtype, streams.uniform_affine(low, high))


def normal_from_words(words: Array, *, dtype: Any, mean: float = 0.0, std: float = 1.0) -> Array:
    """Return normal numbers: the quantile of each word's fraction in float64, rounded once.

    Other parameters give ``x * std + mean`` before that rounding. TypeError for words of the wrong width.
    """
    return _float_kernel("normal", words, dtype, streams.normal_affine(mean, std))


def _float_kernel(kernel: str, words: Array, dtype: Any, affine: streams.Affine | None) -> Array:
    name = streams.check_words(_width(words), dtype)
    scale, shift = affine or (1.0, 0.0)
    parameters = np.float64(scale), np.float64(shift), np.bool_(affine is not None)
    return _elementwise(f"{kernel}_{name}", words, np.dtype(dtype), *parameters)


def _elementwise(kernel: str, words: Array, dtype: Any, *parameters: Any) -> Array:
    """Return the kernel's result for each word, in an array of the words' shape."""
    out = cupy.empty(words.shape, dtype)
    _run(kernel, words.size, words.size, cupy.ascontiguousarray(words), out, *parameters)
    return out


def randint_from_words(words: Array, *, low: int, high: int) -> Array:
    """Return int64 numbers in [low, high): low plus the high part of each 64-bit word times (high - low)."""
    span_high, span_low, _, _ = streams.randint_halves(low, high)
    _width(words, 64)
    span = np.uint64((span_high << 32 | span_low) & (2**64 - 1))
    return _elementwise("randint", words, np.int64, span, np.int64(low))


def permutation_from_words(words: Array) -> Array:
    """Return the permutation (int64) that sorts 64-bit words of shape (n,), equal words in their order."""
    _width(words, 64)
    return cupy.argsort(words).astype(np.int64, copy=False)  # CuPy's sort is always stable


def bernoulli_from_words(words: Array, *, p: float | Array) -> Array:
    """Return bools, true where a 32-bit word is below p 2^32 rounded half to even.

    ``p`` is a Python number in [0, 1] (else ValueError) or a floating array that broadcasts with the words.
    """
    _width(words, 32)
    if not isinstance(p, (int, float)):
        return words.astype(np.float64) < cupy.rint(p.astype(np.float64) * 2.0**32)
    return _elementwise("below", words, np.bool_, np.uint64(streams.bernoulli_threshold(p)))


def _width(words: Array, wanted: int | None = None) -> int:
    """Return the bits of a word; TypeError for other arrays, or where another width is wanted."""
    width = {"uint32": 32, "uint64": 64}.get(words.dtype.name, 0)
    if width == 0 or wanted not in (None, width):
        raise TypeError(f"expected random words of {wanted or '32 or 64'} bits, got {words.dtype}")
    return width
