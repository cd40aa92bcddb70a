"""Kernels in nothing but the array-API standard: the table, and what works element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import dtypes, ops
from dovetail.backend import (
    array_api_order,
    array_api_positions,
    array_api_random,
    array_api_reductions,
    array_api_shapes,
)
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, Call, HasRecord, KernelTable
from dovetail.record.op import Op

Kernel = Callable[..., Array]

_SAME: dict[HasRecord, str] = {
    ops.sub: "subtract", ops.div: "divide", ops.neg: "negative", ops.floor_divide: "floor_divide",
    ops.remainder: "remainder", ops.eq: "equal", ops.ne: "not_equal",
    ops.select_by: "where", ops.matmul: "matmul", ops.sqrt: "sqrt", ops.exp: "exp", ops.expm1: "expm1",
    ops.log: "log", ops.log1p: "log1p", ops.log2: "log2", ops.log10: "log10", ops.sin: "sin", ops.cos: "cos",
    ops.tan: "tan", ops.asin: "asin", ops.acos: "acos", ops.atan2: "atan2", ops.tanh: "tanh",
}  # fmt: skip
"""Ops that the standard has in the same meaning."""

_OF_FLOATS: dict[HasRecord, str] = {
    ops.floor: "floor", ops.ceil: "ceil", ops.trunc: "trunc", ops.round: "round", ops.isnan: "isnan",
    ops.atan: "atan", ops.sinh: "sinh", ops.cosh: "cosh", ops.asinh: "asinh", ops.acosh: "acosh",
    ops.atanh: "atanh", ops.hypot: "hypot", ops.logaddexp: "logaddexp",
}  # fmt: skip
"""The same of floating-point numbers; integers are rounded already, and other ops have a decomposition."""

FAMILIES = (array_api_shapes, array_api_reductions, array_api_order, array_api_positions, array_api_random)


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the table of every op that the namespace can run."""
    table = KernelTable()
    for op, name in _SAME.items():
        if hasattr(space.xp, name):
            table.binder(op)(_direct(space, op.record.name, getattr(space.xp, name)))
    for op, name in _OF_FLOATS.items():
        if hasattr(space.xp, name):
            table.binder(op)(_of_floats(space, op.record, getattr(space.xp, name)))
    _with_bools(table, space.xp)
    _ordered(table, space.xp)
    _signs(table, space)
    _remainders(table, space)
    _powers(table, space)
    for family in FAMILIES:
        table.update(family.kernels_for(space, halves))
    return table


def _direct(space: Space, name: str, function: Kernel) -> Callable[[Call], Kernel]:
    """The function itself, or for float32 in float64 where its own float32 form is too far off."""
    xp = space.xp

    def in_double(*arrays: Array) -> Array:
        return xp.astype(function(*(xp.astype(a, xp.float64) for a in arrays)), xp.float32)

    def bind(call: Call) -> Kernel:
        return in_double if name in space.through_double and call.output.dtype is dtypes.float32 else function

    return bind


def _of_floats(space: Space, op: Op, function: Kernel) -> Callable[[Call], Kernel | None]:
    direct = _direct(space, op.name, function)

    def bind(call: Call) -> Kernel | None:
        if call.inputs[0].dtype.is_floating_point:
            return direct(call)
        return (lambda x: x) if op.primitive else None

    return bind


def _by_kind(numeric: Kernel, logical: Kernel) -> Callable[[Call], Kernel]:
    return lambda call: logical if call.inputs[0].dtype is dtypes.bool_ else numeric


def _with_bools(table: KernelTable, xp: Any) -> None:
    """The standard has no arithmetic of bools: sums are "or", products "and", bit operations logical ones."""
    table.binder(ops.add)(_by_kind(xp.add, xp.logical_or))
    table.binder(ops.mul)(_by_kind(xp.multiply, xp.logical_and))
    table.binder(ops.maximum)(_by_kind(xp.maximum, xp.logical_or))
    table.binder(ops.minimum)(_by_kind(xp.minimum, xp.logical_and))
    table.binder(ops.bitwise_and)(_by_kind(xp.bitwise_and, xp.logical_and))
    table.binder(ops.bitwise_or)(_by_kind(xp.bitwise_or, xp.logical_or))
    table.binder(ops.bitwise_xor)(_by_kind(xp.bitwise_xor, xp.logical_xor))
    table.binder(ops.bitwise_not)(_by_kind(xp.bitwise_invert, xp.logical_not))
    table.binder(ops.abs)(_by_kind(xp.abs, lambda x: x))


def _ordered(table: KernelTable, xp: Any) -> None:
    """The standard orders numbers alone; False is less than True."""

    def bind(compare: Kernel) -> Callable[[Call], Kernel]:
        return _by_kind(compare, lambda x, y: compare(xp.astype(x, xp.uint8), xp.astype(y, xp.uint8)))

    for op, compare in (
        (ops.lt, xp.less),
        (ops.le, xp.less_equal),
        (ops.gt, xp.greater),
        (ops.ge, xp.greater_equal),
    ):
        table.binder(op)(bind(compare))


def _signs(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table(ops.logical_not)
    def logical_not(x: Array) -> Array:
        return xp.logical_not(x) if x.dtype == xp.bool else x == 0

    @table(ops.sign)
    def sign(x: Array) -> Array:
        """NaN and both zeros give 0."""
        if x.dtype == xp.bool:
            return x
        return xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)


def _remainders(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.fmod)
    def fmod(call: Call) -> Kernel:
        """The remainder with the dividend's sign: the standard's of the sizes, which needs no correction."""
        if call.output.dtype.is_floating_point:
            return lambda x, y: xp.copysign(xp.remainder(xp.abs(x), xp.abs(y)), x)
        return by_correction

    def by_correction(x: Array, y: Array) -> Array:
        rest = xp.remainder(x, y)
        return xp.where((rest != 0) & ((x < 0) != (rest < 0)), rest - y, rest)


def _powers(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.power)
    def power(call: Call) -> Kernel:
        dtype = call.output.dtype
        if dtype is dtypes.bool_:
            return lambda x, y: xp.logical_or(x, xp.logical_not(y))
        if dtype.category == dtypes.INTEGER:
            return whole if dtype.is_signed else xp.pow
        return _direct(space, ops.power.record.name, xp.pow)(call)

    def whole(x: Array, y: Array) -> Array:
        """The standard leaves negative exponents of integers open: 0, unless the base is 1 or -1."""
        zero, one = space.scalar(0, x), space.scalar(1, x)
        positive = xp.pow(x, xp.maximum(y, zero))
        odd = xp.remainder(y, space.scalar(2, y)) != 0
        inverse = xp.where(x == 1, one, xp.where(x == -1, xp.where(odd, -one, one), zero))
        return xp.where(y < 0, inverse, positive)
