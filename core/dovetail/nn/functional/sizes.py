"""How layers and functions read a size: one number for all dimensions, or one for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail.errors import ArgumentError


def repeated(value: Any, length: int) -> tuple[Any, ...]:
    """Return one value for each dimension: a number stands for all of them.

    Raises:
        ArgumentError: the wrong number of values.
    """
    if not isinstance(value, Iterable):
        return (value,) * length
    values = tuple(value)
    if len(values) != length:
        raise ArgumentError(f"expected one value or {length}, got {values}")
    return values
