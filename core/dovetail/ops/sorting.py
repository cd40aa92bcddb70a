"""Order: sorting, the largest elements, positions in a sorted row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, Number, front, op
from dovetail.ops.gathering import gather, index_select
from dovetail.ops.indexing import narrow
from dovetail.ops.results import ValuesIndices
from dovetail.ops.shape import reshape, squeeze
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes, normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_ORDERED: Final = (
    call(Arg((2, 5), distinct=True)),
    call(Arg((2, 3, 4), distinct=True), 1, True),
    call(Arg(()), 0),
    call(Arg((0, 3)), 0),
)

# ------------------------------------------------------------------------------------------ sorting


@op(
    shape=rules.like_first,
    dtype=rules.fixed(dtypes.int64),
    canon=rules.canonical_dim,
    method=True,
    nondifferentiable="positions are integers",
    samples=calls(
        *_ORDERED,
        call(Arg((6,), values=[1, 0, 1, 0, 1, 0]), dim=0, stable=True),
        call(Arg((6,), values=[1, 0, 1, 0, 1, 0]), dim=0, descending=True, stable=True),
        errors=(error(IndexError, "Dimension out of range", Arg((2,)), 1),),
    ),
    agree=Agree.exact(),
)
def argsort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """Positions that put a dimension in order: NaN counts as the largest, and ties always keep theirs.

    >>> import dovetail
    >>> dovetail.argsort(dovetail.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    raise NoDecomposition


@op(method=True, samples=calls(*_ORDERED, dtypes=("float",)), agree=Agree.exact())
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> ValuesIndices:
    """A dimension in order, and the positions the elements had; NaN is the largest, ties keep their order.

    The gradient follows the positions.

    >>> import dovetail
    >>> dovetail.sort(dovetail.tensor([3.0, 1.0, 2.0])).values
    tensor([1., 2., 3.])
    """
    at = argsort(input, dim, descending, stable=stable)
    return ValuesIndices(gather(input, dim, at), at)


@op(method=True, samples=calls(call(Arg((4, 2), distinct=True)), dtypes=ALL), agree=Agree.exact())
def msort(input: Tensor) -> Tensor:
    """The values of the first dimension in order."""
    return sort(input, 0).values


@op(
    method=True,
    samples=calls(
        call(Arg((2, 5), distinct=True), 2),
        call(Arg((3, 4), distinct=True), 3, 0, False),
        call(Arg((4,), distinct=True), 0),
        call(Arg(()), 1),
        errors=(error(RuntimeError, "selected index k out of range", Arg((2,)), 3),),
    ),
    agree=Agree.exact(),
)
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The ``k`` largest (or smallest) elements of a dimension in order, and their positions.

    >>> import dovetail
    >>> dovetail.topk(dovetail.tensor([3.0, 1.0, 2.0]), 2).indices
    tensor([0, 2])
    """
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at] if input.ndim else 1
    if not 0 <= k <= size:
        raise ArgumentRuntimeError(
            f"selected index k out of range (k = {k}, size {size} of dimension {at})"
        )
    order = argsort(input, at, largest)
    first = narrow(order, at, 0, k) if input.ndim else order
    return ValuesIndices(gather(input, at, first), first)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 5), distinct=True), 2),
        call(Arg((3, 4), distinct=True), 3, 0, True),
        call(Arg(()), 1),
        errors=(
            error(RuntimeError, "kthvalue(): selected number k out of range for dimension 0", Arg((2,)), 3),
        ),
    ),
    agree=Agree.exact(),
)
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The ``k``-th smallest element of a dimension, counted from 1, and its position.

    >>> import dovetail
    >>> dovetail.kthvalue(dovetail.tensor([3.0, 1.0, 2.0]), 2).values
    tensor(2.)
    """
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at] if input.ndim else 1
    if not 1 <= k <= size:
        raise ArgumentRuntimeError(
            f"kthvalue(): selected number k out of range for dimension {at} (k = {k}, size {size})"
        )
    return picked(input, argsort(input, at), at, k - 1, keepdim)


def picked(input: Tensor, order: Tensor, dim: int, rank: Any, keepdim: bool) -> ValuesIndices:
    """The elements at one rank of an order (or at a tensor of ranks), and their positions."""
    if not input.ndim:
        return ValuesIndices(input.clone(), order)
    place = gather(order, dim, rank) if isinstance(rank, Tensor) else narrow(order, dim, rank, 1)
    values = gather(input, dim, place)
    if not keepdim:
        values, place = squeeze(values, dim), squeeze(place, dim)
    return ValuesIndices(values, place)


# ------------------------------------------------------------------------------------------ searching


def _search_shape(
    sorted_sequence: Spec, input: Spec, sorter: Spec | None, **statics: Any
) -> tuple[int, ...]:
    row = sorted_sequence.shape
    if not row:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if len(row) > 1 and (not input.ndim or row[:-1] != input.shape[:-1]):
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            "boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(row)} and input value tensor {list(input.shape)}"
        )
    if sorter is not None and sorter.shape != row:
        raise ShapeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(row)} and got sorter tensor {list(sorter.shape)}"
        )
    return input.shape


def _search_dtype(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    common = rules.result_type(inputs[:2])
    return Dtypes([common, common, None], [dtypes.int32 if statics["out_int32"] else dtypes.int64])


def _canonical_search(
    sorted_sequence: Spec, input: Spec, sorter: Spec | None, *, side: str | None, right: bool, out_int32: bool
) -> dict[str, Any]:
    if side not in (None, "left", "right"):
        raise ArgumentRuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if right and side == "left":
        raise ArgumentRuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right "
            "was True"
        )
    return {"out_int32": out_int32, "right": right or side == "right", "side": None}


_ROW: Final = Arg((4,), values=[-1.0, 0.0, 0.0, 1.0], grad=False)


@op(
    shape=_search_shape,
    dtype=_search_dtype,
    canon=_canonical_search,
    nondifferentiable="positions are integers",
    samples=calls(
        call(_ROW, Arg((2, 3))),
        call(_ROW, Arg((3,), values=[0.0, 1.0, 2.0]), right=True),
        call(_ROW, Arg((3,), values=[0.0, -1.0, -2.0]), side="left", out_int32=True),
        call(Arg((2, 2), values=[[0.0, 1.0], [-1.0, 0.5]]), Arg((2, 3)), side="right"),
        call(_ROW, 0.0),
        call(Arg((0,)), Arg((2,))),
        call(
            Arg((4,), values=[0.0, 1.0, -1.0, 0.0]),
            Arg((3,)),
            sorter=Arg((4,), dtype="int64", values=[2, 0, 3, 1]),
        ),
        errors=(
            error(RuntimeError, "boundaries tensor should be 1 dimension or", Arg((3, 2)), Arg((2, 2))),
            error(RuntimeError, "side can only be 'left' or 'right' but got up", _ROW, Arg((2,)), side="up"),
            error(
                RuntimeError, "can't be set to opposites", _ROW, Arg((2,)), right=True, side="left"
            ),
        ),
    ),
    agree=Agree.exact(),
)
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | Number,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """The position at which each element would go into a sorted row: before its equals, or after (``right``).

    The row may be the last dimension of a tensor whose other dimensions are those of ``input``. NaN goes to
    the end. Found by halving, in as many steps as the length of the row has bits.

    >>> import dovetail
    >>> dovetail.searchsorted(dovetail.tensor([1, 3, 5]), dovetail.tensor([3, 9]))
    tensor([1, 3])
    """
    assert isinstance(input, Tensor), "operands are lifted before the body runs"
    row, values = sorted_sequence, reshape(input, (1,)) if not input.ndim else input
    if sorter is not None:
        row = gather(row, -1, sorter)
    size = row.shape[-1]
    low = values.new_zeros(values.shape, dtype=dtypes.int64)
    high = low + size
    for _ in range(size.bit_length()):
        middle = (low + high) // 2
        probe = elements_at(row, middle.clamp(0, size - 1))
        beyond = probe > values if right else probe >= values
        going = low < high
        low = select_by(going & ~beyond, middle + 1, low)
        high = select_by(going & beyond, middle, high)
    kind = dtypes.int32 if out_int32 else dtypes.int64
    return reshape(low, input.shape).to(kind)


def elements_at(row: Tensor, place: Tensor) -> Tensor:
    """The elements of a row, or of the last dimension, at positions of any shape."""
    if row.ndim > 1:
        return gather(row, -1, place)
    return reshape(index_select(row, 0, reshape(place, -1)), place.shape)


@front()
def bucketize(
    input: Tensor | Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The bucket between sorted boundaries that each element falls into.

    >>> import dovetail
    >>> dovetail.bucketize(dovetail.tensor([1, 3, 9]), dovetail.tensor([1, 3, 5]))
    tensor([0, 1, 3])
    """
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)
