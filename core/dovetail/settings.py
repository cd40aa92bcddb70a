"""Process-wide settings: each is read once, kept in one record, and costs nothing per op."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from dovetail import dtypes
from dovetail.errors import ArgumentTypeError

_lock = threading.Lock()
_listeners: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Settings:
    """What a program has set for the whole process."""

    default_dtype: dtypes.dtype = dtypes.float32
    host_fallback: str = "warn"
    """What an op without kernel and decomposition does: "warn" (run on the host), "silent", "error"."""


current = Settings()


def change(**values: object) -> None:
    """Replace fields of the settings under the lock and tell everybody who cached an answer."""
    global current
    with _lock:
        current = replace(current, **values)  # type: ignore[arg-type]  # field types are checked by the callers
        for listener in _listeners:
            listener()


def on_change(listener: Callable[[], None]) -> None:
    """Call ``listener`` after every change: plans and constants that depend on a setting are dropped there."""
    _listeners.append(listener)


def set_default_dtype(dtype: dtypes.dtype) -> None:
    """Set the type that Python floats become; float16, bfloat16, float32 or float64."""
    if not isinstance(dtype, dtypes.dtype) or not dtype.is_floating_point:  # type: ignore[redundant-expr]
        raise ArgumentTypeError(f"only floating-point types are supported as the default type, got {dtype!r}")
    change(default_dtype=dtype)


def get_default_dtype() -> dtypes.dtype:
    """Return the type that Python floats become."""
    return current.default_dtype


def set_host_fallback(mode: str) -> None:
    """Set what an op without kernel and decomposition does: "warn", "silent" or "error"."""
    if mode not in ("warn", "silent", "error"):
        raise ArgumentTypeError(f"host fallback mode must be 'warn', 'silent' or 'error', got {mode!r}")
    change(host_fallback=mode)
