"""Changing dtype and device."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.contract.selection import resolve
from dovetail.errors import ArgumentTypeError
from dovetail.ops.definition import NoDecomposition, front, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import ALL, Arg, call, calls
from dovetail.tensor.tensor import Tensor


@op(
    shape=rules.like_first,
    dtype=rules.target,
    samples=calls(
        call(Arg((5,)), dtype=dtypes.float64),
        call(Arg((2, 3), low=-100, high=100), dtype=dtypes.int32, grad=False),
        call(Arg(()), dtype=dtypes.bool_, grad=False),
        call(Arg((4,), low=-1e4, high=1e4), dtype=dtypes.float16, grad=False),
        call(Arg((4,), low=-1e4, high=1e4), dtype=dtypes.bfloat16, grad=False),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
    backward_name="ToCopyBackward0",
)
def cast(input: Tensor, *, dtype: dtypes.dtype) -> Tensor:
    """The same values in another dtype, rounded to nearest even.

    Floating values become integers by truncation; NaN gives 0 and what is out of range the nearest integer.
    """
    raise NoDecomposition


cast.vjp(input=lambda g, *, specs: g.to(specs[0].dtype))


@op(shape=rules.like_first, dtype=rules.same, agree=Agree.exact(), backward_name="ToCopyBackward0")
def copy_to(input: Tensor, *, device: Device) -> Tensor:
    """The same values on another device, of any backend; the gradient comes back to the device of the input."""
    raise NoDecomposition


copy_to.vjp(input=lambda g, *, specs: g.to(specs[0].device))


@op(
    shape=rules.like_first,
    dtype=rules.same,
    method=True,
    sugar={"memory_format": lambda input, *, memory_format: input.clone()},
    agree=Agree.exact(),
)
def clone(input: Tensor) -> Tensor:
    """A copy with storage of its own, through which gradients flow."""
    raise NoDecomposition


clone.vjp(input=lambda g: g)


def _read_target(args: tuple[Any, ...], device: Any, dtype: Any) -> tuple[Device | None, dtypes.dtype | None]:
    for value in args:
        if isinstance(value, dtypes.dtype):
            dtype = value
        elif isinstance(value, Tensor):
            device, dtype = value.device, value.dtype
        elif isinstance(value, str | Device | int) and not isinstance(value, bool):
            device = value
        elif value is not None and not isinstance(value, bool):
            raise ArgumentTypeError(
                f"to() takes a dtype, a device or a tensor, got {value!r}: x.to(dovetail.float64), x.to('cpu')"
            )
    return None if device is None else resolve(device), dtype


@front(method=True, public=False)
def to(
    input: Tensor,
    *args: Any,
    device: Any = None,
    dtype: dtypes.dtype | None = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return the tensor with another dtype, on another device, or both; itself when nothing changes.

    ``memory_format`` is accepted: a backend keeps values as it likes.

    >>> import dovetail
    >>> dovetail.ones(2).to(dovetail.int64)
    tensor([1, 1])
    """
    place, kind = _read_target(args, device, dtype)
    result = input
    if place is not None and place is not input.device:
        result = copy_to(result, device=place)
    if kind is not None and kind is not input.dtype:
        result = cast(result, dtype=kind)
    return clone(result) if copy and result is input else result


@front(method=True, public=False)
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """Return the tensor in the dtype of another one."""
    return to(input, other.dtype)


@front(method=True, public=False)
def cpu(input: Tensor) -> Tensor:
    """Return the tensor on the CPU: of its own backend if that has one, else the host."""
    device = input.device
    if device.type == "cpu":
        return input
    return to(input, f"{device.backend}:cpu" if "cpu" in _kinds(device.backend) else "cpu")


def _kinds(backend: str) -> tuple[str, ...]:
    from dovetail.contract.discovery import registrations  # the seam to the plugins

    return registrations[backend].spec.kinds


@front(method=True, public=False)
def cuda(input: Tensor, device: Any = None) -> Tensor:
    """Return the tensor on a CUDA device."""
    return to(input, "cuda" if device is None else device)


def _conversion(name: str, dtype: dtypes.dtype) -> None:
    def convert(input: Tensor) -> Tensor:
        return to(input, dtype)

    convert.__name__ = name
    convert.__doc__ = f"Return the tensor as {dtype.name}."
    front(method=True, public=False)(convert)


_METHODS = {
    "float": dtypes.float32,
    "double": dtypes.float64,
    "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16,
    "int": dtypes.int32,
    "long": dtypes.int64,
    "short": dtypes.int16,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "bool": dtypes.bool_,
}
"""PyTorch's methods that convert to one dtype."""

for _name, _dtype in _METHODS.items():
    _conversion(_name, _dtype)


@front(method=["type"], public=False)
def type_(input: Tensor, dtype: dtypes.dtype | str | None = None) -> Any:
    """Return the name of the tensor's type, or the tensor in another dtype."""
    if dtype is None:
        return f"dovetail.{input.dtype.legacy_name}Tensor"
    if isinstance(dtype, str):
        word = dtype.rsplit(".", 1)[-1].removesuffix("Tensor")
        for known in dtypes.ALL:
            if known.legacy_name == word:
                return to(input, known)
        raise ArgumentTypeError(f"invalid type: {dtype!r}")
    return to(input, dtype)
