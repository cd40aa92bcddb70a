"""Reading and writing at positions that are themselves tensors. Repeated positions accumulate in gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import DovetailError, IndexOutOfRange, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, Number, ValueCheck, front, op
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, NUMERIC, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


def _size_along(input: Tensor, dim: int) -> int:
    return input.shape[dim] if input.ndim else 1


def _outside(input: Tensor, index: Tensor, *rest: Any, dim: int, **_: Any) -> Tensor:
    return ((index < 0) | (index >= _size_along(input, dim))).any()


def _outside_error(input: Tensor, index: Tensor, *rest: Any, dim: int, **_: Any) -> DovetailError:
    values = host_values(index)
    size = _size_along(input, dim)
    bad = values[(values < 0) | (values >= size)]
    first = int(bad.flat[0]) if bad.size else int(values.max())
    return IndexOutOfRange(f"index {first} is out of bounds for dimension {dim} with size {size}")


BOUNDS = ValueCheck(_outside, _outside_error)


def _canonical(input: Spec, *others: Any, **statics: Any) -> dict[str, Any]:
    return {**statics, "dim": normalize_dim(statics["dim"], input.ndim)}


# ------------------------------------------------------------------------------------------ positions


def _wrong(index: Tensor, *, size: int, dim: int) -> Tensor:
    return ((index < -size) | (index >= size)).any()


def _wrong_error(index: Tensor, *, size: int, dim: int) -> DovetailError:
    values = host_values(index)
    bad = values[(values < -size) | (values >= size)]
    first = int(bad.flat[0]) if bad.size else int(values.max())
    return IndexOutOfRange(f"index {first} is out of bounds for dimension {dim} with size {size}")


@op(
    shape=rules.like_first,
    dtype=rules.same,
    nondifferentiable="positions are integers",
    checks=(ValueCheck(_wrong, _wrong_error),),
    samples=calls(
        call(Arg((4,), dtype="int64", values=[0, -1, 2, 1]), size=3, dim=0),
        dtypes=("int",),
        errors=(
            error(
                IndexError,
                "index 10 is out of bounds for dimension 0 with size 3",
                Arg((1,), dtype="int64", values=[10]),
                size=3,
                dim=0,
            ),
        ),
    ),
    internal=True,
    agree=Agree.exact(),
)
def wrap_index(index: Tensor, *, size: int, dim: int) -> Tensor:
    """Positions from the end made positions from the start; one outside the dimension is an error."""
    return index + (index < 0).to(index.dtype) * size


# ------------------------------------------------------------------------------------------ along one dimension


def _rows_shape(input: Spec, index: Spec, *, dim: int) -> tuple[int, ...]:
    rules.check_index_dtype("index_select", index)
    if index.ndim > 1:
        raise IndexOutOfRange(f"index_select(): Index is supposed to be a vector, got shape {list(index.shape)}")
    if not input.ndim:
        return ()
    return (*input.shape[:dim], index.size, *input.shape[dim + 1 :])


@op(
    shape=_rows_shape,
    dtype=rules.same,
    canon=lambda input, index, *, dim: {"dim": normalize_dim(dim, input.ndim)},
    method=True,
    checks=(BOUNDS,),
    samples=calls(
        call(Arg((4, 3)), 0, Arg((5,), dtype="int64", values=[0, 3, 3, 1, 0])),
        call(Arg((4, 3)), -1, Arg((2,), dtype="int64", values=[2, 0])),
        dtypes=ALL,
        errors=(
            error(
                IndexError,
                "index 10 is out of bounds for dimension 0 with size 3",
                Arg((3,)),
                0,
                Arg((1,), dtype="int64", values=[10]),
            ),
        ),
    ),
    agree=Agree.exact(),
)
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of a dimension that a vector of positions names, as a copy."""
    raise NoDecomposition


index_select.vjp(
    input=lambda g, index, *, specs, dim: g.new_zeros(specs[0].shape).index_add(dim, index, g),
)


def _put_shape(name: str) -> Any:
    def rule(input: Spec, index: Spec, source: Spec, *, dim: int) -> tuple[int, ...]:
        rules.check_index_dtype(name, index)
        expected = _rows_shape(input, index, dim=dim)
        if tuple(source.shape) != tuple(expected):
            raise ShapeError(
                f"{name}(): source must have shape {list(expected)} (input {list(input.shape)}, {index.size} positions "
                f"along dimension {dim}), got {list(source.shape)}"
            )
        return input.shape

    return rule


@op(
    shape=_put_shape("index_add"),
    dtype=rules.same,
    canon=lambda input, index, source, *, dim: {"dim": normalize_dim(dim, input.ndim)},
    method=True,
    inplace=True,
    checks=(BOUNDS,),
    sugar={"alpha": lambda input, dim, index, source, *, alpha: input.index_add(dim, index, source * alpha)},
    samples=calls(
        call(Arg((4, 3)), 0, Arg((5,), dtype="int64", values=[0, 3, 3, 1, 0]), Arg((5, 3))),
        dtypes=NUMERIC,
    ),
    agree=Agree.terms(k=Growth(linear=1)),
)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    """``input`` with the slices of ``source`` added at positions of a dimension; repeated positions accumulate."""
    raise NoDecomposition


index_add.vjp(
    input=lambda g: g,
    source=lambda g, index, *, dim: index_select(g, dim, index),
)


@op(
    shape=_put_shape("index_copy"),
    dtype=rules.same,
    canon=lambda input, index, source, *, dim: {"dim": normalize_dim(dim, input.ndim)},
    method=True,
    inplace=True,
    checks=(BOUNDS,),
    samples=calls(
        call(Arg((4, 3)), 0, Arg((2,), dtype="int64", values=[3, 1]), Arg((2, 3))),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
    autocast={"cpu": "widest"},
)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """``input`` with the slices of ``source`` put at positions of a dimension; of repeated positions the last wins."""
    raise NoDecomposition


index_copy.vjp(
    input=lambda g, index, *, specs, dim: index_copy(g, dim, index, g.new_zeros(specs[2].shape)),
    source=lambda g, index, *, dim: index_select(g, dim, index),
)


# ------------------------------------------------------------------------------------------ element by element


def _gather_shape(input: Spec, index: Spec, *, dim: int) -> tuple[int, ...]:
    rules.check_index_dtype("gather", index)
    _check_fits("gather", index, input, dim)
    return index.shape


def _check_fits(name: str, index: Spec, target: Spec, dim: int) -> None:
    if index.ndim != target.ndim:
        raise ShapeError(
            f"Index tensor must have the same number of dimensions as input tensor ({name}: {list(index.shape)} and "
            f"{list(target.shape)})"
        )
    for d, (a, b) in enumerate(zip(index.shape, target.shape, strict=True)):
        if d != dim and a > b:
            raise ShapeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than self "
                f"{list(target.shape)} apart from dimension {dim}"
            )


@op(
    shape=_gather_shape,
    dtype=rules.same,
    canon=_canonical,
    method=True,
    checks=(BOUNDS,),
    samples=calls(
        call(Arg((3, 4)), 1, Arg((3, 2), dtype="int64", values=[[0, 1], [3, 3], [2, 0]])),
        call(Arg((3, 4)), 0, Arg((2, 4), dtype="int64", values=[[0, 1, 2, 2], [1, 1, 0, 0]])),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
)
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """``out[i][j] = input[index[i][j]][j]`` for ``dim`` 0, and so on: one element per element of ``index``."""
    raise NoDecomposition


gather.vjp(
    input=lambda g, index, *, specs, dim: g.new_zeros(specs[0].shape).scatter_add(dim, index, g),
)


def scatter_shape(name: str) -> Any:
    """The shape rule of a scatter: the input's, if index and source fit into it."""
    def rule(input: Spec, index: Spec, src: Spec, *, dim: int) -> tuple[int, ...]:
        rules.check_index_dtype(name, index)
        _check_fits(name, index, input, dim)
        if src.ndim and any(a > b for a, b in zip(index.shape, src.shape, strict=True)):
            raise ShapeError(
                f"Expected index {list(index.shape)} to be no larger than src {list(src.shape)} in every dimension "
                f"({name})"
            )
        return input.shape

    return rule


_SCATTER_SAMPLES = (
    call(Arg((3, 4)), 1, Arg((3, 2), dtype="int64", values=[[0, 1], [3, 2], [2, 0]]), Arg((3, 2))),
    call(Arg((3, 4)), 0, Arg((2, 4), dtype="int64", values=[[0, 1, 2, 2], [1, 0, 0, 1]]), Arg((2, 4))),
)


def cut(src: Tensor, index: Tensor) -> Tensor:
    """The part of the source that the index uses."""
    if src.shape == index.shape:
        return src
    return src[tuple(slice(0, n) for n in index.shape)] if src.ndim else src.expand(index.shape)


@op(
    shape=scatter_shape("scatter"),
    dtype=rules.same,
    canon=_canonical,
    internal=True,
    checks=(BOUNDS,),
    samples=calls(*_SCATTER_SAMPLES, dtypes=ALL),
    agree=Agree.exact(),
)
def scatter_elements(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``input`` with ``out[index[i][j]][j] = src[i][j]`` for ``dim`` 0, and so on; ``src`` is shaped as ``index``."""
    raise NoDecomposition


scatter_elements.vjp(
    input=lambda g, index, *, specs, dim: scatter_elements(g, dim, index, g.new_zeros(specs[2].shape)),
    src=lambda g, index, *, dim: gather(g, dim, index),
)


@front(method=True)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """``input`` with elements of ``src`` (or one value) put at the positions of ``index`` along a dimension.

    ``reduce`` "add" adds them instead.
    """
    if src is None:
        src = value
    if not isinstance(src, Tensor):
        src = input.new_full(index.shape, src)
    src = cut(src, index)
    if reduce == "add":
        return scatter_add(input, dim, index, src)
    if reduce is not None:
        raise ShapeError(f"scatter: reduce must be None or 'add', got {reduce!r}; see scatter_reduce")
    return scatter_elements(input, dim, index, src)


@op(
    shape=scatter_shape("scatter_add"),
    dtype=rules.same,
    canon=_canonical,
    internal=True,
    checks=(BOUNDS,),
    samples=calls(*_SCATTER_SAMPLES, dtypes=NUMERIC),
    agree=Agree.terms(k=Growth(linear=1)),
)
def scatter_add_elements(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``input`` with each element of ``src`` (shape of ``index``) added at its position."""
    raise NoDecomposition


scatter_add_elements.vjp(
    input=lambda g: g,
    src=lambda g, index, *, dim: gather(g, dim, index),
)


@front(method=True, autocast={"accelerator": "widest"})
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``input`` with elements of ``src`` added at the positions of ``index``; repeated positions accumulate."""
    return scatter_add_elements(input, dim, index, cut(src, index))


def _scatter_(self: Tensor, dim: int, index: Tensor, src: Any = None, **params: Any) -> Tensor:
    """In-place form of ``scatter``."""
    return self.copy_(scatter(self, dim, index, src, **params))


def _scatter_add_(self: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """In-place form of ``scatter_add``."""
    return self.copy_(scatter_add(self, dim, index, src))


front(method=["scatter_"])(_scatter_)
front(method=["scatter_add_"])(_scatter_add_)


@front(method=True)
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """The elements at positions along a dimension, shapes broadcast; of the flat tensor without ``dim``."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    at = normalize_dim(dim, input.ndim)
    shape = rules.broadcast_shapes(
        [1 if d == at else n for d, n in enumerate(input.shape)],
        [1 if d == at else n for d, n in enumerate(indices.shape)],
    )
    wide = input.expand([input.shape[at] if d == at else n for d, n in enumerate(shape)])
    picks = indices.expand([indices.shape[at] if d == at else n for d, n in enumerate(shape)])
    return gather(wide, at, picks)


# ------------------------------------------------------------------------------------------ masks


@front(method=True)
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero, one row each; as a tuple of vectors per dimension on request.

    The shape depends on the values, so a captured program refuses it.
    """
    found = np.argwhere(host_values(input, why="nonzero() has a shape that depends on values"))
    positions = Tensor.make(Tensor, found.astype(np.int64), dtype=dtypes.int64, device=input.device)
    if not as_tuple:
        return positions
    return tuple(positions[:, i] for i in range(max(input.ndim, 1)))


@front(method=True)
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in one dimension."""
    shape = rules.broadcast_shapes(input.shape, mask.shape)
    return input.expand(shape)[mask.expand(shape)]


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 3)), Arg((3,), dtype="bool"), -1.0), dtypes=("float",)),
    agree=Agree.exact(),
)
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """A value where the mask holds, else the element."""
    if mask.dtype is not dtypes.bool_:
        raise ShapeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    filler = value.to(input.dtype) if isinstance(value, Tensor) else value
    return select_by(mask, filler, input).to(input.dtype)
