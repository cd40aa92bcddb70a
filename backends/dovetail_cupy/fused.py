"""Softmax, layer normalisation and optimizer steps in one kernel each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import cupy
import numpy as np

from dovetail.backend import Array, Call, KernelTable, dtypes, ops
from dovetail_cupy import launch
from dovetail_cupy.fused_source import source

Kernel = Callable[..., Array]

table: Final = KernelTable()

_NOTHING: Final = np.uintp(0)
"""A null pointer."""


def _address(array: Array | None) -> Any:
    """An operand that may be missing."""
    return _NOTHING if array is None else cupy.ascontiguousarray(array)


# ------------------------------------------------------------------------------------------ softmax


def _along(name: str, operands: int) -> Callable[[Call], Kernel]:
    """Bind a kernel over the rows along the dimension of a call."""

    def bind(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        dim: int = call.statics["dim"]
        n = shape[dim] if shape else 1
        inner = math.prod(shape[dim + 1 :])
        count = math.prod(shape) // n if n else 0
        host = call.output.dtype.host
        kernel = f"{name}_{host.name}"

        def run(*arrays: Array) -> Array:
            out = cupy.empty(shape, host)
            given = [cupy.ascontiguousarray(a) for a in arrays[:operands]]
            launch.rows(source(), kernel, count, *given, out, np.int64(n), np.int64(inner))
            return out

        return run

    return bind


table.binder(ops.softmax)(_along("softmax", 1))
table.binder(ops.log_softmax)(_along("log_softmax", 1))
table.binder(ops.softmax_backward)(_along("softmax_backward", 2))
table.binder(ops.log_softmax_backward)(_along("log_softmax_backward", 2))

# ------------------------------------------------------------------------------------------ layer normalisation


def _rows_of(call: Call, position: int) -> tuple[int, int]:
    """How many rows an input has over the normalised dimensions, and how long they are."""
    n = math.prod(call.statics["normalized_shape"])
    return call.inputs[position].size // n if n else 0, n


@table.binder(ops.layer_norm)
def _layer_norm(call: Call) -> Kernel | None:
    count, n = _rows_of(call, 0)
    if not n or not _one_dtype(call):
        return None
    shapes = [tuple(s.shape) for s in call.outputs]
    host, eps = call.output.dtype.host, np.float64(call.statics["eps"])

    def run(x: Array, weight: Array | None, bias: Array | None) -> tuple[Array, ...]:
        out, mean, rstd = (cupy.empty(shape, host) for shape in shapes)
        given = cupy.ascontiguousarray(x), _address(weight), _address(bias)
        launch.rows(source(), f"layer_norm_{host.name}", count, *given, out, mean, rstd, eps, np.int64(n))
        return out, mean, rstd

    return run


@table.binder(ops.layer_norm_backward)
def _layer_norm_backward(call: Call) -> Kernel | None:
    count, n = _rows_of(call, 1)
    if not n or not _one_dtype(call):
        return None
    host = call.output.dtype.host
    shape, part = tuple(call.output.shape), tuple(call.statics["normalized_shape"])

    def run(g: Array, x: Array, weight: Array | None, mean: Array, rstd: Array) -> tuple[Array, ...]:
        out = cupy.empty(shape, host)
        given = cupy.ascontiguousarray(g), cupy.ascontiguousarray(x), _address(weight), _address(mean), _address(rstd)
        launch.rows(source(), f"layer_norm_backward_{host.name}", count, *given, out, np.int64(n))
        normal = (x - mean) * rstd
        over = partial(_total, axes=tuple(range(len(shape) - len(part))))
        return out, over(g * normal), over(g)

    return run


def _one_dtype(call: Call) -> bool:
    """Whether all operands and results have the dtype of the first result."""
    return all(getattr(s, "dtype", call.output.dtype) is call.output.dtype for s in (*call.inputs, *call.outputs))


def _total(x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over the leading axes, in float64."""
    if not axes:
        return x
    return cupy.sum(x, axis=axes, dtype=cupy.float64).astype(x.dtype, copy=False)


# ------------------------------------------------------------------------------------------ optimizer steps


def _number(x: Array) -> Array:
    """A 0-d array as float64 on the device."""
    return x.astype(cupy.float64, copy=False)


def _update(kept: Sequence[Array], out: tuple[Array, ...] | None, start: Callable[[list[Array]], None]) -> list[Array]:
    """Run a kernel that writes arrays: those that were granted, else copies; any layout but row-major on the side."""
    own = list(out) if out is not None else [a.copy(order="C") for a in kept]
    flat = [a if a.flags.c_contiguous else a.copy(order="C") for a in own]
    start(flat)
    for mine, written in zip(own, flat, strict=True):
        if mine is not written:
            mine[...] = written
    return own


def _single_or_double(call: Call) -> bool:
    return call.output.dtype in (dtypes.float32, dtypes.float64)


@table.binder(ops.sgd_step, out=True)
def _sgd_step(call: Call) -> Kernel | None:
    if not _single_or_double(call):
        return None
    flags = [np.bool_(call.statics[n]) for n in ("nesterov", "decayed", "maximize")]
    kernel = f"sgd_step_{call.output.dtype.name}"

    def run(param: Array, grad: Array, buffer: Array | None, numbers: Array, *, out: Any = None) -> Any:
        gradient = cupy.ascontiguousarray(grad)

        def start(own: list[Array]) -> None:
            velocity = own[1] if buffer is not None else _NOTHING
            launch.each(source(), kernel, param.size, own[0], gradient, velocity, numbers, *flags)

        own = _update([param] if buffer is None else [param, buffer], out, start)
        return own[0] if buffer is None else tuple(own)

    return run


@table.binder(ops.adam_step, out=True)
def _adam_step(call: Call) -> Kernel | None:
    if not _single_or_double(call):
        return None
    flags = [np.bool_(call.statics[n]) for n in ("decayed", "decoupled", "maximize")]
    kernel = f"adam_step_{call.output.dtype.name}"

    def run(
        param: Array, grad: Array, mean: Array, square: Array, largest: Array | None, step: Array, numbers: Array,
        *, out: Any = None,
    ) -> Any:  # fmt: skip
        gradient = cupy.ascontiguousarray(grad)

        def start(own: list[Array]) -> None:
            count = own[-1]
            count += 1
            arrays = (own[0], gradient, own[1], own[2], own[3] if largest is not None else _NOTHING)
            launch.each(source(), kernel, param.size, *arrays, numbers, _number(count), *flags)

        kept = [param, mean, square, step] if largest is None else [param, mean, square, largest, step]
        return tuple(_update(kept, out, start))

    return run
