"""Further ways to make tensors, positions and shapes, and functions that PyTorch has as methods too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.ops.creation import arange, linspace, tensor
from dovetail.ops.definition import front
from dovetail.record import rules
from dovetail.settings import get_default_dtype
from dovetail.tensor.spec import Size
from dovetail.tensor.tensor import Tensor


@front()
def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers from ``base**start`` to ``base**end``, evenly spaced on a logarithmic scale.

    >>> import dovetail
    >>> dovetail.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    exponents = linspace(start, end, steps, dtype=dtypes.float64, device=device)
    values = exponents.new_full((), base) ** exponents
    return values.to(dtype or get_default_dtype()).requires_grad_(requires_grad)


@front()
def scalar_tensor(s: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor of a number, of the default dtype unless told otherwise."""
    return tensor(float(s) if dtype is None else s, dtype=dtype, device=device, requires_grad=requires_grad)


@front()
def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The common shape of tensors of these shapes.

    >>> import dovetail
    >>> dovetail.broadcast_shapes((2, 1), (3,))
    dovetail.Size([2, 3])
    """
    return Size(rules.broadcast_shapes(*((s,) if isinstance(s, int) else tuple(s) for s in shapes)))


@front()
def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The coordinates in a shape of positions in its flat order, a tensor per dimension.

    >>> import dovetail
    >>> [int(x) for x in dovetail.unravel_index(dovetail.tensor(5), (2, 3))]
    [1, 2]
    """
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if indices.is_floating_point() or indices.dtype is dtypes.bool_:
        raise ArgumentError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if any(n < 0 for n in sizes):
        raise ArgumentRuntimeError(f"'shape' cannot have negative values, but got {sizes}")
    found = []
    rest = indices
    for size in reversed(sizes):
        found.append(rest % size)
        rest = rest // size
    return tuple(reversed(found))


@front(method=True, public=False)
def new(input: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of the same dtype and device: of values, or of sizes, which leaves the values open."""
    if len(args) == 1 and not isinstance(args[0], int):
        return input.new_tensor(args[0], device=device)
    return input.new_empty(args or (0,), device=device)


@front()
def range(start: float = 0, end: float = 0, step: float = 1, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Numbers from ``start`` to ``end`` with both ends: PyTorch's older form of :func:`arange`."""
    count = int((end - start) / step) + 1
    places = arange(count, dtype=dtypes.float64, device=device)
    return (places * step + start).to(dtype or get_default_dtype())
