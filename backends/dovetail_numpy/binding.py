"""How functions of NumPy become kernels: results are arrays, 16-bit floats go through float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, dtypes

Kernel = Callable[..., Array]

HALF: Final = (dtypes.float16, dtypes.bfloat16)
"""Types that are computed in float32 and rounded once."""


def elementwise(ufunc: Any) -> Callable[[Call], Kernel]:
    """Bind a ufunc: 0-d results as arrays, 16-bit floats through float32."""

    def bind(call: Call) -> Kernel:
        if call.inputs[0].dtype in HALF:
            return widened(ufunc, call.output.dtype.host)
        if call.output.shape == ():
            return partial(ufunc, out=...)
        return ufunc  # type: ignore[no-any-return]  # a ufunc is a function on arrays

    return bind


def widened(function: Any, host: Any) -> Kernel:
    """A function of arrays computed in float32, its result rounded once to ``host``."""

    def kernel(*arrays: Array, out: Array = None) -> Array:
        result = np.asarray(function(*(np.asarray(a, np.float32) for a in arrays))).astype(host)
        if out is None:
            return result
        out[...] = result
        return out

    return kernel


def doubled(ufunc: Any) -> Callable[[Call], Kernel]:
    """Bind a ufunc that misses its bound in float32: computed in float64 there and rounded once."""

    def bind(call: Call) -> Kernel:
        if call.inputs[0].dtype is not dtypes.float32:
            return elementwise(ufunc)(call)

        shape = tuple(call.output.shape)

        def kernel(*arrays: Array, out: Array = None) -> Array:
            # NumPy converts in blocks that stay in the cache; casts before and after would make whole arrays
            result = np.empty(shape, np.float32) if out is None else out
            ufunc(*arrays, out=result, dtype=np.float64, casting="same_kind")
            return result

        return kernel

    return bind


def enter(
    table: KernelTable, functions: dict[Any, Any], bind: Callable[[Any], Any] = elementwise, out: bool = True
) -> None:
    """Register a ufunc for each op."""
    for op, ufunc in functions.items():
        table.binder(op, out=out)(bind(ufunc))
