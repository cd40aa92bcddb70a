"""Kernels in the array-API standard that make, convert, cut and move arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail import dtypes, ops
from dovetail.backend.array_api_halves import HALF, Halves
from dovetail.backend.array_api_positions import put_last
from dovetail.backend.array_api_space import Space
from dovetail.backend.transfer import transfer
from dovetail.contract.kernels import Array, Call, KernelTable

Kernel = Callable[..., Array]


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the kernels of this family."""
    table = KernelTable()
    _conversions(table, space, halves)
    _making(table, space)
    _shapes(table, space)
    _cutting(table, space)
    return table


def _conversions(table: KernelTable, space: Space, halves: Halves) -> None:
    xp = space.xp
    table.binder(ops.copy_to)(transfer)

    @table.binder(ops.cast)
    def cast(call: Call) -> Kernel:
        source, target = call.inputs[0].dtype, call.output.dtype
        if target in HALF:
            return lambda x: halves.from_any(x, target)
        convert = _converter(space, source, target)
        return (lambda x: convert(halves.widen(x))) if source in HALF else convert

    @table(ops.clone)
    def clone(x: Array) -> Array:
        return xp.asarray(x, copy=True)


def _converter(space: Space, source: dtypes.dtype, target: dtypes.dtype) -> Kernel:
    xp = space.xp
    own = space.own[target]
    if source.category == dtypes.FLOATING and target.category == dtypes.INTEGER:
        return lambda x: _to_integer(space, x, target)
    if target is dtypes.bool_:
        return lambda x: x if x.dtype == xp.bool else x != 0
    return lambda x: xp.astype(x, own)


def _to_integer(space: Space, x: Array, target: dtypes.dtype) -> Array:
    """Truncate; NaN gives 0, what is out of range the nearest integer."""
    xp = space.xp
    own = space.own[target]
    bits = 8 * target.itemsize
    low = -(2 ** (bits - 1)) if target.is_signed else 0
    high = 2 ** (bits - 1) - 1 if target.is_signed else 2**bits - 1
    wide = xp.astype(x, xp.float64) if space.has_double else x
    zero = space.scalar(0, wide)
    whole = xp.trunc(xp.where(xp.isnan(wide), zero, wide))
    top, bottom = whole >= float(high), whole <= float(low)
    inside = xp.astype(xp.where(top | bottom, zero, whole), own)
    filled = xp.where(top, space.scalar(high, inside), inside)
    return xp.where(bottom, space.scalar(low, inside), filled)


def _making(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.filled)
    def filled(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda value: xp.asarray(xp.broadcast_to(value, shape), copy=True)

    @table.binder(ops.iota)
    def iota(call: Call) -> Kernel:
        length = call.output.shape[0]
        return lambda anchor: space.numbers(length, anchor)


def _shapes(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.view_as_shape)
    def reshape(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda x: xp.reshape(x, shape)

    @table.binder(ops.permute)
    def permute(call: Call) -> Kernel:
        dims = call.statics["dims"]
        return lambda x: xp.permute_dims(x, dims)

    @table.binder(ops.diagonal)
    def diagonal(call: Call) -> Kernel:
        shape, shift = call.inputs[0].shape, call.statics["offset"]
        pair = (call.statics["dim1"], call.statics["dim2"])
        rest = [d for d in range(len(shape)) if d not in pair]
        rows, columns = (shape[d] for d in pair)
        flat = (*(shape[d] for d in rest), rows * columns)
        first, length = max(shift, 0) + max(-shift, 0) * columns, call.output.shape[-1]

        def kernel(x: Array) -> Array:
            at = space.numbers(length, x) * (columns + 1) + first
            return xp.take(xp.reshape(xp.permute_dims(x, (*rest, *pair)), flat), at, axis=-1)

        return kernel

    @table.binder(ops.expand)
    def expand(call: Call) -> Kernel:
        shape = tuple(call.output.shape)
        return lambda x: xp.broadcast_to(x, shape)


def _cutting(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.basic_index)
    def basic_index(call: Call) -> Kernel:
        index = selector(call.statics["pattern"], tuple(call.inputs[0].shape))
        return lambda x, starts: x[index(starts)]

    @table.binder(ops.basic_index_put)
    def basic_index_put(call: Call) -> Kernel:
        shape, size = tuple(call.inputs[0].shape), call.inputs[0].size
        # the standard has no new dimensions in what is assigned to
        pattern = [p for p in call.statics["pattern"] if p is not None]
        index = selector(pattern, shape)
        part = (*(p[0] for p in pattern if p != "int"), *shape[len(pattern) :])

        def by_assignment(x: Array, value: Array, starts: Any) -> Array:
            result = xp.asarray(x, copy=True)
            result[index(starts)] = xp.reshape(value, part)
            return result

        def by_gather(x: Array, value: Array, starts: Any) -> Array:
            chosen = xp.reshape(xp.reshape(space.numbers(size, x), shape)[index(starts)], (-1,))
            flat = put_last(space, xp.reshape(x, (-1,)), chosen, xp.reshape(value, (-1,)))
            return xp.reshape(flat, shape)

        return by_assignment if space.assignable else by_gather


def selector(pattern: Any, shape: tuple[int, ...]) -> Callable[[Any], Any]:
    """A function that makes the index of a pattern (see ``basic_index``) from the first positions.

    The standard leaves slices that end beyond the dimension open, so none does.
    """
    entries = list(pattern)
    sizes = list(shape)

    def index(starts: Any) -> Any:
        place, size = iter(starts), iter(sizes)
        found: list[Any] = []
        for p in entries:
            if p is None:
                found.append(None)
                continue
            start, length = next(place), next(size)
            if p == "int":
                found.append(start)
            elif not p[0]:
                found.append(slice(0, 0))
            else:
                found.append(slice(start, min(start + p[0] * p[1], length), p[1]))
        return (*found, ...)

    return index
