"""The kernel table of the NumPy backend."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, dtypes, ops, transfer
from dovetail_numpy import (
    kernel_diagonal,
    kernel_joining,
    kernel_math,
    kernel_nn,
    kernel_order,
    kernel_positions,
    kernel_random,
    kernel_reductions,
    kernel_sequence,
    kernel_spatial,
    kernel_special,
    kernel_steps,
)
from dovetail_numpy.binding import HALF, Kernel, elementwise, widened

table: Final = KernelTable()

# IEEE 754 has an answer for 1/0 and inf-inf, and every backend gives it in silence. NumPy's setting belongs to the
# context, so it is switched once for the process: a `with np.errstate` per call would cost as much as the call.
np.seterr(all="ignore")

CHECKED: Final = kernel_nn.CHECKED | kernel_positions.CHECKED
"""Ops whose kernels raise IndexError by themselves."""

for _family in (
    kernel_diagonal,
    kernel_joining,
    kernel_math,
    kernel_nn,
    kernel_order,
    kernel_positions,
    kernel_random,
    kernel_reductions,
    kernel_sequence,
    kernel_spatial,
    kernel_special,
    kernel_steps,
):
    table.update(_family.table)

for _op, _function in (
    (ops.add, np.add),
    (ops.sub, np.subtract),
    (ops.mul, np.multiply),
    (ops.div, np.true_divide),
    (ops.neg, np.negative),
    (ops.abs, np.absolute),
    (ops.maximum, np.maximum),
    (ops.minimum, np.minimum),
    (ops.floor_divide, np.floor_divide),
    (ops.remainder, np.remainder),
    (ops.fmod, np.fmod),
    (ops.eq, np.equal),
    (ops.ne, np.not_equal),
    (ops.lt, np.less),
    (ops.le, np.less_equal),
    (ops.gt, np.greater),
    (ops.ge, np.greater_equal),
    (ops.bitwise_and, np.bitwise_and),
    (ops.bitwise_or, np.bitwise_or),
    (ops.bitwise_xor, np.bitwise_xor),
    (ops.bitwise_not, np.invert),
    (ops.logical_not, np.logical_not),
    (ops.isnan, np.isnan),
):
    table.binder(_op, out=True)(elementwise(_function))


@table.binder(ops.power)
def _power(call: Call) -> Kernel:
    if call.output.dtype.category >= dtypes.FLOATING:
        return elementwise(np.power)(call)
    return _integer_power


def _integer_power(base: Array, exponent: Array) -> Array:
    """NumPy refuses negative exponents of integers; the answer is 0 unless the base is 1 or -1."""
    if base.dtype == np.bool_:
        return np.asarray(base | ~exponent)
    result = np.power(base, np.maximum(exponent, 0))
    negative = exponent < 0
    if not np.any(negative):
        return np.asarray(result)
    odd = exponent % 2 != 0
    one = np.where(base == 1, 1, np.where(base == -1, np.where(odd, -1, 1), 0)).astype(base.dtype)
    return np.asarray(np.where(negative, one, result))


@table(ops.sign)
def _sign(x: Array) -> Array:
    """NaN and both zeros give 0, where np.sign keeps them."""
    if x.dtype.kind in "biu":
        return np.asarray(x if x.dtype.kind == "b" else np.sign(x))
    return np.asarray((x > 0).astype(x.dtype) - (x < 0).astype(x.dtype))


_MANY: Final = 1 << 12


@table.binder(ops.select_by)
def _select_by(call: Call) -> Kernel:
    return _select_bits if call.output.size >= _MANY else np.where


def _select_bits(condition: Array, x: Array, y: Array) -> Array:
    """The choice by bits, y ^ ((x ^ y) & mask): `numpy.where` branches, seven times as slow on an irregular mask."""
    word = np.dtype(f"i{x.dtype.itemsize}")
    left, right = x.view(word), y.view(word)
    mask = condition.astype(word)
    np.negative(mask, out=mask)
    result = np.bitwise_xor(left, right) & mask
    result ^= right
    return result.view(x.dtype)


@table.binder(ops.kept)
def _kept(call: Call) -> Kernel:
    if call.output.size < _MANY or call.inputs[1].shape != call.output.shape:
        zero = np.zeros((), call.output.dtype.host)
        return lambda g, condition: np.where(condition, g, zero)
    return _kept_bits


def _kept_bits(g: Array, condition: Array) -> Array:
    word = np.dtype(f"i{g.dtype.itemsize}")
    mask = condition.astype(word)
    np.negative(mask, out=mask)
    mask &= g.view(word)
    return mask.view(g.dtype)


# ------------------------------------------------------------------------------------------ dtype and device


@table.binder(ops.cast)
def _cast(call: Call) -> Kernel:
    source, target = call.inputs[0].dtype, call.output.dtype
    if source.category == dtypes.FLOATING and target.category == dtypes.INTEGER:
        return partial(_to_integer, host=target.host)
    if source is dtypes.float64 and target is dtypes.bfloat16:
        return _float64_to_bfloat16
    return partial(_as, host=target.host)


def _as(x: Array, host: Any) -> Array:
    return x.astype(host)


def _to_integer(x: Array, host: Any) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer."""
    x = x.astype(np.float64) if x.dtype.itemsize < 8 else x
    info = np.iinfo(host)
    low, high = float(info.min), float(info.max)
    result = np.asarray(np.clip(np.nan_to_num(np.trunc(x), nan=0.0, posinf=high, neginf=low), low, high))
    inside = result.astype(host)
    return np.where(result >= high, info.max, inside).astype(host) if host.itemsize == 8 else inside


def _float64_to_bfloat16(x: Array) -> Array:
    """Through a float32 that is rounded to odd, so that the second rounding sees what the first one dropped."""
    near = x.astype(np.float32)
    back = near.astype(np.float64)
    bits = near.view(np.int32)
    inexact = (back != x) & np.isfinite(x)
    away = np.abs(back) > np.abs(x)
    truncated = bits - (inexact & away)
    odd = np.where(inexact, truncated | 1, bits).astype(np.int32)
    return np.asarray(odd).view(np.float32).astype(dtypes.bfloat16.host)


table.binder(ops.copy_to)(transfer)


@table(ops.clone)
def _clone(x: Array) -> Array:
    return np.array(x, order="C", copy=True)


# ------------------------------------------------------------------------------------------ shape


@table.binder(ops.view_as_shape)
def _reshape(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    return lambda x: x.reshape(shape)


@table.binder(ops.permute)
def _permute(call: Call) -> Kernel:
    dims = call.statics["dims"]
    return lambda x: x.transpose(dims)


@table.binder(ops.expand)
def _expand(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    lead = len(shape) - call.inputs[0].ndim
    stretched = [i < lead or call.inputs[0].shape[i - lead] != n for i, n in enumerate(shape)]

    def kernel(x: Array) -> Array:
        own = (0,) * lead + x.strides
        strides = tuple(0 if wide else s for wide, s in zip(stretched, own, strict=True))
        if not x.flags.c_contiguous:
            return np.lib.stride_tricks.as_strided(x, shape, strides)  # broadcast_to's views cannot be written
        return np.ndarray(shape, x.dtype, x, 0, strides)

    return kernel


def _selector(pattern: Any) -> Callable[[Any], Any]:
    """A function that makes NumPy's index of the first positions."""
    entries = list(pattern)

    def index(starts: Any) -> Any:
        place = iter(starts)
        found: list[Any] = []
        for p in entries:
            if p is None:
                found.append(None)
            elif p == "int":
                found.append(next(place))
            else:
                start = next(place)
                found.append(slice(start, start + p[0] * p[1], p[1]))
        return (*found, ...)

    return index


@table.binder(ops.basic_index)
def _basic_index(call: Call) -> Kernel:
    pattern = call.statics["pattern"]
    if pattern and pattern[0] == "int" and pattern[1:] == tuple((size, 1) for size in call.inputs[0].shape[1:]):
        return lambda x, starts: x[starts[0], ...]  # one row; the dots keep a number an array
    index = _selector(pattern)
    return lambda x, starts: x[index(starts)]


@table.binder(ops.basic_index_put)
def _basic_index_put(call: Call) -> Kernel:
    index = _selector(call.statics["pattern"])

    def kernel(x: Array, value: Array, starts: Any) -> Array:
        result = np.array(x, order="C", copy=True)
        result[index(starts)] = value
        return result

    return kernel


@table.binder(ops.view_scatter)
def _view_scatter(call: Call) -> Kernel | None:
    steps = call.statics["steps"]
    kernels = [plan.kernel for plan in steps]

    def kernel(base: Array, value: Array, live: Any) -> Array:
        result = np.array(base, order="C", copy=True)
        view = result
        for function, positions in zip(kernels, live, strict=True):
            view = function(view, *positions)
        if np.may_share_memory(result, view):
            view[...] = value
            return result
        flat = np.arange(result.size).reshape(result.shape)
        for function, positions in zip(kernels, live, strict=True):
            flat = function(flat, *positions)
        result.reshape(-1)[flat.reshape(-1)] = value.reshape(-1)
        return result

    return kernel


# ------------------------------------------------------------------------------------------ making


@table.binder(ops.filled)
def _filled(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    host = call.output.dtype.host

    def kernel(value: Array) -> Array:
        result = np.empty(shape, host)
        result.fill(value)
        return result

    return kernel


@table.binder(ops.iota)
def _iota(call: Call) -> Kernel:
    length = call.output.shape[0]
    return lambda anchor: np.arange(length, dtype=np.int64)


@table.binder(ops.matmul)
def _matmul(call: Call) -> Kernel:
    if call.output.dtype in HALF:
        return widened(np.matmul, call.output.dtype.host)
    if call.output.shape == ():
        return lambda a, b: np.asarray(np.matmul(a, b))
    if call.inputs[0].ndim > 2 and call.inputs[1].ndim == 2 and call.output.size:
        return partial(_rows_times_matrix, shape=tuple(call.output.shape))
    return np.matmul


def _rows_times_matrix(a: Array, b: Array, shape: tuple[int, ...]) -> Array:
    """One product over the rows of all batches: NumPy makes one for each batch."""
    result = np.empty(shape, a.dtype)
    np.matmul(a.reshape(-1, a.shape[-1]), b, out=result.reshape(-1, shape[-1]))
    return result


@table.binder(ops.clamp)
def _clamp(call: Call) -> Kernel | None:
    """One pass per bound, the second one in place."""
    if call.output.dtype in HALF:
        return None
    shape = call.output.shape

    def kernel(x: Array, low: Any, high: Any) -> Array:
        if high is None:
            return np.maximum(x, low, out=...)
        if low is None:
            return np.minimum(x, high, out=...)
        found = np.maximum(x, low, out=...)
        return np.minimum(found, high, out=found) if found.shape == shape else np.minimum(found, high, out=...)

    return kernel
