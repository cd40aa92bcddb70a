"""Kernels in the array-API standard that join, turn, run along and sort dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dovetail import dtypes, ops
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, Call, KernelTable

Kernel = Callable[..., Array]


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the kernels of this family."""
    table = KernelTable()
    _joining(table, space)
    _running(table, space)
    _sorting(table, space)
    return table


def _joining(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.cat)
    def cat(call: Call) -> Kernel:
        """Vectors of no elements are left out beside arrays of other dimensions."""
        dim, ndim = call.statics["dim"], call.output.ndim
        return lambda arrays: xp.concat([a for a in arrays if a.ndim == ndim], axis=dim)

    @table(ops.stack)
    def stack(arrays: Sequence[Array], dim: int) -> Array:
        return xp.stack(list(arrays), axis=dim)

    @table(ops.flip)
    def flip(x: Array, dims: tuple[int, ...]) -> Array:
        return xp.flip(x, axis=dims) if dims else x

    @table(ops.roll)
    def roll(x: Array, shifts: tuple[int, ...], dims: tuple[int, ...] | None) -> Array:
        return xp.roll(x, shifts if dims is not None else shifts[0], axis=dims) if x.ndim else x


def _running(table: KernelTable, space: Space) -> None:
    """Running sums and products, in the standard since 2023.12 and 2024.12."""
    xp = space.xp
    for op, name in ((ops.cumsum, "cumulative_sum"), (ops.cumprod, "cumulative_prod")):
        if hasattr(xp, name):
            table.binder(op)(_accumulated(space, getattr(xp, name)))


def _accumulated(space: Space, function: Kernel) -> Callable[[Call], Kernel]:
    def bind(call: Call) -> Kernel:
        own, dim = space.own[call.output.dtype], call.statics["dim"]
        if not call.output.ndim:
            return lambda x: x
        return lambda x: function(x, axis=dim, dtype=own)

    return bind


def _sorting(table: KernelTable, space: Space) -> None:
    xp = space.xp

    @table.binder(ops.argsort)
    def argsort(call: Call) -> Kernel:
        dim, descending = call.statics["dim"], call.statics["descending"]
        source = call.inputs[0]
        if not source.ndim:
            return lambda x: xp.zeros((), dtype=xp.int64, device=x.device)
        order = _nan_last if source.dtype.is_floating_point else _plain
        as_bytes = source.dtype is dtypes.bool_

        def kernel(x: Array) -> Array:
            x = xp.moveaxis(xp.astype(x, xp.uint8) if as_bytes else x, dim, -1)
            return xp.moveaxis(xp.astype(order(space, x, descending), xp.int64, copy=False), -1, dim)

        return kernel


def _plain(space: Space, x: Array, descending: bool) -> Array:
    return space.xp.argsort(x, axis=-1, descending=descending, stable=True)


def _nan_last(space: Space, x: Array, descending: bool) -> Array:
    """The standard leaves the place of NaN open; it counts as the largest, also beyond infinity.

    Two stable sorts, the second by whether an element is NaN.
    """
    xp = space.xp
    bad = xp.isnan(x)
    first = _plain(space, xp.where(bad, xp.zeros_like(x), x), descending)
    flags = xp.astype(xp.take_along_axis(bad, first, axis=-1), xp.uint8)
    return xp.take_along_axis(first, _plain(space, flags, descending), axis=-1)
