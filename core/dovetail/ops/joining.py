"""Putting tensors together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dovetail.errors import ShapeError
from dovetail.ops.definition import NoDecomposition, front, op
from dovetail.ops.indexing import narrow, select
from dovetail.ops.shape import reshape, unsqueeze
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
            raise ShapeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated (use stack instead)")
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
    autocast="widest",
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
    autocast="widest",
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


@op(
    samples=calls(_PAIR, _VECTORS, call([Arg(()), Arg(())]), dtypes=ALL),
    agree=Agree.exact(),
    backward_name="CatBackward0",
)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along the first dimension of vectors, the second of all others.

    >>> import dovetail
    >>> dovetail.hstack([dovetail.zeros(1), dovetail.ones(2)])
    tensor([0., 1., 1.])
    """
    several = atleast_1d(list(tensors))
    return cat(several, 0 if several[0].ndim == 1 else 1)


@op(
    samples=calls(_PAIR, _VECTORS, call([Arg(()), Arg(())]), dtypes=ALL),
    agree=Agree.exact(),
    backward_name="CatBackward0",
)
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
