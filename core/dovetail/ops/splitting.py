"""Taking tensors apart: views of pieces along a dimension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError, DimensionError, ShapeError
from dovetail.ops.definition import front, op
from dovetail.ops.indexing import narrow
from dovetail.ops.shape import basic_index
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _cut(input: Tensor, dim: int, lengths: Sequence[int]) -> tuple[Tensor, ...]:
    """Views one after the other, straight by the op that indexing ends in."""
    whole = [(n, 1) for n in input.shape]
    starts = [0] * input.ndim
    pieces = []
    for length in lengths:
        pattern = (*whole[:dim], (length, 1), *whole[dim + 1 :])
        pieces.append(basic_index(input, tuple(starts), pattern=pattern))
        starts[dim] += length
    return tuple(pieces)


@op(
    method=True,
    samples=calls(
        call(Arg((5, 2)), 2),
        call(Arg((2, 3)), [1, 2], 1),
        call(Arg((0, 2)), 3),
        call(Arg((4,)), 4),
        dtypes=ALL,
        errors=(
            error(
                RuntimeError,
                "split_with_sizes expects split_sizes to sum exactly to 5 (input tensor's size at dimension "
                "0), but got split_sizes=[2, 2]",
                Arg((5,)),
                [2, 2],
            ),
            error(
                RuntimeError, "split expects split_size be non-negative, but got split_size=-1", Arg((5,)), -1
            ),
            error(RuntimeError, "split_size can only be 0 if dimension size is 0", Arg((5,)), 0),
        ),
    ),
    agree=Agree.exact(),
)
def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of pieces along a dimension, of one length (the last may be shorter) or of the lengths given.

    >>> import dovetail
    >>> dovetail.split(dovetail.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    at = _dimension(tensor, dim)
    size = tensor.shape[at]
    wanted = split_size_or_sections
    if not isinstance(wanted, int):
        if sum(wanted) != size:
            raise ArgumentRuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at "
                f"dimension {dim}), but got split_sizes={list(wanted)}"
            )
        return _cut(tensor, at, wanted)
    if wanted < 0:
        raise ArgumentRuntimeError(f"split expects split_size be non-negative, but got split_size={wanted}")
    if wanted == 0 and size:
        raise ArgumentRuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {size}"
        )
    if not size:
        return _cut(tensor, at, [0])
    return _cut(tensor, at, [min(wanted, size - start) for start in range(0, size, wanted)])


def _dimension(input: Tensor, dim: int) -> int:
    if not input.ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    return normalize_dim(dim, input.ndim)


@front(method=True, public=False)
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of the given lengths along a dimension."""
    return split(input, list(split_sizes), dim)


@op(
    method=True,
    samples=calls(
        call(Arg((5, 2)), 3),
        call(Arg((2, 4)), 2, -1),
        call(Arg((0, 2)), 2),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0", Arg((5,)), 0),
        ),
    ),
    agree=Agree.exact(),
)
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of at most so many pieces of one length along a dimension; the last may be shorter.

    >>> import dovetail
    >>> dovetail.chunk(dovetail.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if chunks < 1:
        raise ArgumentRuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    at = _dimension(input, dim)
    size = input.shape[at]
    return split(input, -(-size // chunks), at) if size else _cut(input, at, [0] * chunks)


@op(
    internal=True,
    samples=calls(
        call(Arg((7, 2)), 3),
        call(Arg((2, 7)), (2, 5), 1),
        call(Arg((3,)), (1, 1, 5)),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "number of sections must be larger than 0, got 0", Arg((5,)), 0),
            error(RuntimeError, "expected at least a 1-dimensional tensor", Arg(()), 1),
        ),
    ),
    agree=Agree.exact(),
)
def split_at(
    input: Tensor, indices_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of pieces along a dimension: so many of nearly one length, or cut at the positions given."""
    if not input.ndim:
        raise ShapeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at]
    where = indices_or_sections
    if isinstance(where, int):
        if where < 1:
            raise ArgumentRuntimeError(f"number of sections must be larger than 0, got {where}")
        return _cut(input, at, [size // where + (i < size % where) for i in range(where)])
    ends = [slice(0, p).indices(size)[1] for p in where] + [size]
    starts = [0, *ends[:-1]]
    return tuple(narrow(input, at, min(s, size), max(e - s, 0)) for s, e in zip(starts, ends, strict=True))


@front(method=True)
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces along a dimension: so many of nearly one length, or cut at the positions given.

    >>> import dovetail
    >>> dovetail.tensor_split(dovetail.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    return split_at(input, indices_or_sections, dim)


def _split_along(name: str, dim: int, least: int) -> None:
    def cut(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
        if input.ndim < least:
            raise ShapeError(
                f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with "
                f"{input.ndim} dimensions!"
            )
        at = 0 if name == "hsplit" and input.ndim == 1 else dim
        wanted = indices_or_sections
        if isinstance(wanted, int) and (wanted < 1 or input.shape[at] % wanted):
            raise ArgumentRuntimeError(
                f"torch.{name} attempted to split along dimension {at}, but the size of the dimension "
                f"{input.shape[at]} is not divisible by the split_size {wanted}!"
            )
        return tensor_split(input, wanted, at)

    cut.__name__ = name
    cut.__doc__ = f"Views of pieces along dimension {dim}, as ``tensor_split``, of one length."
    front(method=True)(cut)


_split_along("hsplit", 1, 1)
_split_along("vsplit", 0, 2)
_split_along("dsplit", 2, 3)


@op(
    method=True,
    samples=calls(
        call(Arg((3, 2))),
        call(Arg((2, 3)), -1),
        dtypes=ALL,
        errors=(error(IndexError, "Dimension specified as 0 but tensor has no dimensions", Arg(())),),
    ),
    agree=Agree.exact(),
)
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the slices at every position of a dimension.

    >>> import dovetail
    >>> dovetail.unbind(dovetail.arange(2))
    (tensor(0), tensor(1))
    """
    at = _dimension(input, dim)
    before, after = (0,) * at, (0,) * (input.ndim - at - 1)
    pattern = tuple("int" if d == at else (n, 1) for d, n in enumerate(input.shape))
    return tuple(
        basic_index(input, (*before, i, *after), pattern=pattern) for i in range(input.shape[at])
    )
