"""What a program hands over to become a tensor: numbers, nested lists, NumPy arrays; as a host array of one dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail import dtypes, settings
from dovetail.dispatch.reading import host_values
from dovetail.errors import (
    ArgumentError,
    ArgumentRuntimeError,
    ArgumentTypeError,
    AutogradError,
    UnsupportedError,
)
from dovetail.tensor.tensor import Tensor

Host = np.ndarray[Any, Any]


def host_array(data: Any) -> Host:
    """Return nested sequences of numbers and tensors as a host array in native byte order.

    Ragged sequences, texts and other objects are errors that say what was found.
    """
    if isinstance(data, Tensor):
        return host_values(data)
    if isinstance(data, list | tuple) and _begins_with_tensor(data):
        data = _without_tensors(data)
    try:
        host = np.asarray(data)
    except AutogradError:  # a tensor with a graph among numbers: its value is meant
        return host_array(_without_tensors(data))
    except ValueError as error:
        raise ArgumentError(_ragged(data, 0) or "expected sequences of equal depth everywhere") from error
    if host.dtype.kind not in "biufcV":
        raise _not_numbers(data, host)
    return host if host.dtype.isnative else host.astype(host.dtype.newbyteorder("="))


def _begins_with_tensor(data: Any) -> bool:
    while isinstance(data, list | tuple) and data:
        data = data[0]
    return isinstance(data, Tensor)


def _without_tensors(data: Any) -> Any:
    """Nested sequences with the values of the tensors in them."""
    if isinstance(data, Tensor):
        return host_values(data).tolist()
    return [_without_tensors(part) for part in data] if isinstance(data, list | tuple) else data


def _ragged(data: Any, depth: int) -> str | None:
    """PyTorch's sentence for the first sequence whose length differs from that of its first sister."""
    if not isinstance(data, Sequence) or not data:
        return None
    lengths = [len(part) if isinstance(part, Sequence | np.ndarray) else None for part in data]
    for length in lengths:
        if length != lengths[0]:
            if None in (length, lengths[0]):
                return f"expected numbers or sequences at dim {depth + 1}, got a mixture of both"
            return (
                f"expected sequence of length {lengths[0]} at dim {depth + 1} (got {length}): pad them to one length, "
                "or make one tensor of each"
            )
    return next((found for part in data if (found := _ragged(part, depth + 1))), None)


def _not_numbers(data: Any, host: Host) -> Exception:
    """What to say of data that NumPy takes for texts or objects."""
    strangers = [v for v in host.ravel().tolist() if not isinstance(v, int | float | complex)]
    if not strangers and host.dtype.kind == "O":
        return ArgumentError("Overflow when unpacking long long: an integer needs more than 64 bits")
    found = strangers[0] if strangers and host.ndim else data
    if isinstance(found, str | bytes):
        return ArgumentTypeError(f"new(): invalid data type '{type(found).__name__}': {found!r} is no number")
    kind = type(found).__name__
    return ArgumentRuntimeError(f"Could not infer dtype of {kind}: a tensor is made of numbers, lists or arrays")


def inferred(data: Any, host: Host) -> dtypes.dtype:
    """Return the dtype of new data: Python floats give the default type, arrays and tensors keep theirs."""
    if isinstance(data, Tensor):
        return data.dtype
    if isinstance(data, np.ndarray | np.generic):
        return dtypes.from_host(host.dtype)
    if host.size == 0 or host.dtype.kind == "f":
        return settings.current.default_dtype
    if host.dtype.kind == "c":
        return dtypes.complex64
    return dtypes.from_host(host.dtype)


def converted(data: Any, host: Host, dtype: dtypes.dtype) -> Host:
    """Return a host array in a dtype, by the rules of ``to``; an integer in a list that does not fit is an error."""
    if dtype.category == dtypes.COMPLEX:
        raise UnsupportedError(f"complex tensors ({dtype.name}) are not supported yet")
    if host.dtype == dtype.host:
        return host
    if host.dtype.kind == "c":
        raise UnsupportedError(f"complex numbers ({host.dtype}) are not supported yet, nor are conversions from them")
    if dtype.category == dtypes.INTEGER:
        if host.dtype.kind == "f":
            return _saturated(host, dtype)
        if host.dtype.kind in "iu" and not isinstance(data, Tensor | np.ndarray):
            _check_range(host, dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        return host.astype(dtype.host)


def _saturated(host: Host, dtype: dtypes.dtype) -> Host:
    """Truncated; NaN is 0, and what is out of range the nearest integer, on every machine."""
    limits = np.iinfo(dtype.host)
    with np.errstate(invalid="ignore", over="ignore"):
        found = host.astype(dtype.host)
    found = np.where(host >= float(limits.max), np.array(limits.max, dtype.host), found)
    found = np.where(host <= float(limits.min), np.array(limits.min, dtype.host), found)
    return np.where(np.isnan(host), np.array(0, dtype.host), found)


def _check_range(host: Host, dtype: dtypes.dtype) -> None:
    limits = np.iinfo(dtype.host)
    outside = (host < limits.min) | (host > limits.max)
    if np.any(outside):
        raise ArgumentRuntimeError(
            f"value cannot be converted to type {dtype.name} without overflow: {host[outside].flat[0]}"
        )
