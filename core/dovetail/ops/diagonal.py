"""Diagonals and triangles of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.errors import ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import tensor
from dovetail.ops.definition import NoDecomposition, Number, OpFunction, front, op
from dovetail.ops.gathering import index_select
from dovetail.ops.rearrangement import positions
from dovetail.ops.reduction import sum
from dovetail.ops.shape import movedim, reshape, unsqueeze
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, NUMERIC, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.storage import Strides
from dovetail.tensor.tensor import Tensor

Place = str | Device | None

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan

# ------------------------------------------------------------------------------------------ the view


def _canonical(input: Spec, *, offset: int, dim1: int, dim2: int) -> dict[str, Any]:
    a, b = normalize_dim(dim1, input.ndim), normalize_dim(dim2, input.ndim)
    if a == b:
        raise ShapeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return {"offset": offset, "dim1": a, "dim2": b}


def length_of(rows: int, columns: int, offset: int) -> int:
    """How many elements a diagonal has; ``offset`` counts from the main one to the right."""
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _shape(input: Spec, *, offset: int, dim1: int, dim2: int) -> tuple[int, ...]:
    rest = [n for d, n in enumerate(input.shape) if d not in (dim1, dim2)]
    return (*rest, length_of(input.shape[dim1], input.shape[dim2], offset))


def _layout(plan: Plan, strides: Strides, offset: int, live: Any) -> tuple[Strides, int]:
    statics = plan.statics
    a, b, shift = statics["dim1"], statics["dim2"], statics["offset"]
    rest = [s for d, s in enumerate(strides) if d not in (a, b)]
    if plan.out.size:
        offset += strides[b] * max(shift, 0) + strides[a] * max(-shift, 0)
    return (*rest, strides[a] + strides[b]), offset


def _on_diagonal(rows: int, columns: int, offset: int, like: Tensor) -> Any:
    """A matrix of truth values."""
    return unsqueeze(positions(rows, like), 1) + offset == positions(columns, like)


def _zero(like: Any) -> Any:
    return like.new_zeros(())


def _spread(values: Tensor, rows: int, offset: int) -> Tensor:
    """The last dimension as a column beside every row; a row without an element of it gets another's."""
    at: Any = positions(rows, values) - max(-offset, 0)
    return unsqueeze(index_select(values, -1, at.clamp(0, values.shape[-1] - 1)), -1)


def _with_diagonal(base: Tensor, values: Tensor, *, offset: int, dim1: int, dim2: int) -> Tensor:
    """A copy of a tensor with other values on a diagonal."""
    if not values.numel():
        return base
    moved = movedim(base, (dim1, dim2), (-2, -1))
    rows, columns = moved.shape[-2:]
    mask = _on_diagonal(rows, columns, offset, base)
    return movedim(select_by(mask, _spread(values, rows, offset), moved), (-2, -1), (dim1, dim2))


@op(
    shape=_shape,
    dtype=rules.same,
    canon=_canonical,
    view=_layout,
    unview=lambda base, value, live, **statics: _with_diagonal(base, value, **statics),
    method=True,
    samples=calls(
        call(Arg((3, 4))),
        call(Arg((3, 4)), 1),
        call(Arg((4, 3)), -2),
        call(Arg((2, 3, 3)), 0, 1, 2),
        call(Arg((2, 3, 4)), offset=-1, dim1=-1, dim2=0),
        call(Arg((2, 2)), 5),
        dtypes=ALL,
        errors=(
            error(IndexError, "Dimension out of range (expected to be in range of [-1, 0]", Arg((3,))),
            error(RuntimeError, "diagonal dimensions cannot be identical 0, -2", Arg((3, 3)), 0, 0, -2),
        ),
    ),
    agree=Agree.exact(),
)
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of two dimensions as the last dimension, sharing storage; ``offset`` counts to the right.

    >>> import dovetail
    >>> x = dovetail.zeros(2, 2)
    >>> x.diagonal().fill_(1)
    tensor([1., 1.])
    >>> x
    tensor([[1., 0.],
            [0., 1.]])
    """
    raise NoDecomposition


diagonal.vjp(
    input=lambda g, *, specs, offset, dim1, dim2: _with_diagonal(
        g.new_zeros(specs[0].shape), g, offset=offset, dim1=dim1, dim2=dim2
    )
)


@op(
    samples=calls(call(Arg((3, 4)), Arg((3,))), call(Arg((2, 3, 3)), Arg((3, 1)), -1, 0, 1), dtypes=ALL),
    method=True,
    agree=Agree.exact(),
)
def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of the tensor with other values on a diagonal."""
    statics = _canonical(input._spec, offset=offset, dim1=dim1, dim2=dim2)
    expected = _shape(input._spec, **statics)
    if src.shape != expected:
        raise ShapeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(expected)}"
        )
    return _with_diagonal(input, src, **statics)


@front(method=["fill_diagonal_"], public=False)
def fill_diagonal_(input: Tensor, fill_value: Number, wrap: bool = False) -> Tensor:
    """Write one value on the main diagonal of all dimensions; ``wrap`` goes on below in a tall matrix."""
    if input.ndim < 2:
        raise ShapeError("dimensions must larger than 1")
    sizes = input.shape
    if input.ndim > 2 and any(n != sizes[0] for n in sizes):
        raise ShapeError("all dimensions of input must be of equal length")
    x: Any = input
    if input.ndim > 2:
        for i in range(sizes[0]):
            x[(i,) * input.ndim] = fill_value
        return input
    rows, columns = sizes
    for top in range(0, rows if wrap else 1, columns + 1):
        diagonal(x[top:]).fill_(fill_value)
    return input


# ------------------------------------------------------------------------------------------ making


@op(
    method=True,
    samples=calls(
        call(Arg((3,))),
        call(Arg((2, 3)), 1),
        call(Arg((2, 3)), -1, 0, 2),
        call(Arg((2, 3)), dim1=1, dim2=0),
        dtypes=ALL,
        errors=(error(RuntimeError, "diagonal dimensions cannot be identical", Arg((3,)), 0, 0, 0),),
    ),
    agree=Agree.exact(),
)
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices at ``dim1`` and ``dim2`` with the last dimension on a diagonal, zeros elsewhere.

    >>> import dovetail
    >>> dovetail.diag_embed(dovetail.ones(2, 3)).shape
    dovetail.Size([2, 3, 3])
    """
    ndim = input.ndim + 1
    a, b = normalize_dim(dim1, ndim), normalize_dim(dim2, ndim)
    if a == b:
        raise ShapeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    size = input.shape[-1] + abs(offset)
    if not input.shape[-1]:
        ground: Any = input
        made = ground.new_zeros((*input.shape[:-1], size, size))
    else:
        made = select_by(_on_diagonal(size, size, offset, input), _spread(input, size, offset), _zero(input))
    return movedim(made, (-2, -1), (a, b))


@op(
    method=True,
    samples=calls(
        call(Arg((3,))),
        call(Arg((3,)), -1),
        call(Arg((3, 4)), 1),
        dtypes=ALL,
        errors=(error(RuntimeError, "diag(): Supports 1D or 2D tensors. Got 3D", Arg((3, 3, 3))),),
    ),
    agree=Agree.exact(),
)
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """The matrix with a vector on its diagonal, or a copy of a diagonal of a matrix.

    >>> import dovetail
    >>> dovetail.diag(dovetail.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise ShapeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    view: Any = _diagonal(input, diagonal)
    return view.clone()  # type: ignore[no-any-return]  # a clone of a tensor


_diagonal = diagonal


@op(method=True, samples=calls(call(Arg((2, 3))), call(Arg((2,)), 1), dtypes=ALL), agree=Agree.exact())
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of a tensor on a diagonal."""
    return diag_embed(reshape(input, -1), offset)


@op(
    method=True,
    samples=calls(
        call(Arg((3, 4))),
        call(Arg((0, 2))),
        dtypes=NUMERIC,
        errors=(error(RuntimeError, "trace: expected a matrix, but got tensor with dim 1", Arg((3,))),),
    ),
    agree=Agree.terms(k=Growth(log2=1, plus=32)),
    autocast={"cpu": "float32"},
)
def trace(input: Tensor) -> Tensor:
    """Sum of the main diagonal of a matrix.

    >>> import dovetail
    >>> dovetail.trace(dovetail.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return sum(_diagonal(input))


# ------------------------------------------------------------------------------------------ triangles


def _at_least_matrix(name: str) -> Any:
    def rule(input: Spec, *, diagonal: int) -> tuple[int, ...]:
        if input.ndim < 2:
            raise ShapeError(f"{name}: input tensor must have at least 2 dimensions")
        return input.shape

    return rule


P = ParamSpec("P")
R = TypeVar("R")


def _triangle(name: str) -> Callable[[Callable[P, R]], OpFunction[P, R]]:
    return op(
        shape=_at_least_matrix(name),
        dtype=rules.same,
        method=True,
        inplace=True,
        samples=calls(
            call(Arg((3, 4))),
            call(Arg((2, 4, 3)), 1),
            call(Arg((3, 3)), diagonal=-1),
            call(Arg((0, 3))),
            dtypes=ALL,
            errors=(error(RuntimeError, f"{name}: input tensor must have at least 2 dimensions", Arg((3,))),),
        ),
        agree=Agree.exact(),
    )


def _column_minus_row(input: Tensor) -> Any:
    rows, columns = input.shape[-2:]
    return positions(columns, input) - unsqueeze(positions(rows, input), 1)


@_triangle("tril")
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Matrices with zeros above a diagonal.

    >>> import dovetail
    >>> dovetail.tril(dovetail.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return select_by(_column_minus_row(input) <= diagonal, input, _zero(input))


@_triangle("triu")
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Matrices with zeros below a diagonal.

    >>> import dovetail
    >>> dovetail.triu(dovetail.ones(2, 2), diagonal=1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return select_by(_column_minus_row(input) >= diagonal, input, _zero(input))


tril.vjp(input=lambda g, *, diagonal: tril(g, diagonal))
triu.vjp(input=lambda g, *, diagonal: triu(g, diagonal))


def _indices(chosen: Any, dtype: Any, device: Any) -> Tensor:
    rows = [[r for r, _ in chosen], [c for _, c in chosen]]
    return tensor(rows, dtype=dtype, device=device)


@front()
def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype = dtypes.int64, device: Place = None
) -> Tensor:
    """Rows and columns of the elements on and below a diagonal, row by row, as a matrix of two rows.

    >>> import dovetail
    >>> dovetail.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _indices([(r, c) for r in range(row) for c in range(col) if c - r <= offset], dtype, device)


@front()
def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: dtypes.dtype = dtypes.int64, device: Place = None
) -> Tensor:
    """Rows and columns of the elements on and above a diagonal, row by row, as a matrix of two rows."""
    return _indices([(r, c) for r in range(row) for c in range(col) if c - r >= offset], dtype, device)
