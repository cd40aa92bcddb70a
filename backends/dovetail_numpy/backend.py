"""The runtime of the NumPy backend: transfer, ownership, writes in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dovetail.backend import Array, Backend, BackendSpec, Device, KernelTable
from dovetail_numpy import kernels
from dovetail_numpy.memory import keep_freed_memory

Host = np.ndarray[Any, Any]


class NumpyBackend(Backend):
    """Arrays in the process' own memory; the living reference of every op."""

    writes_in_place = True
    native_checks = kernels.CHECKED

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        self._device = Device.of(spec.name, "cpu", 0)
        keep_freed_memory()

    @property
    def kernels(self) -> KernelTable:
        """The kernel table."""
        return kernels.table

    def devices(self) -> Sequence[Device]:
        """The one CPU."""
        return (self._device,)

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy: later writes to the array must not be seen."""
        return np.array(array, order="C", copy=True)

    def to_host(self, array: Array) -> Host:
        """The array itself: whoever holds it keeps it from being written."""
        return array  # type: ignore[no-any-return]  # an array of this backend is a NumPy array

    def is_array(self, value: object) -> bool:
        """Whether a value is a NumPy array."""
        return isinstance(value, np.ndarray)

    def copy(self, array: Array) -> Array:
        """A copy in row-major order."""
        return np.array(array, order="C", copy=True)

    def writeable(self, array: Array) -> bool:
        """Whether the array owns its memory."""
        flags = array.flags
        owned: bool = flags.owndata and flags.writeable
        return owned

    def write(self, base: Array, view: Array, value: Array) -> bool:
        """Write through a view of the base; a reshape that had to copy shares nothing with it."""
        if not np.may_share_memory(base, view):
            nothing: bool = view.size == 0
            return nothing
        if np.may_share_memory(view, value):
            value = value.copy()
        view[...] = value
        return True
