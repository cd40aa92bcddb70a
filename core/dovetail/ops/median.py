"""Middle values, with and without NaN."""

from __future__ import annotations

import math
from typing import Any, Final

from dovetail.errors import DimensionError
from dovetail.ops.arithmetic import clamp
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import op
from dovetail.ops.gathering import gather
from dovetail.ops.reduction import sum
from dovetail.ops.results import ValuesIndices
from dovetail.ops.shape import reshape
from dovetail.ops.sorting import argsort, picked, sort
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import NUMERIC, Arg, Sample, call, calls, error
from dovetail.tensor.tensor import Tensor

_MIDDLE: Final[tuple[Sample, ...]] = (
    call(Arg((5,), distinct=True)),
    call(Arg((2, 4), distinct=True)),
    call(Arg(())),
)
_MIDDLES: Final[tuple[Sample, ...]] = (
    *_MIDDLE,
    call(Arg((2, 5), distinct=True), 1),
    call(Arg((3, 4), distinct=True), 0, True),
    call(Arg((3,), values=[1.0, math.nan, 0.0], grad=False)),
    call(Arg((2, 3), values=[[1.0, math.nan, 0.0], [3.0, 1.0, 2.0]], grad=False), 1),
)


def _middle(input: Tensor, ignore_nan: bool) -> Tensor:
    """The lower of the two middle values of a vector; NaN if there is one, or if there is nothing."""
    row = sort(input, 0).values
    if not row.shape[0]:
        return row.new_full((), math.nan)
    rank = _rank(row, 0, ignore_nan)
    value = reshape(gather(row, 0, rank), ())
    if not row.dtype.is_floating_point:
        return value
    return value if ignore_nan else select_by(row[-1] != row[-1], math.nan, value)


def _rank(input: Tensor, dim: int, ignore_nan: bool) -> Tensor:
    """The position of the middle value along a dimension in order, as a tensor of size 1 there.

    NaN comes last in order, so the first NaN is the element after all others.
    """
    there: Any = sum(input == input, dim, True)
    size = input.shape[dim]
    if ignore_nan:
        return clamp((there - 1) // 2, min=0)
    return select_by(there < size, there, there * 0 + (size - 1) // 2)


def _ties_share(g: Tensor, input: Tensor, out: Tensor) -> Tensor:
    ties: Any = ((input == out) | ((input != input) & (out != out))).to(g.dtype)
    share: Tensor = g * (ties / sum(ties))
    return share


@op(
    shape=rules.scalar,
    dtype=rules.same,
    internal=True,
    samples=calls(*_MIDDLE, dtypes=NUMERIC),
    agree=Agree.exact(),
)
def median_of_all(input: Tensor) -> Tensor:
    """The lower of the two middle values of all elements; equal elements share the gradient."""
    return _middle(reshape(input, -1), ignore_nan=False)


@op(
    shape=rules.scalar,
    dtype=rules.same,
    internal=True,
    samples=calls(*_MIDDLE, dtypes=NUMERIC),
    agree=Agree.exact(),
)
def nanmedian_of_all(input: Tensor) -> Tensor:
    """The lower of the two middle values of all elements but NaN; equal elements share the gradient."""
    return _middle(reshape(input, -1), ignore_nan=True)


median_of_all.vjp(input=_ties_share)
nanmedian_of_all.vjp(input=_ties_share)


def _median(name: str, input: Tensor, dim: int, keepdim: bool) -> ValuesIndices:
    at = normalize_dim(dim, input.ndim)
    if input.ndim and not input.shape[at]:
        raise DimensionError(f"{name}(): Expected reduction dim {at} to have non-zero size.")
    order = argsort(input, at)
    rank = _rank(input, at, name == "nanmedian") if input.ndim else order
    return picked(input, order, at, rank, keepdim)


_NOTHING: Final = error(IndexError, "Expected reduction dim 0 to have non-zero size", Arg((0, 2)), 0)


@op(method=True, samples=calls(*_MIDDLES, errors=(_NOTHING,)), agree=Agree.exact())
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower of the two middle values, of all elements or along a dimension with its position.

    NaN where there is one. Without ``dim`` equal elements share the gradient, with it the position has all.

    >>> import dovetail
    >>> dovetail.median(dovetail.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    return median_of_all(input) if dim is None else _median("median", input, dim, keepdim)


@op(method=True, samples=calls(*_MIDDLES, errors=(_NOTHING,)), agree=Agree.exact())
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """As ``median``, of the elements that are not NaN."""
    return nanmedian_of_all(input) if dim is None else _median("nanmedian", input, dim, keepdim)
