"""``x[...]`` and ``x[...] = v``: basic indexing as views, advanced indexing as gathers and scatters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.dispatch import state
from dovetail.dispatch.aliasing import check_writable
from dovetail.dispatch.constants import constant
from dovetail.errors import ArgumentError, ArgumentTypeError, IndexOutOfRange, ShapeError
from dovetail.ops.definition import bind, front
from dovetail.ops.gathering import index_add, index_copy, index_select, nonzero, wrap_index
from dovetail.ops.shape import basic_index, expand, inverse_permutation, permute, reshape
from dovetail.record.rules import broadcast_shapes, normalize_dim
from dovetail.tensor.tensor import Tensor


def _is_position(item: Any) -> bool:
    if isinstance(item, bool | np.bool_ | Tensor | slice | list | tuple | np.ndarray):
        return False
    return hasattr(item, "__index__")


def _is_basic(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice) or _is_position(item)


def _items(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _consumed(item: Any) -> int:
    """How many dimensions of the tensor an item stands for."""
    if item is None or item is Ellipsis or isinstance(item, bool | np.bool_):
        return 0
    if isinstance(item, Tensor) and item.dtype in (dtypes.bool_, dtypes.uint8):
        return item.ndim
    if isinstance(item, np.ndarray) and item.dtype == np.bool_:
        return item.ndim
    return 1


def _without_ellipsis(items: tuple[Any, ...], ndim: int) -> list[Any]:
    """Replace the ellipsis, or the missing end, by full slices."""
    used = sum(map(_consumed, items))
    if used > ndim:
        raise IndexOutOfRange(f"too many indices for tensor of dimension {ndim}")
    fill = [slice(None)] * (ndim - used)
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if not places:
        return [*items, *fill]
    if len(places) > 1:
        raise IndexOutOfRange("an index can only have a single ellipsis ('...')")
    at = places[0]
    return [*items[:at], *fill, *items[at + 1 :]]


def position(index: int, size: int, dim: int) -> int:
    """Return a non-negative position, or raise with index, dimension and size."""
    if not -size <= index < size:
        raise IndexOutOfRange(f"index {index} is out of bounds for dimension {dim} with size {size}")
    return index + size if index < 0 else index


def _slice(item: slice, size: int) -> tuple[int, int, int]:
    """First position, length and step of a slice."""
    step = item.step
    if step is not None and step.__index__() <= 0:
        raise ArgumentError("step must be greater than zero (use flip() to reverse a dimension)")
    first, last, stride = item.indices(size)
    length = last - first if stride == 1 else -(-(last - first) // stride)
    return first, length if length > 0 else 0, stride


def _view_of(x: Tensor, items: Sequence[Any]) -> Tensor:
    """The view that positions, slices and new axes describe."""
    pattern: list[Any] = []
    starts: list[int] = []
    dim = 0
    shape = x._spec.shape
    for item in items:
        if item is None:
            pattern.append(None)
            continue
        size = shape[dim]
        if isinstance(item, slice):
            first, length, step = _slice(item, size)
            pattern.append((length, step))
            starts.append(first)
        else:
            pattern.append("int")
            starts.append(position(item.__index__(), size, dim))
        dim += 1
    return basic_index(x, tuple(starts), pattern=tuple(pattern))


def getitem(self: Tensor, index: Any) -> Tensor:
    """``x[index]``: a view for positions, slices, None and ``...``; a copy for tensors, lists and masks."""
    dims = self._spec.dims
    if type(index) is int and dims:
        zeros, pattern = _rows.get(dims) or _row_of(dims)
        size = dims[0]
        start = index if 0 <= index < size else position(index, size, 0)
        return basic_index(self, (start, *zeros), pattern=pattern)
    found = _plain_index(index, dims)
    if found is not None:
        return basic_index(self, found[0], pattern=found[1])
    items = _items(index)
    if all(map(_is_basic, items)):
        return _view_of(self, _without_ellipsis(items, self._spec.ndim))
    return _Advanced(self, items).read()


_rows: Final[dict[tuple[int, ...], tuple[tuple[int, ...], tuple[Any, ...]]]] = {}
"""For each shape, the positions behind the first and the pattern of ``x[i]``: what a loop over a dataset asks for."""
MAX_ROWS: Final = 1024


def _row_of(dims: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    if len(_rows) >= MAX_ROWS:
        _rows.clear()
    found = _rows[dims] = (0,) * (len(dims) - 1), ("int", *((size, 1) for size in dims[1:]))
    return found


def _plain_index(index: Any, dims: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[Any, ...]] | None:
    """Positions and pattern of an index of ints and slices, the common one; None for any other."""
    items = index if type(index) is tuple else (index,)
    if len(items) > len(dims):
        return None
    starts: list[int] = []
    pattern: list[Any] = []
    for dim, size in enumerate(dims):
        if dim >= len(items):
            starts.append(0)
            pattern.append((size, 1))
            continue
        item = items[dim]
        kind = type(item)
        if kind is int:
            starts.append(item if 0 <= item < size else position(item, size, dim))
            pattern.append("int")
        elif kind is slice:
            first, length, step = _slice(item, size)
            starts.append(first)
            pattern.append((length, step))
        else:
            return None
    return tuple(starts), tuple(pattern)


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``: differentiable, in place, the value broadcast and converted to the tensor's dtype."""
    items = _items(index)
    if all(map(_is_basic, items)):
        target = _view_of(self, _without_ellipsis(items, self._spec.ndim))
        if _is_same_view(target, value):  # the end of `x[i] *= 2`: the view was written already
            check_writable(target, not state.state.special or state.grad_enabled.get())
            return
        target.copy_(_value(self, value, target.shape))
        return
    _Advanced(self, items).write(_value(self, value, None))


def _is_same_view(target: Tensor, value: Any) -> bool:
    """Whether a value is the very part of the storage that it would be written to."""
    if not isinstance(value, Tensor) or value._alias is None or target._alias is None:
        return False
    ours, theirs = target._alias, value._alias
    return ours.cell is theirs.cell and ours.root is theirs.root and ours.steps == theirs.steps


def _value(x: Tensor, value: Any, shape: Any) -> Tensor:
    """The value of an assignment as a tensor on the device; leading dimensions of size 1 may be too many."""
    if not isinstance(value, Tensor):
        if isinstance(value, list | tuple | np.ndarray):
            value = Tensor.make(Tensor, value, dtype=x.dtype, device=x.device)
        else:
            value = constant(value, x.dtype, x.device)
    if value.device is not x.device:
        value = value.to(x.device)
    if value.dtype is not x.dtype:
        value = value.to(x.dtype)
    while shape is not None and value.ndim > len(shape) and value.shape[0] == 1:
        value = value.reshape(value.shape[1:])
    return value  # type: ignore[no-any-return]  # converted above


class _Advanced:
    """An index with tensors, lists or masks, brought to one form.

    Masks become positions, positions broadcast to ``block`` (their common shape), and the tensor is seen as a matrix
    of rows: the indexed dimensions made one, times all the others.
    """

    def __init__(self, x: Tensor, items: tuple[Any, ...]) -> None:
        items = tuple(_as_index(x, item) for item in items)
        full = _without_ellipsis(items, x.ndim)
        self.base = self._slices(x, full)
        self.tensors: dict[int, Tensor] = {}
        self._positions(full)
        self.dims = sorted(self.tensors)
        self.rest = [d for d in range(self.base.ndim) if d not in self.tensors]
        self.block = _common([self.tensors[d] for d in self.dims])
        self.together = self.dims == list(range(self.dims[0], self.dims[-1] + 1))
        self.sizes = [self.base.shape[d] for d in self.dims]
        self.order = (*self.dims, *self.rest)

    def _slices(self, x: Tensor, full: Sequence[Any]) -> Tensor:
        """Apply what is basic in the index first, positions too; where a tensor stands, the whole dimension."""
        basic: list[Any] = []
        for item in full:
            if isinstance(item, Tensor):
                basic += [slice(None)] * item.ndim if item.dtype is dtypes.bool_ else [slice(None)]
            else:
                basic.append(item)
        if all(isinstance(i, slice) and i == slice(None) for i in basic):
            return x
        return _view_of(x, basic)

    def _positions(self, full: Sequence[Any]) -> None:
        """One tensor of positions per indexed dimension."""
        dim = 0
        for item in full:
            if isinstance(item, Tensor) and item.dtype is dtypes.bool_:
                self._mask(item, dim)
                dim += item.ndim
            elif isinstance(item, Tensor):
                self.tensors[dim] = item.to(dtypes.int64)
                dim += 1
            elif not _is_position(item):  # a position has taken its dimension away, as in PyTorch and unlike NumPy
                dim += 1

    def _mask(self, mask: Tensor, dim: int) -> None:
        found = self.base.shape[dim : dim + mask.ndim]
        if mask.shape != found:
            at = next(i for i, (a, b) in enumerate(zip(mask.shape, found, strict=True)) if a != b)
            raise IndexOutOfRange(
                f"The shape of the mask {list(mask.shape)} at index {at} does not match the shape of the "
                f"indexed tensor "
                f"{list(self.base.shape)} at index {dim + at}"
            )
        positions = nonzero(mask)
        for i in range(mask.ndim):
            self.tensors[dim + i] = basic_index(positions, (0, i), pattern=((positions.shape[0], 1), "int"))

    def _rows(self, x: Tensor) -> Tensor:
        """The tensor as rows: indexed dimensions first and made one, the others second and made one."""
        others = [x.shape[d] for d in self.rest]
        return reshape(permute(x, self.order), (math.prod(self.sizes), math.prod(others)))

    def _row_numbers(self) -> Tensor:
        """The row that each position of the block means."""
        total: Tensor | None = None
        for d, size, weight in zip(self.dims, self.sizes, _weights(self.sizes), strict=True):
            wrapped = wrap_index(self.tensors[d], size=size, dim=d)
            part = wrapped * weight if weight != 1 else wrapped
            total = part if total is None else total + part
        assert total is not None, "an advanced index has a tensor"
        return reshape(expand(total, self.block), -1)

    def read(self) -> Tensor:
        """The elements that the index picks."""
        rows = index_select(self._rows(self.base), 0, self._row_numbers())
        others = tuple(self.base.shape[d] for d in self.rest)
        return self._placed(reshape(rows, (*self.block, *others)))

    def _place(self) -> int:
        """Where the block of positions stands among the other dimensions."""
        return sum(d < self.dims[0] for d in self.rest) if self.together else 0

    def _placed(self, result: Tensor) -> Tensor:
        n, at = len(self.block), self._place()
        if not at:
            return result
        return permute(result, (*range(n, n + at), *range(n), *range(n + at, result.ndim)))

    def write(self, value: Tensor, accumulate: bool = False) -> None:
        """Put the value into the picked elements of the tensor, or add it to them."""
        rows_of_value = self._rows_of(value)
        if self.order == tuple(range(self.base.ndim)) and self.base.is_contiguous():
            rows = self._rows(self.base)  # a view: the write goes through it, without a copy of the tensor
            (rows.index_add_ if accumulate else rows.index_copy_)(0, self._row_numbers(), rows_of_value)
        else:
            self.base.copy_(self.replaced(rows_of_value, accumulate))

    def replaced(self, rows_of_value: Tensor, accumulate: bool) -> Tensor:
        """A copy of the tensor with other values in the picked elements."""
        put = index_add if accumulate else index_copy
        rows = put(self._rows(self.base), 0, self._row_numbers(), rows_of_value)
        others = tuple(self.base.shape[d] for d in self.rest)
        return permute(reshape(rows, (*self.sizes, *others)), inverse_permutation(self.order))

    def _rows_of(self, value: Tensor) -> Tensor:
        """The value broadcast to what the index picks, as one row per position."""
        others = tuple(self.base.shape[d] for d in self.rest)
        n, at = len(self.block), self._place()
        shape = (*others[:at], *self.block, *others[at:])
        while value.ndim > len(shape) and value.shape[0] == 1:
            value = reshape(value, value.shape[1:])
        try:
            value = expand(value, shape)
        except ShapeError as error:
            raise ShapeError(
                f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result of "
                f"shape {list(shape)}"
            ) from error
        value = permute(value, (*range(at, at + n), *range(at), *range(at + n, value.ndim)))
        return reshape(value, (math.prod(self.block), math.prod(others)))


def _weights(sizes: Sequence[int]) -> list[int]:
    return [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]


def _as_index(x: Tensor, item: Any) -> Any:
    """Lists and arrays as tensors of positions or masks on the tensor's device."""
    if isinstance(item, bool | np.bool_):
        raise ArgumentTypeError("an index that is a single bool is not supported: use None and a mask of one element")
    if isinstance(item, list | tuple | np.ndarray):
        item = Tensor.make(Tensor, item, device=x.device)
        if item.numel() == 0:
            item = item.to(dtypes.int64)
    if not isinstance(item, Tensor):
        if _is_basic(item):
            return item
        raise ArgumentTypeError(
            "only integers, slices (`:`), ellipsis (`...`), None and long, byte or bool tensors are valid indices "
            f"(got {type(item).__name__})"
        )
    if item.dtype is dtypes.uint8:
        item = item.to(dtypes.bool_)
    if item.dtype.category >= dtypes.FLOATING:
        raise IndexOutOfRange("tensors used as indices must be long, int, byte or bool tensors")
    return item if item.device is x.device else item.to(x.device)


def _common(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    try:
        return broadcast_shapes(*(t.shape for t in tensors))
    except ShapeError as error:
        raise IndexOutOfRange(
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            + ", ".join(str(list(t.shape)) for t in tensors)
        ) from error


@front(method=["index_put_"])
def index_put_(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Put values at the positions that a tuple of index tensors names, or add them there; returns the tensor."""
    items = tuple(slice(None) if i is None else i for i in indices)
    _Advanced(input, items).write(_value(input, values, None), accumulate)
    return input


@front(method=True, autocast={"accelerator": "widest"})
def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with values put at the positions that a tuple of index tensors names, or added there."""
    return index_put_(input.clone(), indices, values, accumulate)


@front(method=True)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at one position of a dimension, sharing storage."""
    at = normalize_dim(dim, input.ndim)
    return getitem(input, (*[slice(None)] * at, index))


@front(method=True)
def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` positions of a dimension from ``start`` on, sharing storage."""
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at]
    if not -size <= start <= size:
        raise IndexOutOfRange(f"start out of range (expected to be in range of [{-size}, {size}], but got {start})")
    first = start + size if start < 0 else start
    if length < 0 or first + length > size:
        raise ShapeError(f"start ({first}) + length ({length}) exceeds dimension size ({size}).")
    return getitem(input, (*[slice(None)] * at, slice(first, first + length)))


bind("__getitem__", getitem)
bind("__setitem__", setitem)
