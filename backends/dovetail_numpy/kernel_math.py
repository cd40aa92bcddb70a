"""Functions of single numbers and of pairs: NumPy's own where they meet the bound, else repaired."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, ops
from dovetail_numpy.binding import Kernel, doubled, elementwise, enter

table: Final = KernelTable()

enter(
    table,
    {
        ops.exp: np.exp,
        ops.exp2: np.exp2,
        ops.log2: np.log2,
        ops.log1p: np.log1p,
        ops.sqrt: np.sqrt,
        ops.logaddexp: np.logaddexp,
        ops.logaddexp2: np.logaddexp2,
        ops.sin: np.sin,
        ops.cos: np.cos,
        ops.tan: np.tan,
        ops.asin: np.arcsin,
        ops.acos: np.arccos,
        ops.atan: np.arctan,
        ops.atan2: np.arctan2,
        ops.sinh: np.sinh,
        ops.cosh: np.cosh,
        ops.tanh: np.tanh,
        ops.hypot: np.hypot,
    },
)
# NumPy's float32 kernels for wide vectors are up to 3.8, 3 and 2.6 ULP off for the first three, more than these may be;
# the others are composites, whose decompositions compute in float64.
enter(
    table,
    {
        ops.log: np.log,
        ops.log10: np.log10,
        ops.expm1: np.expm1,
        ops.asinh: np.arcsinh,
        ops.acosh: np.arccosh,
        ops.atanh: np.arctanh,
    },
    doubled,
)


@table.binder(ops.sigmoid)
def _sigmoid(call: Call) -> Kernel:
    """exp(-|x|) never overflows; the numerator is 1 on the right and that exponential on the left."""
    host = call.output.dtype.host
    wide = np.dtype(np.float32) if host.itemsize == 2 else host
    zero, one, minus_one = (np.array(v, wide) for v in (0, 1, -1))

    def kernel(x: Array) -> Array:
        x = x.astype(wide, copy=False)
        e = np.copysign(x, minus_one, out=...)
        np.exp(e, out=e)
        result = np.maximum(e, np.greater_equal(x, zero), out=..., dtype=wide)
        np.add(e, one, out=e)
        return np.true_divide(result, e, out=result).astype(host, copy=False)

    return kernel


def _rsqrt_single(x: Array) -> Array:
    return np.reciprocal(np.sqrt(x, dtype=np.float64)).astype(np.float32)


_FAR: Final = 2.0**900


def _rsqrt_double(x: Array) -> Array:
    """sqrt(1 / x) is off by less than 1 / sqrt(x), unless 1 / x overflows or is subnormal."""
    result = np.sqrt(np.reciprocal(x, out=...), out=...)
    far = (x > _FAR) | (x < 1 / _FAR)
    if far.any():
        scale = np.where(np.abs(x) > 1, 2.0**-200, 2.0**200)
        result = np.where(far, np.sqrt(1 / (x * scale * scale)) * scale, result)
        result = np.where(x == 0, 1 / x, np.where(x < 0, np.nan, result))
    return np.asarray(result)


@table.binder(ops.rsqrt)
def _rsqrt(call: Call) -> Kernel:
    if call.output.dtype.itemsize == 8:
        return _rsqrt_double
    return partial(_rounded, _rsqrt_single, call.output.dtype.host)


def _rounded(function: Any, host: Any, x: Array) -> Array:
    return np.asarray(function(np.asarray(x, np.float32))).astype(host, copy=False)


def _integer(x: Array) -> Array:
    return x


def _rounding(ufunc: Any) -> Any:
    """Integers are rounded already."""

    def bind(call: Call) -> Kernel:
        return elementwise(ufunc)(call) if call.output.dtype.is_floating_point else _integer

    return bind


_ROUNDINGS: Final = {ops.floor: np.floor, ops.ceil: np.ceil, ops.trunc: np.trunc, ops.round: np.rint}
enter(table, _ROUNDINGS, _rounding, out=False)
