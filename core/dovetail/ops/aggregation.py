"""Reductions that are composed of others: products, counts, sums without NaN, sums of exponentials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dovetail import dtypes
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import op
from dovetail.ops.exponential import exp, log
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.ops.precision import in_single
from dovetail.ops.reduction import Dims, amax, count, sum, widened
from dovetail.ops.shape import permute, reshape
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import ALL, Arg, Sample, call, calls, error
from dovetail.tensor.tensor import Tensor

Dtype = dtypes.dtype

_SHAPES: tuple[Sample, ...] = (
    call(Arg((2, 3))),
    call(Arg((2, 3, 4)), 1),
    call(Arg((2, 3, 4)), (0, -1)),
    call(Arg(())),
)

# ------------------------------------------------------------------------------------------ products


def as_rows(input: Tensor, dim: Sequence[int]) -> Tensor:
    """The reduced dimensions in front and made one."""
    kept = [d for d in range(input.ndim) if d not in dim]
    order = (*dim, *kept)
    return reshape(permute(input, order), (count(input.shape, dim), *(input.shape[d] for d in kept)))


def _product_of_rows(rows: Tensor) -> Tensor:
    """By halving, in ceil(log2 n) products of slices."""
    while rows.shape[0] > 1:
        half = rows.shape[0] // 2
        pairs = narrow(rows, 0, 0, half) * narrow(rows, 0, half, half)
        rest = narrow(rows, 0, 2 * half, rows.shape[0] - 2 * half)
        rows = cat([pairs, rest], 0) if rest.shape[0] else pairs
    if not rows.shape[0]:
        return sum(rows, 0) + 1
    return reshape(rows, rows.shape[1:])


def kept_dims(result: Tensor, shape: Sequence[int], dim: Sequence[int], keepdim: bool) -> Tensor:
    """The result with the reduced dimensions as size 1, where they are kept."""
    return reshape(result, [1 if d in dim else n for d, n in enumerate(shape)]) if keepdim else result


@op(
    shape=rules.reduced,
    dtype=rules.summed,
    canon=rules.canonical_dims,
    method=True,
    samples=calls(
        call(Arg((2, 3))),
        call(Arg((2, 3, 4)), 1),
        call(Arg((2, 5)), -1, True),
        call(Arg((4,), values=[0.0, 2.0, 3.0, 1.0])),
        call(Arg((4,), values=[0.0, 2.0, 0.0, 1.0])),
        call(Arg(())),
        call(Arg((0, 3))),
        call(Arg((0, 3)), 0),
        dtypes=ALL,
        errors=(error(IndexError, "Dimension out of range", Arg((2,)), 1),),
    ),
    agree=Agree.terms(k=Growth(linear=1)),
    autocast="float32",
)
def prod(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """Product over dimensions (all by default); integers and bools multiply in int64, an empty product is 1.

    The gradient is that of the products themselves, hence right at zeros too.

    >>> import dovetail
    >>> dovetail.prod(dovetail.tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    tensor([ 2., 12.])
    """
    assert isinstance(dim, tuple), "parameters are canonical in the body"
    product = in_single(lambda x: _product_of_rows(as_rows(x, dim)), input)
    return kept_dims(product, input.shape, dim, keepdim)


# ------------------------------------------------------------------------------------------ counts, NaN


@op(
    method=True,
    samples=calls(call(Arg((4,), values=[1.0, float("nan"), 2.0, 3.0], grad=False)), *_SHAPES, dtypes=("float",)),
    agree=Agree.terms(k=Growth(log2=1, plus=32)),
)
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """Sum over dimensions in which NaN counts as 0.

    >>> import dovetail
    >>> dovetail.nansum(dovetail.tensor([1.0, float("nan")]))
    tensor(1.)
    """
    return sum(_without_nan(input), dim, keepdim, dtype=dtype)


def _without_nan(input: Tensor) -> Tensor:
    return input if input.dtype.category < dtypes.FLOATING else select_by(input != input, 0, input)


@op(
    method=True,
    nondifferentiable="the result is a number of elements",
    samples=calls(*_SHAPES, call(Arg((0, 3)), 0), dtypes=ALL),
    agree=Agree.exact(),
)
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not zero.

    >>> import dovetail
    >>> dovetail.count_nonzero(dovetail.tensor([0, 3, 5]))
    tensor(2)
    """
    return sum(input != 0, dim)


@op(
    method=True,
    samples=calls(call(Arg((4,), values=[1.0, float("nan"), 2.0, 3.0], grad=False)), *_SHAPES),
    agree=Agree.terms(k=Growth(log2=1, plus=32)),
)
def nanmean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Dtype | None = None) -> Tensor:
    """Mean over dimensions of the elements that are not NaN."""
    there = sum(input == input, dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / there


# ------------------------------------------------------------------------------------------ exponentials


def _logsumexp(input: Tensor, dim: Sequence[int]) -> Tensor:
    if not input.numel():
        return log(sum(input, dim, True))
    largest = amax(input, dim, True)
    shift = select_by(largest.abs() == math.inf, 0, largest)
    return log(sum(exp(input - shift), dim, True)) + shift


@op(
    shape=rules.reduced,
    dtype=rules.to_float,
    canon=rules.canonical_dims,
    method=True,
    samples=calls(
        call(Arg((2, 5)), 1),
        call(Arg((3, 4, 2), low=-30, high=30), (0, -1), True),
        call(Arg(()), 0),
        call(Arg((0,)), 0),
        call(Arg((2, 3), low=-800, high=800), 1),
        special=True,
    ),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """Logarithm of the sum of exponentials over dimensions, without overflow; -inf of nothing.

    >>> import dovetail
    >>> dovetail.logsumexp(dovetail.tensor([1000.0, 1000.0]), 0)
    tensor(1000.6932)
    """
    assert isinstance(dim, tuple), "parameters are canonical in the body"
    total = in_single(lambda x: _logsumexp(x, dim), input)
    return total if keepdim else reshape(total, rules.reduced(input._spec, dim=dim))


logsumexp.vjp(
    input=lambda g, input, out, *, specs, dim, keepdim: (
        widened(g, specs[0], dim, keepdim) * exp(input - widened(out, specs[0], dim, keepdim))
    )
)
