"""Running sums, products and extremes along a dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from dovetail import dtypes
from dovetail.errors import UnsupportedError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, OpFunction, op
from dovetail.ops.exponential import logaddexp
from dovetail.ops.gathering import gather
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.ops.precision import in_single
from dovetail.ops.rearrangement import flip, positions
from dovetail.ops.results import ValuesIndices
from dovetail.ops.shape import expand, reshape
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes
from dovetail.record.samples import ALL, NUMERIC, Arg, Samples, call, calls, error
from dovetail.tensor.tensor import Tensor

Dtype = dtypes.dtype


def _samples(kinds: tuple[str, ...], *errors: Any, **ranges: Any) -> Samples:
    return calls(
        call(Arg((5,), **ranges), 0),
        call(Arg((2, 3), **ranges), 1),
        call(Arg((3, 4, 2), **ranges), -2),
        call(Arg((), **ranges), 0),
        call(Arg((0, 3)), 0),
        call(Arg((2, 0)), 1),
        dtypes=kinds,
        errors=(error(IndexError, "Dimension out of range", Arg((2,)), 3), *errors),
    )


def scanned(combine: Callable[[Any, Any], Any], parts: tuple[Tensor, ...], dim: int) -> tuple[Tensor, ...]:
    """The running combination of slices, in ceil(log2 n) steps of doubling distance.

    ``combine(earlier, later)`` is associative and takes and gives one tuple of tensors for all parts. (W. D.
    Hillis and G. L. Steele, Data parallel algorithms, Communications of the ACM 29, 1986.)
    """
    size = parts[0].shape[dim] if parts[0].ndim else 1
    distance = 1
    while distance < size:
        rest = size - distance
        earlier = tuple(narrow(p, dim, 0, rest) for p in parts)
        later = tuple(narrow(p, dim, distance, rest) for p in parts)
        done = tuple(narrow(p, dim, 0, distance) for p in parts)
        parts = tuple(cat([d, c], dim) for d, c in zip(done, combine(earlier, later), strict=True))
        distance *= 2
    return parts


# ------------------------------------------------------------------------------------------ sums and products


@op(
    shape=rules.like_first,
    dtype=rules.summed,
    canon=rules.canonical_dim,
    method=True,
    inplace=True,
    samples=_samples(ALL),
    agree=Agree.terms(k=Growth(linear=1)),
    autocast={"accelerator": "float32"},
)
def cumsum(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """Sum of all elements up to each one along a dimension; integers and bools add up in int64.

    >>> import dovetail
    >>> dovetail.cumsum(dovetail.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    raise NoDecomposition


def _sums_from_the_end(g: Tensor, dim: int) -> Tensor:
    return flip(cumsum(flip(g, dim), dim), dim) if g.ndim else g


cumsum.vjp(input=lambda g, *, dim: _sums_from_the_end(g, dim))


def _product(earlier: tuple[Any], later: tuple[Any]) -> tuple[Any]:
    return (earlier[0] * later[0],)


@op(
    shape=rules.like_first,
    dtype=rules.summed,
    canon=rules.canonical_dim,
    method=True,
    inplace=True,
    samples=_samples(ALL),
    agree=Agree.terms(k=Growth(linear=1)),
    autocast={"accelerator": "float32"},
)
def cumprod(input: Tensor, dim: int, *, dtype: Dtype | None = None) -> Tensor:
    """Product of all elements up to each one along a dimension; integers and bools multiply in int64.

    The gradient is that of the products themselves, hence right at zeros too.

    >>> import dovetail
    >>> dovetail.cumprod(dovetail.tensor([2, 3, 4]), 0)
    tensor([ 2,  6, 24])
    """
    return in_single(lambda x: scanned(_product, (x,), dim)[0], input)


def _logarithm_of_sum(earlier: tuple[Any], later: tuple[Any]) -> tuple[Any]:
    return (logaddexp(earlier[0], later[0]),)


def _floating(inputs: Any, statics: dict[str, Any]) -> Dtypes:
    answer = rules.same(inputs, statics)
    if answer.outputs[0].category < dtypes.FLOATING:
        raise UnsupportedError(
            f"\"logcumsumexp\" not implemented for '{answer.outputs[0].legacy_name}' (use x.float())"
        )
    return answer


_LONG: Final = error(NotImplementedError, "not implemented for 'Long'", Arg((2,), dtype="int64"), 0)


@op(
    shape=rules.like_first,
    dtype=_floating,
    canon=rules.canonical_dim,
    method=True,
    samples=_samples(("float",), _LONG),
    agree=Agree.running(),
)
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """Logarithm of the running sum of exponentials along a dimension, without overflow.

    >>> import dovetail
    >>> dovetail.logcumsumexp(dovetail.zeros(3), 0)
    tensor([0.0000, 0.6931, 1.0986])
    """
    return in_single(lambda x: scanned(_logarithm_of_sum, (x,), dim)[0], input)


# ------------------------------------------------------------------------------------------ extremes


def _later_if(wins: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Of two (value, position) pairs the later one, where its value wins or is NaN."""

    def combine(earlier: tuple[Any, Any], later: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
        (old, at), (value, place) = earlier, later
        taken = wins(value, old) | (value != value)
        return select_by(taken, value, old), select_by(taken, place, at)

    return combine


_LARGEST: Final = _later_if(lambda value, old: value >= old)
_SMALLEST: Final = _later_if(lambda value, old: value <= old)


def _where_along(input: Tensor, dim: int) -> Tensor:
    """The position of each element along a dimension."""
    if not input.ndim:
        return reshape(positions(1, input), ())
    size = input.shape[dim]
    line = reshape(positions(size, input), [size if d == dim else 1 for d in range(input.ndim)])
    return expand(line, input.shape)


P = ParamSpec("P")
R = TypeVar("R")


def _best() -> Callable[[Callable[P, R]], OpFunction[P, R]]:
    return op(
        shape=rules.like_first,
        dtype=rules.fixed(dtypes.int64),
        canon=rules.canonical_dim,
        nondifferentiable="positions are integers",
        internal=True,
        samples=_samples(NUMERIC),
        agree=Agree.exact(),
    )


@_best()
def argcummax(input: Tensor, dim: int) -> Tensor:
    """Position of the last largest element up to each one, and of the last NaN from the first one on."""
    return scanned(_LARGEST, (input, _where_along(input, dim)), dim)[1]


@_best()
def argcummin(input: Tensor, dim: int) -> Tensor:
    """Position of the last smallest element up to each one, and of the last NaN from the first one on."""
    return scanned(_SMALLEST, (input, _where_along(input, dim)), dim)[1]


@op(method=True, samples=_samples(ALL), agree=Agree.exact(signed_zero=False))
def cummax(input: Tensor, dim: int) -> ValuesIndices:
    """Largest element up to each one along a dimension, and its position; the gradient goes there.

    >>> import dovetail
    >>> dovetail.cummax(dovetail.tensor([1, 3, 2]), 0).indices
    tensor([0, 1, 1])
    """
    at = argcummax(input, dim)
    return ValuesIndices(gather(input, dim, at), at)


@op(method=True, samples=_samples(ALL), agree=Agree.exact(signed_zero=False))
def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """Smallest element up to each one along a dimension, and its position; the gradient goes there."""
    at = argcummin(input, dim)
    return ValuesIndices(gather(input, dim, at), at)
