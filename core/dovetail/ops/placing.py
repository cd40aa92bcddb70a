"""Putting values at positions: of the flat tensor, of one dimension, where a mask holds."""

from __future__ import annotations

from typing import Any, Final

from dovetail import dtypes
from dovetail.dispatch.constants import constant
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import Number, ValueCheck, front, op
from dovetail.ops.gathering import index_add, index_copy, index_select, nonzero, wrap_index
from dovetail.ops.indexing import getitem, setitem
from dovetail.ops.scan import cumsum
from dovetail.ops.shape import expand, reshape
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

# ------------------------------------------------------------------------------------------ flat positions


def _flat_positions(input: Tensor, index: Tensor) -> Tensor:
    return wrap_index(reshape(index, -1), size=input.numel(), dim=0)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2, 2), dtype="int64", values=[[0, -1], [2, 0]])),
        call(Arg((4,)), Arg((), dtype="int64", values=3)),
        dtypes=ALL,
        errors=(error(IndexError, "index 5 is out of", Arg((3,)), Arg((1,), dtype="int64", values=[5])),),
    ),
    agree=Agree.exact(),
)
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flat tensor at positions, in the shape of ``index``; -1 is the last.

    >>> import dovetail
    >>> dovetail.take(dovetail.arange(6).reshape(2, 3), dovetail.tensor([0, -1]))
    tensor([0, 5])
    """
    return reshape(index_select(reshape(input, -1), 0, _flat_positions(input, index)), index.shape)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2,), dtype="int64", values=[0, -1]), Arg((2,))),
        call(Arg((2, 3)), Arg((3,), dtype="int64", values=[0, 2, 0]), Arg((3,)), True),
        errors=(
            error(
                RuntimeError,
                "put_(): Expected source and index to have the same number of elements",
                Arg((3,)),
                Arg((2,), dtype="int64", values=[0, 1]),
                Arg((3,)),
            ),
        ),
    ),
    agree=Agree.exact(),
)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of the tensor with elements put at positions of the flat tensor, or added there."""
    if index.numel() != source.numel():
        raise ShapeError(
            "put_(): Expected source and index to have the same number of elements, but got source with "
            f"{source.numel()} elements and index with {index.numel()} elements"
        )
    if source.dtype is not input.dtype:
        raise DtypeError(
            f"put_(): self and source expected to have the same dtype, but got {input.dtype.name} and "
            f"{source.dtype.name}"
        )
    place = index_add if accumulate else index_copy
    flat = place(reshape(input, -1), 0, _flat_positions(input, index), reshape(source, -1))
    return reshape(flat, input.shape)


@front(method=["put_"], public=False)
def put_(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """In-place form of ``put``."""
    return input.copy_(put(input, index, source, accumulate))


# ------------------------------------------------------------------------------------------ one dimension

_PLACES: Final = Arg((2,), dtype="int64", values=[0, -1])


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((2, 3)), 1, _PLACES, 5),
        call(Arg((2, 3)), 0, Arg((1,), dtype="int64", values=[1]), Arg(())),
        dtypes=("float", "int"),
        errors=(
            error(
                RuntimeError,
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with 1 dimension(s).",
                Arg((3,)),
                0,
                _PLACES,
                Arg((2,)),
            ),
        ),
    ),
    agree=Agree.exact(),
)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """A copy of the tensor with one value in the slices of a dimension that a vector of positions names.

    >>> import dovetail
    >>> dovetail.index_fill(dovetail.zeros(3), 0, dovetail.tensor([0, 2]), 1.0)
    tensor([1., 0., 1.])
    """
    filler: Any = value if isinstance(value, Tensor) else constant(value, input.dtype, input.device)
    if filler.ndim:
        raise ShapeError(
            "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{filler.ndim} dimension(s)."
        )
    at = normalize_dim(dim, input.ndim)
    places = wrap_index(reshape(index, -1), size=input.shape[at] if input.ndim else 1, dim=at)
    shape = (*input.shape[:at], places.shape[0], *input.shape[at + 1 :]) if input.ndim else ()
    return index_copy(input, at, places, expand(filler.to(input.dtype), shape))


@op(
    method=True,
    samples=calls(call(Arg((2, 3)), Arg((3,)), 0, 1), call(Arg((2, 3)), Arg((2,)), -1, -1), dtypes=ALL),
    agree=Agree.exact(),
)
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of the tensor with another slice at one position of a dimension."""
    at = normalize_dim(dim, input.ndim)
    return _replaced(input, (*[slice(None)] * at, index), src)


@op(
    method=True,
    samples=calls(
        call(Arg((4, 2)), Arg((2, 2)), 0, 1, 4, 2),
        call(Arg((2, 3)), Arg((2, 2)), 1, 1),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
)
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of the tensor with other slices from ``start`` to ``end`` of a dimension."""
    at = normalize_dim(dim, input.ndim)
    return _replaced(input, (*[slice(None)] * at, slice(start, end, step)), src)


def _replaced(input: Tensor, index: Any, src: Tensor) -> Tensor:
    expected = getitem(input, index).shape
    if src.shape != expected:
        raise ShapeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice "
            f"size = {list(expected)}"
        )
    copy: Tensor = input.clone()
    setitem(copy, index, src)
    return copy


# ------------------------------------------------------------------------------------------ masks


def _too_few(input: Tensor, mask: Tensor, source: Tensor) -> Any:
    places: Any = expand(mask, rules.broadcast_shapes(input.shape, mask.shape))
    return places.sum() > source.numel()


def _too_few_error(input: Tensor, mask: Tensor, source: Tensor) -> Exception:
    return ArgumentRuntimeError(
        f"masked_scatter: Number of elements of source < number of ones in mask ({source.numel()} elements)"
    )


def _masked_shape(input: Spec, mask: Spec, source: Spec) -> tuple[int, ...]:
    if mask.dtype is not dtypes.bool_:
        raise DtypeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype.legacy_name}"
        )
    if source.dtype is not input.dtype:
        raise DtypeError(
            "masked_scatter_: expected self and source to have same dtypes but got "
            f"{input.dtype.legacy_name} and {source.dtype.legacy_name}"
        )
    return rules.broadcast_shapes(input.shape, mask.shape)


@op(
    shape=_masked_shape,
    dtype=rules.same,
    method=True,
    inplace=True,
    checks=(ValueCheck(_too_few, _too_few_error),),
    samples=calls(
        call(Arg((5,)), Arg((5,), dtype="bool", values=[1, 0, 1, 1, 0]), Arg((6,))),
        call(Arg((2, 2)), Arg((2,), dtype="bool", values=[1, 0]), Arg((2, 2))),
        call(Arg((2,)), Arg((2,), dtype="bool", values=[0, 0]), Arg((0,))),
        dtypes=ALL,
        errors=(
            error(
                RuntimeError,
                "Number of elements of source < number of ones in mask",
                Arg((3,)),
                Arg((3,), dtype="bool", values=[1, 1, 1]),
                Arg((2,)),
            ),
            error(RuntimeError, "only supports boolean masks", Arg((2,)), Arg((2,)), Arg((2,))),
        ),
    ),
    agree=Agree.exact(),
)
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements of ``source`` in order, where the mask holds; elsewhere the element.

    >>> import dovetail
    >>> dovetail.masked_scatter(dovetail.zeros(3), dovetail.tensor([True, False, True]), dovetail.ones(2))
    tensor([1., 0., 1.])
    """
    shape = rules.broadcast_shapes(input.shape, mask.shape)
    if not source.numel():
        return expand(input, shape)
    places: Any = cumsum(reshape(expand(mask, shape), -1), 0) - 1
    values = index_select(reshape(source, -1), 0, places.clamp(0, source.numel() - 1))
    return select_by(mask, reshape(values, shape), input)


@front(method=True)
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one row each."""
    found: Tensor = nonzero(input)
    return found
