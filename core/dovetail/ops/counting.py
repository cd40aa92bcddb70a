"""Counting elements: how often each occurs, in which interval, and which ones are different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ShapeError, UnsupportedError
from dovetail.ops.definition import Number, front, op
from dovetail.ops.gathering import index_select, nonzero, scatter_add
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.ops.rearrangement import positions
from dovetail.ops.reduction import all as all_
from dovetail.ops.scan import cumsum
from dovetail.ops.shape import reshape
from dovetail.ops.sorting import argsort, elements_at, searchsorted, sort
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

# ------------------------------------------------------------------------------------------ counting


@op(
    method=True,
    nondifferentiable="counts are integers",
    samples=calls(
        call(Arg((5,), dtype="int64", values=[0, 3, 1, 3, 3])),
        call(Arg((3,), dtype="int64", values=[0, 3, 1]), Arg((3,))),
        call(Arg((2,), dtype="int64", values=[0, 1]), minlength=4),
        call(Arg((0,), dtype="int64", values=[]), minlength=3),
        dtypes=("float",),
        errors=(
            error(
                RuntimeError,
                "bincount only supports 1-d non-negative integral inputs.",
                Arg((1,), dtype="int64", values=[-1]),
            ),
            error(NotImplementedError, "\"bincount\" not implemented for 'Float'", Arg((2,))),
            error(RuntimeError, "minlength should be >= 0", Arg((2,), dtype="int64"), minlength=-1),
            error(
                RuntimeError,
                "weights should be 1-d and have the same length as input",
                Arg((2,), dtype="int64"),
                Arg((3,)),
            ),
        ),
    ),
    agree=Agree.exact(),
)
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each non-negative integer occurs in a vector, or the sum of its weights.

    The length of the result depends on the values, so a captured program refuses it.

    >>> import dovetail
    >>> dovetail.bincount(dovetail.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.dtype.category != dtypes.INTEGER:
        raise UnsupportedError(f"\"bincount\" not implemented for '{input.dtype.legacy_name}'")
    if minlength < 0:
        raise ArgumentRuntimeError("minlength should be >= 0")
    if input.ndim != 1:
        raise ArgumentRuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.shape != input.shape:
        raise ShapeError("weights should be 1-d and have the same length as input")
    values: Any = input.detach()
    low, high = (int(values.min()), int(values.max())) if input.shape[0] else (0, -1)
    if low < 0:
        raise ArgumentRuntimeError("bincount only supports 1-d non-negative integral inputs.")
    kind = dtypes.int64
    if weights is not None:
        kind = weights.dtype if weights.dtype is dtypes.float32 else dtypes.float64
    total = values.new_zeros((max(minlength, high + 1),), dtype=kind)
    source: Any = values.new_ones(input.shape, dtype=kind) if weights is None else weights
    return scatter_add(total, 0, values.to(dtypes.int64), source.detach().to(kind))


@op(
    method=True,
    nondifferentiable="counts are steps",
    samples=calls(
        call(Arg((9,), low=0, high=4), 4, 0, 4),
        call(Arg((3, 4)), bins=3),
        call(Arg((5,), low=-3, high=3), 4, -1, 1),
        errors=(
            error(RuntimeError, "torch.histogram(): bins must be > 0, but got 0", Arg((3,)), 0),
            error(RuntimeError, "max must be larger than min", Arg((3,)), 3, 2, 1),
        ),
    ),
    agree=Agree.exact(),
)
def histc(input: Tensor, bins: int = 100, min: Number = 0, max: Number = 0) -> Tensor:
    """How many elements fall into each of ``bins`` equal intervals between ``min`` and ``max``.

    Elements outside do not count, the last interval has both its ends. With ``min == max`` the interval is
    that of the elements, which a captured program refuses.

    >>> import dovetail
    >>> dovetail.histc(dovetail.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    if bins < 1:
        raise ArgumentRuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    if max < min:
        raise ArgumentRuntimeError("max must be larger than min")
    flat: Any = reshape(input.detach(), -1)
    low, high = float(min), float(max)
    if low == high and flat.shape[0]:
        low, high = float(flat.min()), float(flat.max())
    if low == high:
        low, high = low - 1, high + 1
    inside = (flat >= low) & (flat <= high)
    at = ((flat - low) / (high - low) * bins).to(dtypes.int64).clamp(0, bins - 1)
    return scatter_add(flat.new_zeros((bins,)), 0, at, inside.to(flat.dtype))


# ------------------------------------------------------------------------------------------ differing


def _runs(rows: Tensor) -> Tensor:
    """Whether each slice of the first dimension differs from the one before it."""
    count = rows.shape[0]
    if count < 2:
        return rows.new_ones((count,), dtype=dtypes.bool_)
    differs: Any = narrow(rows, 0, 1, count - 1) != narrow(rows, 0, 0, count - 1)
    if rows.ndim > 1:
        differs = ~all_(reshape(~differs, (count - 1, -1)), 1)
    return cat([differs.new_ones((1,)), differs])


def _row_order(rows: Tensor) -> Tensor:
    """The order of slices as words: stable sorts by the last letter first."""
    matrix = reshape(rows, (rows.shape[0], -1)) if rows.numel() else reshape(rows, (rows.shape[0], 0))
    order = positions(rows.shape[0], rows)
    for column in reversed(range(matrix.shape[1])):
        letters = reshape(narrow(matrix, 1, column, 1), -1)
        order = index_select(order, 0, argsort(index_select(letters, 0, order), 0))
    return order


def _different(
    rows: Tensor, order: Tensor | None, inverse_shape: Sequence[int], inverse: bool, counts: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The first slice of each run; optionally the run of every slice, and the lengths of the runs."""
    ordered = rows if order is None else index_select(rows, 0, order)
    begins = _runs(ordered)
    starts = reshape(nonzero(begins), -1)
    values = index_select(ordered, 0, starts)
    number = length = None
    if inverse:
        number = cumsum(begins, 0) - 1
        if order is not None:
            number = number.new_zeros(number.shape).scatter(0, order, number)
        number = reshape(number, inverse_shape)
    if counts:
        end = starts.new_full((1,), rows.shape[0])
        ends = cat([starts, end])
        length = narrow(ends, 0, 1, starts.shape[0]) - starts
    return values, number, length


def _unique(input: Tensor, dim: int | None, ordered: bool, inverse: bool, counts: bool) -> Any:
    input = input.detach()
    if dim is None:
        rows = reshape(input, -1)
        order = argsort(rows, 0) if ordered else None
        found = _different(rows, order, input.shape, inverse, counts)
    else:
        at = normalize_dim(dim, input.ndim)
        rows = input.movedim(at, 0)
        order = _row_order(rows) if ordered else None
        values, number, length = _different(rows, order, (rows.shape[0],), inverse, counts)
        found = (values.movedim(0, at), number, length)
    results = tuple(f for f in found if f is not None)
    return results[0] if len(results) == 1 else results


@front(method=True)
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements (or slices of ``dim``) in order; on request the place of each and their numbers.

    The shape depends on the values, so a captured program refuses it. NaN differs from NaN.

    >>> import dovetail
    >>> dovetail.unique(dovetail.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    return _unique(input, dim, True, return_inverse, return_counts)


@front(method=True)
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of each run of equal elements (or slices of ``dim``); on request runs of each and lengths.

    >>> import dovetail
    >>> dovetail.unique_consecutive(dovetail.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    return _unique(input, dim, False, return_inverse, return_counts)


@front()
def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element occurs in another tensor.

    >>> import dovetail
    >>> dovetail.isin(dovetail.tensor([1, 2]), dovetail.tensor([2, 4]))
    tensor([False,  True])
    """
    if not isinstance(elements, Tensor):
        elements = test_elements.new_tensor(elements)
    if not isinstance(test_elements, Tensor):
        test_elements = elements.new_tensor(test_elements)
    row: Any = sort(reshape(test_elements, -1), 0).values
    found: Tensor
    if not row.shape[0]:
        found = elements != elements
        return ~found if invert else found
    kind = dtypes.promote_types(row.dtype, elements.dtype)
    row, wanted = row.to(kind), elements.to(kind)
    at = searchsorted(row, wanted).clamp(0, row.shape[0] - 1)
    found = elements_at(row, at) == wanted
    return ~found if invert else found
