"""Functions whose results IEEE 754 fixes to the bit, where PyTorch's own on the CPU differ.

On the CPU one square root in seventy is off by a unit, and which ones depends on the layout of the tensor; a remainder
of numbers that are far apart is NaN. NumPy uses the processor's own instructions, and works on the same memory. CUDA's
functions keep the standard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from dovetail.backend import Array, Call


def _on_the_same_memory(function: Any, *tensors: Array) -> Array:
    with np.errstate(all="ignore"):
        result = np.asarray(function(*(np.from_dlpack(t) for t in tensors)))
    return from_dlpack(result)


def sqrt(x: Array) -> Array:
    """The square root of float32 or float64 numbers, correctly rounded."""
    return _on_the_same_memory(np.sqrt, x) if x.device.type == "cpu" else torch.sqrt(x)


def fmod(x: Array, y: Array) -> Array:
    """The remainder with the sign of the dividend, which is exact."""
    return _on_the_same_memory(np.fmod, x, y) if x.device.type == "cpu" else torch.fmod(x, y)


def remainder(x: Array, y: Array) -> Array:
    """The remainder with the sign of the divisor, zero included."""
    rest = fmod(x, y)
    other_side = (rest != 0) & ((rest < 0) != (y < 0))
    return torch.where(rest == 0, torch.copysign(rest, y), torch.where(other_side, rest + y, rest))


def for_floats(function: Callable[..., Array], whole: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """Bind a function for floating-point numbers, and what the table had for all others."""
    return lambda call: function if call.output.dtype.is_floating_point else whole(call)


def log1p(x: Array) -> Array:
    """``log(1 + x)``; of a number so small that its square vanishes beside it, the number (PyTorch's gives 0)."""
    return torch.where(torch.abs(x) < torch.finfo(x.dtype).tiny, x, torch.log1p(x))
