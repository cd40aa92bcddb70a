"""An array-API namespace as kernels see it, with the few things that they ask of it over and over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dovetail import dtypes
from dovetail.contract.kernels import Array


@dataclass(frozen=True)
class Space:
    """A namespace, its dtypes, and the functions (by op) that it computes in float64 for float32."""

    xp: Any
    own: Mapping[dtypes.dtype, Any]
    through_double: frozenset[str] = frozenset()

    @property
    def has_double(self) -> bool:
        """Whether the namespace has float64."""
        return dtypes.float64 in self.own

    def scalar(self, value: Any, like: Array) -> Array:
        """A number as a 0-d array of the dtype and on the device of another array."""
        return self.xp.asarray(value, dtype=like.dtype, device=like.device)

    def is_floating(self, x: Array) -> bool:
        """Whether the array holds floating-point numbers."""
        return bool(self.xp.isdtype(x.dtype, "real floating"))

    def numbers(self, length: int, like: Array) -> Array:
        """The int64 numbers from 0 on the device of another array."""
        return self.xp.arange(length, dtype=self.xp.int64, device=like.device)

    @cached_property
    def assignable(self) -> bool:
        """Whether arrays of the namespace can be written."""
        probe = self.xp.zeros((1,), dtype=self.xp.float32)
        try:
            probe[0] = 1.0
        except TypeError:
            return False
        return True
