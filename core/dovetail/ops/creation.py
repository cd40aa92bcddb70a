"""Making tensors: from data, from a value, from a rule."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from dovetail import dtypes, settings
from dovetail.contract import traffic
from dovetail.contract.device import Device
from dovetail.contract.selection import default_device, resolve
from dovetail.dispatch.aliasing import raw
from dovetail.dispatch.constants import constant, dtype_of_number
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.ops.casting import cast
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import NoDecomposition, Number, bind, front, op
from dovetail.ops.host_data import converted, host_array, inferred
from dovetail.ops.shape import packed
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import ALL, Arg, call, calls
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, new, wrap

Place = str | Device | None
Subclass = TypeVar("Subclass", bound=Tensor)

# ------------------------------------------------------------------------------------------ from data


def _made(data: Any, dtype: dtypes.dtype | None, device: Device) -> Tensor:
    host = host_array(data)
    kind = dtype or inferred(data, host)
    host = converted(data, host, kind)
    made = spec(host.shape, kind, device)
    if traffic.listeners:
        traffic.note(traffic.HOST, device, (made,))
    return wrap(device.runtime.from_host(host, device), made)


@front(method=False)
def tensor(
    data: Any, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of numbers, nested lists, a NumPy array or a tensor; always a copy.

    >>> import dovetail
    >>> dovetail.tensor([[1, 2], [3, 4]]).dtype
    dovetail.int64
    """
    made = _made(data, dtype, _place(device, data))
    return made.requires_grad_() if requires_grad else made


def _place(device: Place, data: Any = None) -> Device:
    if device is not None:
        return resolve(device)
    return data.device if isinstance(data, Tensor) else default_device()


@front(method=False)
def as_tensor(data: Any, dtype: dtypes.dtype | None = None, device: Place = None) -> Tensor:
    """Make a tensor of data; a tensor of the right dtype and device is returned as it is."""
    if isinstance(data, Tensor):
        return data.to(dtype=dtype or data.dtype, device=_place(device, data))
    return tensor(data, dtype=dtype, device=device)


@front(method=False)
def asarray(
    obj: Any, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of data, as :func:`as_tensor`."""
    made = as_tensor(obj, dtype, device)
    return made.requires_grad_() if requires_grad else made


@front(method=False)
def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """Make a tensor with the value that a NumPy array has now; later writes to the array are not seen."""
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentTypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    return tensor(ndarray)


def _construct(cls: type[Tensor], data: Any, *rest: Any, **params: Any) -> Tensor:
    """``Tensor(data)`` and ``Tensor(2, 3)``; with dtype= and device= as ``tensor`` for callers inside."""
    if rest or (isinstance(data, numbers.Integral) and not params):
        return empty(data, *rest)
    if "dtype" not in params and "device" not in params:
        params["dtype"] = settings.current.default_dtype
    params.setdefault("dtype", None)
    return tensor(data, **params)


Tensor.make = staticmethod(_construct)


# ------------------------------------------------------------------------------------------ from a value


@op(
    shape=lambda fill_value, *, size: packed(size),
    dtype=rules.same,
    internal=True,
    samples=calls(call(Arg(()), (2, 3)), call(Arg(()), ()), call(Arg(()), (0, 2)), dtypes=ALL),
    agree=Agree.exact(),
)
def filled(fill_value: Tensor, size: Sequence[int]) -> Tensor:
    """A tensor of one value, with storage of its own."""
    raise NoDecomposition


filled.vjp(fill_value=lambda g: g.sum())


def _sizes(size: Sequence[Any]) -> tuple[int, ...]:
    shape = packed(size)
    if any(n < 0 for n in shape):
        raise ArgumentError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


def _full(shape: Sequence[Any], value: Any, dtype: Any, device: Place, requires_grad: bool) -> Tensor:
    kind = dtype or dtype_of_number(value, None)
    made: Tensor = filled(constant(value, kind, _place(device)), _sizes(shape))
    return made.requires_grad_() if requires_grad else made


@front(method=False)
def full(
    size: Any,
    fill_value: Number | Tensor,
    *,
    dtype: dtypes.dtype | None = None,
    device: Place = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor of one value.

    >>> import dovetail
    >>> dovetail.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    if isinstance(fill_value, Tensor):
        value = fill_value.to(dtype=dtype or fill_value.dtype, device=_place(device, fill_value))
        return filled(value, _sizes((size,) if isinstance(size, int) else size))
    return _full((size,) if isinstance(size, int) else size, fill_value, dtype, device, requires_grad)


@front(method=False)
def zeros(*size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    return _full(size, 0, dtype or settings.current.default_dtype, device, requires_grad)


@front(method=False)
def ones(*size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones: ``ones(2, 3)`` or ``ones((2, 3))``."""
    return _full(size, 1, dtype or settings.current.default_dtype, device, requires_grad)


@front(method=False)
def empty(*size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False) -> Tensor:
    """Make a tensor without a promise about its values: here they are zeros, the same on every backend."""
    return _full(size, 0, dtype or settings.current.default_dtype, device, requires_grad)


def _like(x: Tensor, value: Any, dtype: Any, device: Place, requires_grad: bool) -> Tensor:
    return _full(x.shape, value, dtype or x.dtype, x.device if device is None else device, requires_grad)


@front(method=False)
def zeros_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make zeros with the shape, dtype and device of a tensor."""
    return _like(input, 0, dtype, device, requires_grad)


@front(method=False)
def ones_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make ones with the shape, dtype and device of a tensor."""
    return _like(input, 1, dtype, device, requires_grad)


@front(method=False)
def empty_like(
    input: Tensor, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor like another, without a promise about its values."""
    return _like(input, 0, dtype, device, requires_grad)


@front(method=False)
def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: dtypes.dtype | None = None,
    device: Place = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make one value with the shape, dtype and device of a tensor."""
    return _like(input, fill_value, dtype, device, requires_grad)


@front(method=True, public=False)
def new_tensor(
    input: Tensor, data: Any, *, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of data with the dtype and device of this one."""
    return tensor(data, dtype=dtype or input.dtype, device=device or input.device, requires_grad=requires_grad)


@front(method=True, public=False)
def new_full(
    input: Tensor,
    size: Any,
    fill_value: Number,
    *,
    dtype: dtypes.dtype | None = None,
    device: Place = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor of one value with the dtype and device of this one."""
    return _full(size, fill_value, dtype or input.dtype, device or input.device, requires_grad)


@front(method=True, public=False)
def new_zeros(
    input: Tensor, *size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make zeros with the dtype and device of this tensor."""
    return _full(size, 0, dtype or input.dtype, device or input.device, requires_grad)


@front(method=True, public=False)
def new_ones(
    input: Tensor, *size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make ones with the dtype and device of this tensor."""
    return _full(size, 1, dtype or input.dtype, device or input.device, requires_grad)


@front(method=True, public=False)
def new_empty(
    input: Tensor, *size: Any, dtype: dtypes.dtype | None = None, device: Place = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor with the dtype and device of this one, without a promise about its values."""
    return _full(size, 0, dtype or input.dtype, device or input.device, requires_grad)


# ------------------------------------------------------------------------------------------ from a rule


@op(
    shape=lambda anchor, *, length: (length,),
    dtype=rules.fixed(dtypes.int64),
    internal=True,
    nondifferentiable="positions are integers",
    samples=calls(call(Arg(()), 5), call(Arg(()), 0), dtypes=("int",)),
    agree=Agree.exact(),
)
def iota(anchor: Tensor, length: int) -> Tensor:
    """0, 1, 2, ... on the device of ``anchor``."""
    raise NoDecomposition


def _plain_number(value: Any) -> Number:
    """A number, also of a tensor of one element."""
    found: Number = value.item() if isinstance(value, Tensor) else value
    return found


def _range_dtype(values: Sequence[Number]) -> dtypes.dtype:
    return settings.current.default_dtype if any(isinstance(v, float) for v in values) else dtypes.int64


@front(method=False)
def arange(
    start: Number, end: Number | None = None, step: Number = 1, *, dtype: dtypes.dtype | None = None,
    device: Place = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers from ``start`` up to (not including) ``end`` by ``step``.

    Computed as ``start + i * step`` in float64 or int64 and rounded once.

    >>> import dovetail
    >>> dovetail.arange(3)
    tensor([0, 1, 2])
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (_plain_number(v) for v in (start, end, step))
    if step == 0 or not all(math.isfinite(v) for v in (start, end, step)):
        raise ArgumentError(f"arange: step must be nonzero and all values finite, got {start}, {end}, {step}")
    if (end - start) / step < 0:
        raise ArgumentError("upper bound and lower bound inconsistent with step sign")
    kind = dtype or _range_dtype((start, end, step))
    length = math.ceil((end - start) / step)
    steps = iota(constant(0, dtypes.int64, _place(device)), length)
    if any(isinstance(v, float) for v in (start, end, step)):
        steps = cast(steps, dtype=dtypes.float64) * float(step) + float(start)
    elif step != 1 or start != 0:
        steps = steps * step + start
    made = steps.to(kind)
    return made.requires_grad_() if requires_grad else made


@front(method=False)
def linspace(
    start: Number,
    end: Number,
    steps: int,
    *,
    dtype: dtypes.dtype | None = None,
    device: Place = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers at equal distances from ``start`` to ``end``, both included.

    The first half counts up from ``start`` and the second down from ``end``, so that both ends are exact.
    """
    kind = dtype or settings.current.default_dtype
    place = _place(device)
    if steps < 0:
        raise ArgumentError("number of steps must be non-negative")
    if steps == 1:
        return _full((1,), start, kind, place, requires_grad)
    numbers_ = iota(constant(0, dtypes.int64, place), steps).to(dtypes.float64)
    distance = (float(end) - float(start)) / max(steps - 1, 1)
    rising = numbers_ * distance + float(start)
    falling = (numbers_ - (steps - 1)) * distance + float(end)
    made = select_by(numbers_ < steps / 2, rising, falling).to(kind)
    return made.requires_grad_() if requires_grad else made


@front(method=False)
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: dtypes.dtype | None = None,
    device: Place = None,
    requires_grad: bool = False,
) -> Tensor:
    """A matrix with ones on the diagonal and zeros elsewhere."""
    columns = n if m is None else m
    anchor = constant(0, dtypes.int64, _place(device))
    made = (iota(anchor, n).unsqueeze(1) == iota(anchor, columns)).to(dtype or settings.current.default_dtype)
    return made.requires_grad_() if requires_grad else made


def make_subclass(cls: type[Subclass], data: Tensor, requires_grad: bool = False) -> Subclass:
    """Make a leaf of a subclass that has the value of a tensor now (and shares its array until one is written)."""
    made = new(cls)
    made._data = raw(data)
    made._spec = data._spec
    made._alias = None
    made._node = None
    if requires_grad:
        made.requires_grad_()
    return made


bind("_make_subclass", staticmethod(make_subclass))
