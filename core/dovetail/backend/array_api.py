"""A whole backend from an array-API namespace: a vendor names the namespace, and has every op.

What the standard lacks is composed of what it has: positions that repeat are compared with all targets, assignment
falls back to a gather where arrays cannot be written. The 2024.12 standard is assumed; a function that a namespace
misses leaves its op to the decomposition or to the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dovetail import dtypes
from dovetail.backend.array_api_kernels import kernels_for
from dovetail.contract.backend import Backend, BackendSpec
from dovetail.contract.device import Device
from dovetail.contract.kernels import Array, KernelTable

Host = np.ndarray[Any, Any]


class ArrayAPIBackend(Backend):
    """The runtime of a backend whose arrays follow the array-API standard.

    A subclass gives ``namespace`` (the module, imported in its ``__init__`` or as a class attribute) and, where they
    differ, ``devices``, ``place`` and kernels of its own through ``extend``.

    >>> from dovetail.backend import ArrayAPIBackend
    >>> ArrayAPIBackend.kinds
    ('cpu',)
    """

    kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    namespace: Any = None

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        self.xp = self.load_namespace()
        self._devices = tuple(Device.of(spec.name, kind, 0) for kind in self.find_kinds())
        self._dtypes = {d: getattr(self.xp, d.name) for d in dtypes.ALL if hasattr(self.xp, d.name)}
        if hasattr(self.xp, "bool"):
            self._dtypes[dtypes.bool_] = self.xp.bool
        self._table: KernelTable | None = None

    # ------------------------------------------------------------------ what a vendor overrides

    def load_namespace(self) -> Any:
        """Import and return the namespace; only called when the backend is used."""
        if self.namespace is None:
            raise NotImplementedError(f"{type(self).__name__} must define `namespace` or `load_namespace()`")
        return self.namespace

    def find_kinds(self) -> Sequence[str]:
        """The kinds of device that are there, the default first."""
        return self.kinds

    def place(self, device: Device) -> Any:
        """The namespace's own device object for ``device``; None for its default."""
        return None

    def extend(self, table: KernelTable) -> None:
        """Add kernels that are faster or more exact than what the standard gives."""

    # ------------------------------------------------------------------ the contract

    @property
    def kernels(self) -> KernelTable:
        """The kernel table, made when it is first asked for."""
        if self._table is None:
            table = kernels_for(self.xp, self.dtype_of)
            self.extend(table)
            self._table = table
        return self._table

    def devices(self) -> Sequence[Device]:
        """The devices of the kinds that are there."""
        return self._devices

    def dtype_of(self, dtype: dtypes.dtype) -> Any:
        """The namespace's object for a dtype."""
        return self._dtypes[dtype]

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy a host array to the device."""
        return self.xp.asarray(np.array(array, order="C", copy=True), device=self.place(device))

    def to_host(self, array: Array) -> Host:
        """Copy an array to the host, through DLPack or the array protocol."""
        try:
            return np.from_dlpack(array)
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
            return np.asarray(array)

    def is_array(self, value: object) -> bool:
        """Whether a value is an array of the namespace."""
        return hasattr(value, "__array_namespace__") and value.__array_namespace__() is self.xp

    def spec_of(self, array: Array) -> tuple[tuple[int, ...], str]:
        """Shape and dtype name of an array."""
        return tuple(array.shape), next((d.name for d, own in self._dtypes.items() if own == array.dtype), str(array.dtype))

    def supports_dtype(self, dtype: dtypes.dtype, device: Device) -> bool:
        """Whether the namespace has the dtype."""
        return dtype in self._dtypes and dtype.category != dtypes.COMPLEX
