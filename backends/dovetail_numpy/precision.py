"""The dtype in which a kernel computes, and the one rounding back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_FLOAT32 = np.dtype(np.float32)


def is_half(dtype: np.dtype[Any]) -> bool:
    """Tell whether ``dtype`` is a 16-bit float: float16, or bfloat16, whose NumPy kind is ``V``."""
    return dtype.itemsize == 2 and dtype.kind in "fV"


def wide_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype to compute in: float32 for the 16-bit floats, the dtype itself for all others."""
    return _FLOAT32 if is_half(dtype) else dtype


def widen(array: Array) -> Array:
    """Cast a 16-bit float array to float32, which is exact; every other array comes back as it is."""
    return array.astype(_FLOAT32) if is_half(array.dtype) else array


def widen_optional(array: Array | None) -> Array | None:
    """Widen an operand that may be missing."""
    return None if array is None else widen(array)


def narrow(array: Array, dtype: np.dtype[Any]) -> Array:
    """Round a result once to ``dtype``, keeping its memory order; no copy where it has the dtype already."""
    return array if array.dtype == dtype else array.astype(dtype)
