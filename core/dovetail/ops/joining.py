"""Putting tensors together and taking them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dovetail.errors import ArgumentRuntimeError, DimensionError, ShapeError
from dovetail.ops.definition import NoDecomposition, front, op
from dovetail.ops.indexing import narrow, select
from dovetail.ops.shape import basic_index, reshape, unsqueeze
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Tensors = Sequence[Tensor]

# ------------------------------------------------------------------------------------------ joining


def _counts(tensors: Sequence[Spec]) -> list[Spec]:
    """The specs without what PyTorch skips for the sake of old programs: vectors of no elements."""
    return [s for s in tensors if s.shape != (0,)] or list(tensors[:1])


def _canonical_cat(tensors: Sequence[Spec], *, dim: int) -> dict[str, Any]:
    for i, s in enumerate(tensors):
        if not s.ndim:
            raise ShapeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated (use stack instead)"
            )
    return {"dim": normalize_dim(dim, _counts(tensors)[0].ndim)}


def _cat_shape(tensors: Sequence[Spec], *, dim: int) -> tuple[int, ...]:
    first = _counts(tensors)[0].shape
    total = 0
    for i, s in enumerate(tensors):
        if s.shape == (0,):
            continue
        if s.ndim != len(first):
            raise ShapeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {s.ndim} (in cat: shapes "
                f"{', '.join(str(list(t.shape)) for t in tensors)})"
            )
        for d, (expected, n) in enumerate(zip(first, s.shape, strict=True)):
            if d != dim and expected != n:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {expected} but "
                    f"got size {n} for tensor number {i} in the list. (in cat: shapes "
                    f"{', '.join(str(list(t.shape)) for t in tensors)})"
                )
        total += s.shape[dim]
    return (*first[:dim], total, *first[dim + 1 :])


@op(
    shape=_cat_shape,
    dtype=rules.promote,
    canon=_canonical_cat,
    samples=calls(
        call([Arg((2, 3)), Arg((2, 1))], 1),
        call([Arg((2, 3)), Arg((0,)), Arg((1, 3))]),
        call([Arg((2, 3)), Arg((0, 3)), Arg((1, 3))], -2),
        call((Arg((2,)), Arg((3,), dtype="float64")), dim=0),
        dtypes=ALL,
        errors=(
            error(ValueError, "expected a non-empty list of Tensors", []),
            error(RuntimeError, "zero-dimensional tensor (at position 1) cannot", [Arg((2,)), Arg(())]),
            error(RuntimeError, "same number of dimensions: got 2 and 1", [Arg((2, 2)), Arg((3,))]),
            error(
                RuntimeError,
                "Sizes of tensors must match except in dimension 0. Expected size 2 but got size 3 for "
                "tensor number 1 in the list.",
                [Arg((2, 2)), Arg((3, 3))],
            ),
        ),
    ),
    agree=Agree.exact(),
)
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along a dimension; all other sizes must be equal, dtypes promote.

    >>> import dovetail
    >>> dovetail.cat([dovetail.zeros(2), dovetail.ones(1)])
    tensor([0., 0., 1.])
    """
    raise NoDecomposition


@cat.vjp
def _cat_gradient(g: Tensor, *, specs: Sequence[Spec], needs: Sequence[bool], dim: int) -> list[Any]:
    found: list[Any] = []
    start = 0
    for s, needed in zip(specs, needs, strict=True):
        if s.shape == (0,) and g.ndim != 1:
            found.append(g.new_zeros((0,)) if needed else None)
            continue
        length = s.shape[dim]
        found.append(narrow(g, dim, start, length) if needed else None)
        start += length
    return found


def _alias_of_cat(name: str) -> None:
    def join(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
        return cat(tensors, dim if axis is None else axis)

    join.__name__ = name
    join.__doc__ = "Another name of ``cat``."
    front()(join)


_alias_of_cat("concat")
_alias_of_cat("concatenate")


def _stack_shape(tensors: Sequence[Spec], *, dim: int) -> tuple[int, ...]:
    first = tensors[0].shape
    for i, s in enumerate(tensors):
        if s.shape != first:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(s.shape)} at entry {i}"
            )
    return (*first[:dim], len(tensors), *first[dim:])


@op(
    shape=_stack_shape,
    dtype=rules.promote,
    canon=lambda tensors, *, dim: {"dim": normalize_dim(dim, tensors[0].ndim + 1)},
    samples=calls(
        call([Arg((2, 3)), Arg((2, 3))]),
        call([Arg((2, 3)), Arg((2, 3)), Arg((2, 3))], -1),
        call((Arg(()), Arg(())), dim=0),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "expects a non-empty TensorList", []),
            error(
                RuntimeError,
                "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1",
                [Arg((2,)), Arg((3,))],
            ),
        ),
    ),
    agree=Agree.exact(),
)
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape side by side along a new dimension.

    >>> import dovetail
    >>> dovetail.stack([dovetail.zeros(2), dovetail.ones(2)]).shape
    dovetail.Size([2, 2])
    """
    return cat([unsqueeze(t, dim) for t in tensors], dim)


@stack.vjp
def _stack_gradient(g: Tensor, *, needs: Sequence[bool], dim: int) -> list[Any]:
    return [select(g, dim, i) if needed else None for i, needed in enumerate(needs)]


_PAIR: Final = call([Arg((2, 3)), Arg((2, 3))])
_VECTORS: Final = call([Arg((3,)), Arg((3,))])


@front()
def atleast_1d(*tensors: Any) -> Any:
    """The tensors with at least one dimension."""
    return _each(tensors, lambda t: t if t.ndim else reshape(t, 1))


@front()
def atleast_2d(*tensors: Any) -> Any:
    """The tensors with at least two dimensions: a vector becomes a row."""
    return _each(tensors, lambda t: t if t.ndim > 1 else reshape(t, 1, -1))


@front()
def atleast_3d(*tensors: Any) -> Any:
    """The tensors with at least three dimensions: a matrix gets a last one of size 1."""
    return _each(tensors, lambda t: t if t.ndim > 2 else reshape(t, *_third(t.shape)))


def _third(shape: Sequence[int]) -> tuple[int, ...]:
    return (*shape, 1) if len(shape) == 2 else (1, shape[0] if shape else 1, 1)


def _each(tensors: Sequence[Any], function: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    several = tensors[0] if len(tensors) == 1 else tensors
    return tuple(function(t) for t in several)


@op(samples=calls(_PAIR, _VECTORS, call([Arg(()), Arg(())]), dtypes=ALL), agree=Agree.exact())
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along the first dimension of vectors, the second of all others.

    >>> import dovetail
    >>> dovetail.hstack([dovetail.zeros(1), dovetail.ones(2)])
    tensor([0., 1., 1.])
    """
    several = atleast_1d(list(tensors))
    return cat(several, 0 if several[0].ndim == 1 else 1)


@op(samples=calls(_PAIR, _VECTORS, call([Arg(()), Arg(())]), dtypes=ALL), agree=Agree.exact())
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors under one another; vectors count as rows.

    >>> import dovetail
    >>> dovetail.vstack([dovetail.zeros(2), dovetail.ones(2)])
    tensor([[0., 0.],
            [1., 1.]])
    """
    return cat(atleast_2d(list(tensors)), 0)


@op(samples=calls(_PAIR, _VECTORS, dtypes=ALL), agree=Agree.exact())
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors behind one another along the third dimension."""
    return cat(atleast_3d(list(tensors)), 2)


@op(samples=calls(_PAIR, call([Arg((2,)), Arg((2, 3))]), dtypes=ALL), agree=Agree.exact())
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side; vectors count as columns."""
    return hstack([reshape(t, -1, 1) if t.ndim < 2 else t for t in tensors])


@front()
def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Another name of ``vstack``."""
    return vstack(tensors)


@front()
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices along the diagonal of a larger one, zeros elsewhere.

    >>> import dovetail
    >>> dovetail.block_diag(dovetail.ones(1, 2), dovetail.ones(1, 1))
    tensor([[1., 1., 0.],
            [0., 0., 1.]])
    """
    blocks = atleast_2d(list(tensors))
    width = sum(b.shape[1] for b in blocks)
    rows = []
    left = 0
    for b in blocks:
        if b.ndim != 2:
            raise ShapeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Got {b.ndim}")
        n, m = b.shape
        rows.append(cat([b.new_zeros(n, left), b, b.new_zeros(n, width - left - m)], 1))
        left += m
    return cat(rows, 0)


# ------------------------------------------------------------------------------------------ taking apart


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
