"""Kernels in the array-API standard that read and write at positions given by tensors.

The standard can take along positions and cannot write to them. So positions are sorted: equal ones become
neighbours, and a binary search finds each target's segment among them. What a segment adds up to is a
segmented scan in ceil(log2 n) steps (W. D. Hillis, G. L. Steele, Data parallel algorithms, Communications of
the ACM 29, 1986).
"""

from __future__ import annotations

import math

from dovetail import ops
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, KernelTable


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the kernels of this family."""
    table = KernelTable()
    _rows(table, space)
    _elements(table, space)
    return table


def _rows(table: KernelTable, space: Space) -> None:
    """One position per row along a dimension."""
    xp = space.xp

    @table(ops.index_select)
    def index_select(x: Array, index: Array, dim: int) -> Array:
        return xp.take(x, xp.reshape(index, (-1,)), axis=dim) if x.ndim else x

    @table(ops.index_add)
    def index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
        if not x.ndim:
            return x + source
        flat = xp.reshape(index, (-1,))
        return xp.moveaxis(put_sum(space, xp.moveaxis(x, dim, 0), flat, xp.moveaxis(source, dim, 0)), 0, dim)

    @table(ops.index_copy)
    def index_copy(x: Array, index: Array, source: Array, dim: int) -> Array:
        if not x.ndim:
            return source
        flat = xp.reshape(index, (-1,))
        return xp.moveaxis(put_last(space, xp.moveaxis(x, dim, 0), flat, xp.moveaxis(source, dim, 0)), 0, dim)


def _elements(table: KernelTable, space: Space) -> None:
    """One position per element: rows of the flattened tensor."""
    xp = space.xp

    @table(ops.gather)
    def gather(x: Array, index: Array, dim: int) -> Array:
        if not x.ndim:
            return xp.broadcast_to(x, index.shape)
        taken = xp.take(xp.reshape(x, (-1,)), _places(space, x.shape, index, dim), axis=0)
        return xp.reshape(taken, index.shape)

    @table(ops.scatter_elements)
    def scatter(x: Array, index: Array, src: Array, dim: int) -> Array:
        places = _places(space, x.shape, index, dim)
        return xp.reshape(put_last(space, xp.reshape(x, (-1,)), places, xp.reshape(src, (-1,))), x.shape)

    @table(ops.scatter_add_elements)
    def scatter_add(x: Array, index: Array, src: Array, dim: int) -> Array:
        places = _places(space, x.shape, index, dim)
        return xp.reshape(put_sum(space, xp.reshape(x, (-1,)), places, xp.reshape(src, (-1,))), x.shape)


def _places(space: Space, shape: tuple[int, ...], index: Array, dim: int) -> Array:
    """The positions in the flattened tensor that an index along ``dim`` means, flat themselves."""
    xp = space.xp
    total = xp.astype(index, xp.int64) * math.prod(shape[dim + 1 :])
    for d, length in enumerate(index.shape):
        if d != dim:
            steps = space.numbers(length, index) * math.prod(shape[d + 1 :])
            total = total + xp.reshape(steps, tuple(-1 if e == d else 1 for e in range(index.ndim)))
    return xp.reshape(total, (-1,))


def put_last(space: Space, x: Array, places: Array, rows: Array) -> Array:
    """``x`` with ``rows`` at ``places`` of its first axis; of equal places the last one counts."""
    xp = space.xp
    if not places.shape[0]:
        return x
    order = xp.argsort(places, stable=True)
    end, hit = _segments(space, xp.take(places, order, axis=0), x)
    taken = xp.take(rows, xp.take(order, end, axis=0), axis=0)
    return xp.where(_as_rows(space, hit, x), taken, x)


def put_sum(space: Space, x: Array, places: Array, rows: Array) -> Array:
    """``x`` with ``rows`` added at ``places`` of its first axis.

    A segment is added up in a tree, then to ``x``; nothing of another segment enters, not even as a zero
    times it.
    """
    xp = space.xp
    count = places.shape[0]
    if not count:
        return x
    order = xp.argsort(places, stable=True)
    ordered, terms = xp.take(places, order, axis=0), xp.take(rows, order, axis=0)
    step = 1
    while step < count:
        same = _as_rows(space, ordered[step:] == ordered[:-step], terms)
        added = xp.where(same, terms[:-step, ...] + terms[step:, ...], terms[step:, ...])
        terms = xp.concat([terms[:step, ...], added], axis=0)
        step *= 2
    end, hit = _segments(space, ordered, x)
    return xp.where(_as_rows(space, hit, x), x + xp.take(terms, end, axis=0), x)


def _segments(space: Space, ordered: Array, x: Array) -> tuple[Array, Array]:
    """For every row of ``x`` the last of the sorted places that mean it, and whether one does."""
    xp = space.xp
    targets = xp.astype(space.numbers(x.shape[0], x), ordered.dtype)
    end = xp.searchsorted(ordered, targets, side="right")
    start = xp.searchsorted(ordered, targets, side="left")
    return xp.where(end > start, end - 1, xp.zeros_like(end)), end > start


def _as_rows(space: Space, flags: Array, x: Array) -> Array:
    """One flag per row in a shape that broadcasts with the rows."""
    return space.xp.reshape(flags, (-1, *(1,) * (x.ndim - 1)))
