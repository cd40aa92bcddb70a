"""Questions about autocast, and the switches below the block: all per thread and task."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.dispatch import autocast as casting
from dovetail.dispatch import state
from dovetail.errors import ArgumentError, ArgumentTypeError, BackendError, DeviceError

LOWER = (dtypes.bfloat16, dtypes.float16)
"""The types that autocast converts to."""


def type_of_device(device_type: Any) -> str:
    """Return the type of device that was named, "cpu" or "cuda".

    Raises:
        ArgumentError: not a text, or a device and not its type ("cuda:0").
    """
    if not isinstance(device_type, str):
        raise ArgumentError(f"Expected `device_type` of type `str`, got: `{type(device_type)}` (write x.device.type)")
    if not device_type or ":" in device_type:
        raise ArgumentError(
            f"autocast takes the type of a device, such as 'cpu' or 'cuda', got {device_type!r} (write x.device.type)"
        )
    return device_type


def is_autocast_available(device_type: str) -> bool:
    """Tell whether there are devices of a type here, so that autocast can do something for them.

    >>> is_autocast_available("cpu")
    True
    """
    kind = type_of_device(device_type)
    if kind == "cpu":
        return True
    try:
        return bool(Device(kind).type == kind)
    except (BackendError, DeviceError):
        return False


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Tell whether autocast is on for a type of device; without one for "cuda", as in PyTorch.

    >>> with autocast("cpu"):
    ...     is_autocast_enabled("cpu")
    True
    """
    return type_of_device(device_type) in casting.current.get().enabled


def set_autocast_enabled(device_type: str | bool, enabled: bool = True) -> None:
    """Switch autocast on or off for a type of device ("cuda" if left out); ``autocast`` blocks do so for a while."""
    if isinstance(device_type, bool):
        enabled, device_type = device_type, "cuda"
    kind, mode = type_of_device(device_type), casting.current.get()
    kinds = mode.enabled | {kind} if enabled else mode.enabled - {kind}
    switched = bool(kinds)
    if switched is not mode.switched:
        (state.enter if switched else state.leave)()
    casting.current.set(mode._replace(enabled=kinds, switched=switched))


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """Return the lower precision for a type of device: bfloat16 on "cpu", float16 elsewhere unless set.

    >>> get_autocast_dtype("cpu")
    dovetail.bfloat16
    """
    return casting.current.get().lower(type_of_device(device_type))


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Choose the lower precision for a type of device."""
    if not isinstance(dtype, dtypes.dtype):
        raise ArgumentTypeError(f"set_autocast_dtype needs a dtype, got {dtype!r}")
    mode = casting.current.get()
    casting.current.set(mode._replace(chosen={**mode.chosen, type_of_device(device_type): dtype}))


def is_autocast_cache_enabled() -> bool:
    """Tell whether parameters in lower precision are kept until the outermost block ends."""
    return casting.current.get().caching


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Switch the keeping of parameters in lower precision on or off."""
    casting.current.set(casting.current.get()._replace(caching=bool(enabled)))


def clear_autocast_cache() -> None:
    """Forget the parameters that were converted so far."""
    cache = casting.current.get().cache
    if cache is not None:
        cache.clear()


def is_autocast_cpu_enabled() -> bool:
    """Tell whether autocast is on for "cpu"."""
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switch autocast on or off for "cpu"."""
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """Return the lower precision for "cpu"."""
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: dtypes.dtype) -> None:
    """Choose the lower precision for "cpu"."""
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """Return the lower precision for "cuda"."""
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype: dtypes.dtype) -> None:
    """Choose the lower precision for "cuda"."""
    set_autocast_dtype("cuda", dtype)
