"""Quantiles, and the most frequent value."""

from __future__ import annotations

from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DovetailError, DtypeError, EmptyReduction, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import Number, ValueCheck, front, op
from dovetail.ops.gathering import gather
from dovetail.ops.results import ValuesIndices
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_WORDS: Final = ("linear", "lower", "higher", "midpoint", "nearest")
_Q: Final = Arg((3,), values=[0.0, 0.3, 1.0], grad=False)
_HOLES: Final = Arg((2, 3), values=[[1.0, float("nan"), 3.0], [4.0, 5.0, 0.5]])


def _checked(name: str, input: Tensor, q: Tensor | Number, interpolation: str) -> Tensor:
    """The fractions as a tensor, with PyTorch's sentences for what cannot be."""
    if not input.is_floating_point():
        raise DtypeError(f"{name}() input tensor must be either float or double dtype (got {input.dtype.name})")
    if not input.numel():
        raise EmptyReduction(f"{name}() input tensor must be non-empty")
    if interpolation not in _WORDS:
        raise ArgumentRuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise ArgumentRuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        return input.new_full((), q)
    if q.ndim > 1:
        raise ShapeError(f"{name}() q must be a scalar or 1D tensor, but got shape {list(q.shape)}")
    if q.dtype is not input.dtype:
        raise DtypeError(
            f"{name}() q tensor must be same dtype as the input tensor ({q.dtype.name}, {input.dtype.name})"
        )
    return q


def _no_fraction(input: Tensor, q: Tensor, **_: Any) -> Tensor:
    return (~((q >= 0) & (q <= 1))).any()


def _no_fraction_error(input: Tensor, q: Tensor, **_: Any) -> DovetailError:
    return ArgumentRuntimeError("quantile() q values must be in the range [0, 1]")


def _shape(
    input: Spec, q: Spec, *, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool
) -> tuple[int, ...]:
    axis = None if dim is None else normalize_dim(dim, input.ndim)
    if keepdim:
        rest = tuple(1 if axis in (None, d) else n for d, n in enumerate(input.shape))
    else:
        rest = tuple(n for d, n in enumerate(input.shape) if axis not in (None, d))
    return (*q.shape, *rest)


@op(
    shape=_shape,
    dtype=rules.same,
    internal=True,
    checks=(ValueCheck(_no_fraction, _no_fraction_error),),
    samples=calls(
        call(Arg((5,), distinct=True), Arg((), values=0.3, grad=False), None, False, "linear", False),
        call(Arg((3, 4), distinct=True), _Q, 1, True, "linear", False),
        call(Arg((3, 4), distinct=True), _Q, 0, False, "nearest", False),
        call(Arg((3, 4), distinct=True), Arg((), values=0.55, grad=False), None, True, "midpoint", False),
        call(Arg((4,), distinct=True), _Q, None, False, "lower", False),
        call(Arg((4,), distinct=True), _Q, -1, False, "higher", False),
        call(_HOLES, _Q, 1, False, "linear", True, grad=False),
        call(_HOLES, _Q, None, False, "linear", False, grad=False),
        errors=(
            error(
                RuntimeError,
                "q values must be in the range [0, 1]",
                Arg((3,)),
                Arg((1,), values=[1.5]),
                None,
                False,
                "linear",
                False,
            ),
            error(IndexError, "Dimension out of range", Arg((3,)), _Q, 1, False, "linear", False),
        ),
    ),
    agree=Agree.running(),
)
def quantiles(input: Tensor, q: Tensor, dim: int | None, keepdim: bool, interpolation: str, ignore_nan: bool) -> Tensor:
    """The values at the fractions ``q`` of the sorted elements; with ``ignore_nan`` of those that are numbers."""
    axis = 0 if dim is None else normalize_dim(dim, input.ndim)
    rows = input.reshape(-1) if dim is None or not input.ndim else input.movedim(axis, -1)
    ordered = rows.sort(-1).values
    nans = ordered.isnan()
    fractions = q.reshape(-1)
    if ignore_nan:
        ranks = fractions * ((~nans).sum(-1, keepdim=True) - 1).clamp(min=0).to(input.dtype)
    else:
        ranks = (fractions * (rows.shape[-1] - 1)).expand((*rows.shape[:-1], fractions.shape[0]))
        # One NaN makes the quantile NaN: it stands last.
        ranks = select_by(nans[..., -1:], rows.shape[-1] - 1, ranks)
    found = _between(ordered, ranks, interpolation).movedim(-1, 0)
    return found.reshape(
        _shape(input._spec, q._spec, dim=dim, keepdim=keepdim, interpolation=interpolation, ignore_nan=ignore_nan)
    )


def _between(ordered: Tensor, ranks: Tensor, interpolation: str) -> Tensor:
    """The value at a rank, which may lie between two elements."""
    if interpolation == "nearest":
        return gather(ordered, -1, ranks.round().long())
    low, high = gather(ordered, -1, ranks.floor().long()), gather(ordered, -1, ranks.ceil().long())
    if interpolation == "lower":
        return low
    if interpolation == "higher":
        return high
    weight = ranks - ranks.floor()
    if interpolation == "midpoint":
        weight = (weight > 0).to(ranks.dtype) * 0.5
    return low.lerp(high, weight)


@front(method=True, autocast={"cpu": "float32"})
def quantile(
    input: Tensor,
    q: Tensor | Number,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The value below which a fraction ``q`` of the elements lies, along a dimension or of all; nan if one is nan.

    Shapes: for a vector of fractions they are the first dimension of the result. ``interpolation`` is "linear",
    "lower", "higher", "midpoint" or "nearest", for fractions between two elements.

    >>> import dovetail
    >>> dovetail.quantile(dovetail.tensor([0.0, 1.0, 2.0, 4.0]), 0.5)
    tensor(1.5000)
    """
    return quantiles(input, _checked("quantile", input, q, interpolation), dim, keepdim, interpolation, False)


@front(method=True, autocast={"cpu": "float32"})
def nanquantile(
    input: Tensor,
    q: Tensor | Number,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The :func:`quantile` of the elements that are no nan."""
    return quantiles(input, _checked("nanquantile", input, q, interpolation), dim, keepdim, interpolation, True)


@front(method=True)
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent value along a dimension, the smallest of several, with the last position that it has.

    >>> import dovetail
    >>> tuple(x.item() for x in dovetail.mode(dovetail.tensor([3, 1, 3, 1, 2])))
    (1, 3)
    """
    if not input.ndim:
        return ValuesIndices(input.clone(), input.new_zeros((), dtype=dtypes.int64))
    axis = normalize_dim(dim, input.ndim)
    size = input.shape[axis]
    if not size:
        raise EmptyReduction(f"mode(): Expected reduction dim {axis} to have non-zero size (shape {list(input.shape)})")
    ordered, order = input.detach().movedim(axis, -1).sort(dim=-1, stable=True)
    numbers = iota(order.new_zeros(()), size)
    same = ordered.unsqueeze(-1) == ordered.unsqueeze(-2)
    # The last of the first longest run: positions rise within a run, as the sort is stable.
    ends = (same.long() * numbers).amax(-1)
    lengths = same.sum(-1)
    at = gather(ends, -1, lengths.argmax(-1, keepdim=True))
    index = gather(order, -1, at).movedim(-1, axis)
    value = gather(input, axis, index)
    return ValuesIndices(value, index) if keepdim else ValuesIndices(value.squeeze(axis), index.squeeze(axis))
