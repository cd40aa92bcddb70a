"""The kernel table of the CuPy backend: what it has beyond the array-API standard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cupy

from dovetail.backend import Array, Call, KernelTable, dtypes, ops, transfer
from dovetail_cupy import convolution, fused, philox, positions, special
from dovetail_cupy.elementwise import expression

Kernel = Callable[..., Array]

table: Final = KernelTable()

for _family in (convolution, fused, positions, special):
    table.update(_family.table)


def has_bfloat16() -> bool:
    """Whether this CuPy computes with ml_dtypes' bfloat16, whose type code is E."""
    return "E->E" in cupy.exp.types


# ------------------------------------------------------------------------------------------ element by element

_UFUNCS: Final[dict[Any, Any]] = {
    ops.add: cupy.add, ops.sub: cupy.subtract, ops.mul: cupy.multiply, ops.div: cupy.true_divide,
    ops.neg: cupy.negative, ops.abs: cupy.absolute, ops.maximum: cupy.maximum, ops.minimum: cupy.minimum,
    ops.fmod: cupy.fmod, ops.eq: cupy.equal, ops.ne: cupy.not_equal, ops.lt: cupy.less, ops.le: cupy.less_equal,
    ops.gt: cupy.greater, ops.ge: cupy.greater_equal, ops.bitwise_and: cupy.bitwise_and,
    ops.bitwise_or: cupy.bitwise_or, ops.bitwise_xor: cupy.bitwise_xor, ops.bitwise_not: cupy.invert,
    ops.logical_not: cupy.logical_not, ops.exp: cupy.exp, ops.exp2: cupy.exp2, ops.expm1: cupy.expm1,
    ops.log: cupy.log, ops.log1p: cupy.log1p, ops.log2: cupy.log2, ops.log10: cupy.log10, ops.sqrt: cupy.sqrt,
    ops.sin: cupy.sin, ops.cos: cupy.cos, ops.tan: cupy.tan, ops.asin: cupy.arcsin, ops.acos: cupy.arccos,
    ops.atan: cupy.arctan, ops.atan2: cupy.arctan2, ops.sinh: cupy.sinh, ops.cosh: cupy.cosh,
    ops.tanh: cupy.tanh,
}  # fmt: skip
"""Ops that are one function of CuPy, which may write its result into an array that it is given."""

for _op, _ufunc in _UFUNCS.items():
    table(_op, out=True)(_ufunc)


def _of_floats(name: str, whole: Kernel | None = None) -> Callable[[Call], Kernel | None]:
    """Bind an expression for floating-point numbers; ``whole`` is the function for integers and bools."""
    return lambda call: expression(name) if call.inputs[0].dtype.is_floating_point else whole


table.binder(ops.floor_divide)(_of_floats("floor_divide", cupy.floor_divide))
table.binder(ops.remainder)(_of_floats("remainder", cupy.remainder))
table.binder(ops.round)(lambda call: cupy.rint if call.inputs[0].dtype.is_floating_point else lambda x: x)
table(ops.select_by)(cupy.where)
table.binder(ops.relu, out=True)(lambda call: expression("relu"))
table.binder(ops.relu_backward)(lambda call: expression("relu_backward"))
table.binder(ops.sigmoid, out=True)(lambda call: expression("sigmoid"))
table.binder(ops.silu)(lambda call: expression("silu"))
table.binder(ops.silu_backward)(lambda call: expression("silu_backward"))


@table.binder(ops.gelu)
def _gelu(call: Call) -> Kernel | None:
    return expression("gelu") if call.statics["approximate"] == "none" else None


@table.binder(ops.gelu_backward)
def _gelu_backward(call: Call) -> Kernel | None:
    return expression("gelu_backward") if call.statics["approximate"] == "none" else None


@table.binder(ops.masked_scale)
def _masked_scale(call: Call) -> Kernel:
    run, scale = expression("masked_scale"), call.output.dtype.host.type(call.statics["scale"])
    return lambda x, mask: run(x, mask, scale)


# ------------------------------------------------------------------------------------------ dtype and device


def to_integer(x: Array, target: dtypes.dtype) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer."""
    bits = 8 * target.itemsize
    low = -(2 ** (bits - 1)) if target.is_signed else 0
    high = 2 ** (bits - 1) - 1 if target.is_signed else 2**bits - 1
    kind = target.host.type
    out = cupy.empty(x.shape, target.host)  # numbers alone would not tell CuPy the dtype of the result
    expression("to_integer")(x, float(low), float(high), kind(low), kind(high), out=out)
    return out


def with_integers(table: KernelTable) -> None:
    """Convert float32 and float64 to integers by one kernel; every other conversion stays as the table has it."""
    found = table.get(ops.cast.record.name)
    assert found is not None, "the portable table converts everything"
    portable = found.fn

    @table.binder(ops.cast)
    def cast(call: Call) -> Kernel:
        source, target = call.inputs[0].dtype, call.output.dtype
        if source in (dtypes.float32, dtypes.float64) and target.category == dtypes.INTEGER:
            return lambda x: to_integer(x, target)
        return portable(call)  # type: ignore[no-any-return]  # a binder's result is a function by its contract


def copier(call: Call) -> Kernel:
    """Bind a transfer: between devices of this backend without the host."""
    target: Any = call.statics["device"]
    if target.backend != call.device.backend:
        return transfer(call)
    place = target.runtime.place(target)

    def across(x: Array) -> Array:
        if not isinstance(x, cupy.ndarray):
            return target.runtime.from_host(target.runtime.to_host(x), target)
        with place:
            return x.copy(order="C")  # to the current device, wherever the array is

    return across


# ------------------------------------------------------------------------------------------ shape


@table.binder(ops.expand)
def _expand(call: Call) -> Kernel:
    shape = tuple(call.output.shape)
    return lambda x: cupy.broadcast_to(x, shape)


# ------------------------------------------------------------------------------------------ products


@table.binder(ops.matmul)
def _matmul(call: Call) -> Kernel:
    """A product over no terms is zero, and no library is asked."""
    if call.inputs[0].shape[-1]:
        return cupy.matmul  # type: ignore[no-any-return]  # a function on arrays
    shape, host = tuple(call.output.shape), call.output.dtype.host
    return lambda a, b: cupy.zeros(shape, host)


# ------------------------------------------------------------------------------------------ random

table(ops.random_words)(philox.random_words)
table(ops.permutation_from_words)(philox.permutation_from_words)
table(ops.randint_from_words)(philox.randint_from_words)
table(ops.bernoulli_from_words)(philox.bernoulli_from_words)


@table(ops.bernoulli_each_from_words)
def _bernoulli_each(words: Array, p: Array) -> Array:
    return philox.bernoulli_from_words(words, p=p)
