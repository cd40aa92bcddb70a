"""Scattering with a reduction: sums, products, means and extremes of what arrives at each position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.arithmetic import maximum, minimum
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import front, op
from dovetail.ops.gathering import BOUNDS, cut, gather, scatter_add_elements, scatter_shape
from dovetail.ops.joining import cat
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import NUMERIC, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

REDUCTIONS: Final = ("sum", "prod", "mean", "amax", "amin")
_COMBINE: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "prod": lambda a, b: a * b,
    "amax": maximum,
    "amin": minimum,
}


def _canonical(input: Spec, index: Spec, src: Spec, **statics: Any) -> dict[str, Any]:
    if statics["reduce"] not in REDUCTIONS:
        raise ArgumentRuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {statics['reduce']}"
        )
    return {**statics, "dim": normalize_dim(statics["dim"], input.ndim)}


def _shape(input: Spec, index: Spec, src: Spec, *, dim: int, reduce: str, include_self: bool) -> tuple[int, ...]:
    if src.dtype is not input.dtype:
        raise DtypeError(
            f"scatter(): Expected self.dtype to be equal to src.dtype (scatter_reduce: {input.dtype.name} and "
            f"{src.dtype.name})"
        )
    found: tuple[int, ...] = scatter_shape("scatter_reduce")(input, index, src, dim=dim)
    return found


_ROWS: Final = Arg((2, 4), dtype="int64", values=[[0, 1, 2, 2], [1, 1, 0, 2]])
_COLUMNS: Final = Arg((3, 3), dtype="int64", values=[[0, 1, 0], [3, 3, 3], [2, 0, 2]])


@op(
    shape=_shape,
    dtype=rules.same,
    canon=_canonical,
    internal=True,
    checks=(BOUNDS,),
    samples=calls(
        *(
            call(
                Arg((3, 4), distinct=True),
                dim,
                index,
                Arg(shape, low=-1.9, high=1.7, distinct=True),
                reduce,
                include_self=kept,
            )
            for reduce in REDUCTIONS
            for dim, index, shape, kept in ((0, _ROWS, (2, 4), True), (1, _COLUMNS, (3, 3), False))
        ),
        dtypes=NUMERIC,
        errors=(
            error(RuntimeError, "reduce argument must be either sum", Arg((3, 4)), 0, _ROWS, Arg((2, 4)), "max"),
            error(IndexError, "out of bounds", Arg((2, 4)), 0, _ROWS, Arg((2, 4)), "sum"),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
)
def scatter_reduce_elements(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool = True
) -> Tensor:
    """Each position's element together with all that ``index`` sends there, reduced; ``src`` is shaped as ``index``."""
    if reduce in ("sum", "mean"):
        return _sums(input, dim, index, src, reduce, include_self)
    combine = _COMBINE[reduce]
    arrived = arrivals(input, dim, index) > 0
    found = _grouped(input, dim, index, src, combine)
    if include_self:
        found = combine(input, select_by(arrived, found, input if reduce != "prod" else 1))
    return select_by(arrived, found, input)


def _sums(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    count = arrivals(input, dim, index)
    start = input if include_self else select_by(count > 0, 0, input)
    total = scatter_add_elements(start, dim, index, src)
    if reduce == "sum":
        return total
    terms = (count + int(include_self)).clamp(min=1).to(input.dtype)
    if input.is_floating_point():
        return total / terms
    return total.div(terms, rounding_mode="floor")


def arrivals(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """How many elements ``index`` sends to each position, as int64."""
    zeros = index.new_zeros(input.shape, dtype=dtypes.int64)
    return scatter_add_elements(zeros, dim, index, zeros.new_ones(index.shape))


def _grouped(
    input: Tensor, dim: int, index: Tensor, src: Tensor, combine: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """What arrives at each position, combined in its order; 0 where nothing does.

    The positions are sorted, and runs of equal ones are combined over distances of 1, 2, 4, ... (W. Hillis and
    G. Steele, *Data parallel algorithms*, Communications of the ACM 29, 1986); the last of each run has all of it.
    """
    count = index.shape[dim] if index.ndim else 1
    rows, order = index.sort(dim=dim, stable=True) if index.ndim else (index, index * 0)
    values = gather(src, dim, order)
    if not index.ndim:
        return values
    step = 1
    while step < count:
        before = values.narrow(dim, 0, count - step)
        after = values.narrow(dim, step, count - step)
        joined = rows.narrow(dim, step, count - step) == rows.narrow(dim, 0, count - step)
        values = cat([values.narrow(dim, 0, step), select_by(joined, combine(before, after), after)], dim)
        step *= 2
    numbers = iota(index.new_zeros(()), count).reshape([count if d == dim else 1 for d in range(index.ndim)])
    following = gather(rows, dim, (numbers + 1).clamp(max=count - 1).expand(index.shape))
    last = (rows != following) | (numbers == count - 1)
    return scatter_add_elements(input.new_zeros(input.shape), dim, rows, select_by(last, values, 0))


@scatter_reduce_elements.vjp
def _gradient(
    g: Tensor, input: Tensor, index: Tensor, src: Tensor, out: Tensor, *, dim: int, reduce: str, include_self: bool
) -> Any:
    """The formulas for ties and zeros are PyTorch's: extremes share equally, a zero gets the product of the rest."""
    count = arrivals(input, dim, index)
    own = count.new_ones(()) if include_self else count == 0
    if reduce == "sum":
        return select_by(own == 1, g, 0), None, gather(g, dim, index)
    if reduce == "mean":
        share = g / (count + int(include_self)).clamp(min=1).to(g.dtype)
        return select_by(own == 1, share, 0), None, gather(share, dim, index)
    if reduce == "prod":
        return _of_products(g, input, index, src, dim, include_self, count)
    mine = ((input == out) & (own == 1)).to(g.dtype)
    theirs = (src == gather(out, dim, index)).to(g.dtype)
    share = g / scatter_add_elements(mine, dim, index, theirs)
    return mine * share, None, theirs * gather(share, dim, index)


def _of_products(
    g: Tensor, input: Tensor, index: Tensor, src: Tensor, dim: int, include_self: bool, count: Tensor
) -> Any:
    """Of each factor, the product of the others: by division, and where a factor is 0 without it."""
    start = input if include_self else select_by(count > 0, 1, input)
    nulls = scatter_add_elements((start == 0).to(g.dtype), dim, index, (src == 0).to(g.dtype))
    rest = scatter_reduce_elements(
        select_by(start == 0, 1, start), dim, index, select_by(src == 0, 1, src), "prod", True
    )
    mine = _others(start, rest, nulls) * g
    theirs = _others(src, gather(rest, dim, index), gather(nulls, dim, index)) * gather(g, dim, index)
    return (mine if include_self else select_by(count > 0, 0, mine)), None, theirs


def _others(x: Tensor, rest: Tensor, nulls: Tensor) -> Tensor:
    """The product of all factors but x: ``rest`` is that of those that are not 0, ``nulls`` counts those that are."""
    alone = select_by(nulls == 1, rest, 0)
    return select_by(x == 0, alone, select_by(nulls == 0, rest / select_by(x == 0, 1, x), 0))


# ------------------------------------------------------------------------------------------ public forms


@front(method=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Each position's element together with all elements of ``src`` that ``index`` sends there, reduced.

    ``reduce`` is "sum", "prod", "mean", "amax" or "amin". Without ``include_self`` an element counts only where
    nothing arrives.

    >>> import dovetail
    >>> x, at = dovetail.zeros(2), dovetail.tensor([0, 1, 1])
    >>> dovetail.scatter_reduce(x, 0, at, dovetail.tensor([1.0, 5.0, 3.0]), "amax")
    tensor([1., 5.])
    """
    return scatter_reduce_elements(input, dim, index, cut(src, index), reduce, include_self)


@front(method=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """``input`` with slices of ``source`` reduced into positions of a dimension: "prod", "mean", "amax" or "amin".

    Raises:
        ArgumentRuntimeError: another word.
        ShapeError: ``index`` is no vector, or not as long as ``source`` along the dimension.
    """
    if reduce not in REDUCTIONS[1:]:
        raise ArgumentRuntimeError(f"reduce argument must be either prod, mean, amax or amin, got {reduce}.")
    at = normalize_dim(dim, input.ndim)
    if index.ndim > 1 or index.numel() != (source.shape[at] if source.ndim else 1):
        raise ShapeError(
            f"index_reduce_(): Number of indices ({index.numel()}) should be equal to source.size(dim) for dim: {at} "
            f"(source {list(source.shape)})"
        )
    rows = index.reshape([index.numel() if d == at else 1 for d in range(source.ndim)]).expand(source.shape)
    return scatter_reduce_elements(input, at, rows, source, reduce, include_self)


def _scatter_reduce_(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """In-place form of ``scatter_reduce``."""
    return self.copy_(scatter_reduce(self, dim, index, src, reduce, include_self=include_self))


def _index_reduce_(
    self: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """In-place form of ``index_reduce``."""
    return self.copy_(index_reduce(self, dim, index, source, reduce, include_self=include_self))


front(method=["scatter_reduce_"])(_scatter_reduce_)
front(method=["index_reduce_"])(_index_reduce_)
