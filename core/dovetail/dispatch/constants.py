"""Python numbers, lists and NumPy arrays as operands: 0-d tensors of the dtype that promotion gives, cached."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dovetail import dtypes, settings
from dovetail.contract import discovery, traffic
from dovetail.contract.selection import default_device
from dovetail.errors import ArgumentTypeError, UnsupportedError
from dovetail.record.rules import result_type
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, new, wrap

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.record.op import Op


class Constant(Tensor):
    """A cached number: shared by everybody, so nothing may write it or put another value in its place."""

    __slots__ = ()


MAX_CONSTANTS: Final = 4096
_cache: Final[dict[Any, Tensor]] = {}

settings.on_change(_cache.clear)
discovery.on_change(_cache.clear)


def category_of(value: object) -> int:
    """The category of a Python or NumPy number: bool < int < float < complex."""
    if isinstance(value, bool | np.bool_):
        return dtypes.BOOL
    if isinstance(value, numbers.Integral):
        return dtypes.INTEGER
    if isinstance(value, numbers.Real):
        return dtypes.FLOATING
    if isinstance(value, numbers.Complex):
        return dtypes.COMPLEX
    raise ArgumentTypeError(f"expected a number, got {type(value).__name__}: {value!r}")


def is_operand(value: object) -> bool:
    """Tell whether a value can stand beside a tensor: another tensor, a number, a list, a NumPy array."""
    return isinstance(value, Tensor | numbers.Number | np.ndarray | np.generic | list | tuple)


def dtype_of_number(value: object, beside: dtypes.dtype | None) -> dtypes.dtype:
    """The dtype of a number next to tensors of type ``beside``: theirs, unless its category is higher."""
    category = category_of(value)
    if beside is not None and category <= beside.category:
        return beside
    if category == dtypes.BOOL:
        return dtypes.bool_
    if category == dtypes.INTEGER:
        return dtypes.int64
    if category == dtypes.FLOATING:
        return settings.current.default_dtype
    return dtypes.complex64


def host_number(value: Any, dtype: dtypes.dtype) -> np.ndarray[Any, Any]:
    """A 0-d host array of a number; integers out of range wrap around as PyTorch's do."""
    if category_of(value) == dtypes.COMPLEX:
        raise UnsupportedError(f"complex numbers are not supported yet by any op: {value!r}")
    if dtype.category == dtypes.INTEGER and category_of(value) <= dtypes.INTEGER:
        bits = 8 * dtype.itemsize
        wrapped = int(value) & ((1 << bits) - 1)
        if dtype.is_signed and wrapped >> (bits - 1):
            wrapped -= 1 << bits
        return np.array(wrapped, dtype=dtype.host)
    if dtype.category == dtypes.BOOL:
        return np.array(bool(value))
    with np.errstate(over="ignore"):
        return np.asarray(value).astype(dtype.host)


def constant(value: Any, dtype: dtypes.dtype, device: Device) -> Tensor:
    """Return a cached 0-d tensor. Keyed by type too, because ``1 == True == 1.0``; zeros by their text, for -0.0."""
    key = (type(value), value if value else repr(value), dtype, device)
    found = _cache.get(key)
    if found is None:
        if dtype.category == dtypes.COMPLEX:
            raise UnsupportedError("complex numbers are not supported yet by any op")
        data = device.runtime.from_host(host_number(value, dtype), device)
        found = new(Constant)
        found._data, found._spec, found._alias, found._node = data, spec((), dtype, device), None, None
        if len(_cache) >= MAX_CONSTANTS:
            _cache.clear()
        _cache[key] = found
    return found


def lift(op: Op, flat: Sequence[Any]) -> list[Any]:
    """Make a tensor of every operand that is none, on the device and in the dtype that the others give."""
    tensors = [x for x in flat if isinstance(x, Tensor)]
    beside = result_type([t._spec for t in tensors]) if tensors else None
    device = _device_of(tensors)
    live = op.signature.live
    return [
        x if isinstance(x, Tensor) or x is None or i in live else _lift_one(op, x, beside, device)
        for i, x in enumerate(flat)
    ]


def _device_of(tensors: Sequence[Tensor]) -> Device:
    for t in tensors:
        if t._spec.shape or t._spec.device.type != "cpu":
            return t._spec.device
    return tensors[0]._spec.device if tensors else default_device()


def _lift_one(op: Op, value: Any, beside: dtypes.dtype | None, device: Device) -> Tensor:
    if isinstance(value, numbers.Number | np.bool_):
        return constant(value, dtype_of_number(value, beside), device)
    if isinstance(value, np.ndarray | list | tuple):
        host = np.asarray(value)
        if isinstance(value, list | tuple):
            host = host.astype(dtype_of_number(host.flat[0], None).host) if host.size else host
        found = dtypes.from_host(host.dtype)
        made = spec(host.shape, found, device)
        if traffic.listeners:
            traffic.note(traffic.HOST, device, (made,))
        return wrap(device.runtime.from_host(host, device), made)
    raise ArgumentTypeError(
        f"{op.name}(): unsupported operand of type {type(value).__name__}: {value!r} (tensors, numbers, lists "
        f"and NumPy "
        "arrays are accepted)"
    )
