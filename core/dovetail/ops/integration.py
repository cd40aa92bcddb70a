"""Sums and differences that stand for integrals and derivatives of samples, and powers of samples."""

from __future__ import annotations

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.creation import iota
from dovetail.ops.definition import Number, front, op
from dovetail.ops.joining import cat
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

_X = Arg((4,), values=[0.0, 0.5, 2.0, 2.5], grad=False)


def _areas(name: str, y: Tensor, x: Tensor | None, dx: Number, dim: int) -> tuple[Tensor, int]:
    """The area under each pair of neighbours, and the dimension as a non-negative number."""
    axis = normalize_dim(dim, y.ndim)
    size = y.shape[axis]
    heights = y.narrow(axis, 1, size - 1) + y.narrow(axis, 0, size - 1)
    if x is None:
        return heights * (dx / 2), axis
    if x.ndim == 1:
        if x.shape[0] != size:
            raise ShapeError(
                f"{name}(): There must be one `x` value for each sample point along `dim` (got {x.shape[0]} and {size})"
            )
        x = x.reshape([size if d == axis else 1 for d in range(y.ndim)])
    place = axis - y.ndim + x.ndim if x.ndim < y.ndim else axis
    widths = x.narrow(place, 1, x.shape[place] - 1) - x.narrow(place, 0, x.shape[place] - 1)
    return heights * widths / 2, axis


@op(
    samples=calls(
        call(Arg((5,))),
        call(Arg((3, 4)), _X),
        call(Arg((4, 3)), _X, dim=0),
        call(Arg((2, 3)), dx=0.5, dim=0),
        errors=(error(RuntimeError, "one `x` value for each sample point", Arg((3,)), Arg((2,))),),
    ),
    agree=Agree.running(),
)
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """The integral of samples by the trapezoidal rule along a dimension, at places ``x`` or with steps ``dx``.

    >>> import dovetail
    >>> dovetail.trapezoid(dovetail.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    areas, axis = _areas("trapezoid", y, x, dx, dim)
    return areas.sum(axis)


@front()
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """The :func:`trapezoid` under its older name."""
    return trapezoid(y, x, dx=dx, dim=dim)


@op(
    samples=calls(call(Arg((5,))), call(Arg((3, 4)), _X), call(Arg((2, 3)), dx=0.5, dim=0)),
    agree=Agree.running(),
)
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """The integrals up to each sample but the first, by the trapezoidal rule."""
    areas, axis = _areas("cumulative_trapezoid", y, x, dx, dim)
    return areas.cumsum(axis)


@op(
    samples=calls(
        # PyTorch writes into what its own gradient needs, so there is none to compare with.
        call(Arg((3,)), grad=False),
        call(Arg((3,)), N=4, grad=False),
        call(Arg((4,)), N=2, increasing=True, grad=False),
        dtypes=("float", "int"),
        errors=(error(RuntimeError, "N must be non-negative", Arg((3,)), N=-1),),
    ),
    agree=Agree.running(),
)
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of each element as the columns of a matrix, the highest first unless ``increasing``.

    Shapes: x (n); result (n, N), N being n if left out.
    """
    if x.ndim != 1:
        raise ShapeError(f"x must be a one-dimensional tensor. (vander: got {x.ndim} dimensions)")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise ArgumentRuntimeError(f"N must be non-negative. (vander: got {count})")
    if not count:
        return x.new_zeros((x.shape[0], 0))
    columns = x.unsqueeze(1).expand((x.shape[0], count - 1)).cumprod(1)
    powers = columns.new_ones((x.shape[0], 1))
    result = powers if count == 1 else cat([powers, columns], 1)
    return result if increasing else result.flip(1)


@op(
    method=("unfold",),
    internal=True,
    samples=calls(
        call(Arg((7,)), 0, 3, 2),
        call(Arg((3, 5)), -1, 2, 1),
        call(Arg((5, 2)), 0, 5, 1),
        errors=(
            error(RuntimeError, "maximum size for tensor at dimension 0 is 3 but size is 4", Arg((3,)), 0, 4, 1),
            error(RuntimeError, "step is 0 but must be > 0", Arg((3,)), 0, 2, 0),
        ),
    ),
    agree=Agree.exact(),
)
def unfold_dimension(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """The windows of a dimension as a further, last dimension; a copy, where PyTorch gives a view."""
    axis = normalize_dim(dimension, input.ndim)
    if step <= 0:
        raise ArgumentRuntimeError(f"step is {step} but must be > 0")
    rows = input if input.ndim else input.reshape(1)
    length = rows.shape[axis]
    if size > length:
        raise ArgumentRuntimeError(
            f"maximum size for tensor at dimension {axis} is {length} but size is {size} (unfold of "
            f"{list(input.shape)})"
        )
    count = (length - size) // step + 1
    zero = rows.new_zeros((), dtype=dtypes.int64)
    places = iota(zero, count).unsqueeze(1) * step + iota(zero, size)
    windows = rows.index_select(axis, places.reshape(-1))
    shape = (*rows.shape[:axis], count, size, *rows.shape[axis + 1 :])
    return windows.reshape(shape).movedim(axis + 1, -1)
