"""A whole backend from an array-API namespace: a vendor names the namespace, and has every op.

What the standard lacks is composed of what it has: positions that repeat are sorted and added up by segments,
assignment becomes a gather where arrays cannot be written, 16-bit floats are held as float32 numbers that
they can be. The 2024.12 standard is assumed; a function that a namespace misses leaves its op to the
decomposition or to the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from dovetail import dtypes, ops
from dovetail.backend.array_api_halves import Carried, Halves, as_half, as_single, has_half, on_host
from dovetail.backend.array_api_kernels import kernels_for
from dovetail.backend.array_api_space import Space
from dovetail.contract.backend import Backend, BackendSpec
from dovetail.contract.device import Device
from dovetail.contract.kernels import Array, Call, HasRecord, KernelTable

Host = np.ndarray[Any, Any]


class ArrayAPIBackend(Backend):
    """The runtime of a backend whose arrays follow the array-API standard.

    A subclass gives ``namespace`` (the module, or the result of ``load_namespace``) and, where they differ,
    ``places`` and kernels of its own through ``extend``. Its arrays are never written unless it says so.

    >>> from dovetail.backend import ArrayAPIBackend
    >>> ArrayAPIBackend.kinds
    ('cpu',)
    """

    kinds: ClassVar[tuple[str, ...]] = ("cpu",)
    """The kinds of which there is one device each, where ``places`` is left as it is."""
    namespace: Any = None
    """The namespace, where it costs nothing to import it with the class; else ``load_namespace``."""
    through_double: ClassVar[tuple[HasRecord, ...]] = (
        ops.log, ops.log10, ops.expm1, ops.asinh, ops.acosh, ops.atanh,
    )  # fmt: skip
    """Functions that the namespace computes in float64 for float32, because its own miss the bound of the op.

    NumPy's do, and several namespaces stand on NumPy.
    """

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        # Several namespaces stand on NumPy, which warns of 1/0 and overflow where IEEE 754 has an answer.
        np.seterr(all="ignore")
        self.xp = self.load_namespace()
        self._dtypes = self.find_dtypes()
        self._places = _numbered(spec.name, self.places())
        exact = frozenset(op.record.name for op in self.through_double)
        self._space = Space(self.xp, self._dtypes, exact if dtypes.float64 in self._dtypes else frozenset())
        self._halves = self.make_halves(self._space)
        self._table: KernelTable | None = None

    # ------------------------------------------------------------------ what a vendor overrides

    def load_namespace(self) -> Any:
        """Import and return the namespace; only called when the backend is used."""
        if self.namespace is None:
            raise NotImplementedError(f"{type(self).__name__} must define `namespace` or `load_namespace()`")
        return self.namespace

    def places(self) -> Iterable[tuple[str, Any]]:
        """The devices that are there, the default first: their kind, and the namespace's own object for them.

        None stands for the namespace's default device.
        """
        return [(kind, None) for kind in self.kinds]

    def find_dtypes(self) -> Mapping[dtypes.dtype, Any]:
        """The namespace's own object for every dtype that it has."""
        found = {d: getattr(self.xp, d.name) for d in dtypes.ALL if hasattr(self.xp, d.name)}
        return found | {dtypes.bool_: self.xp.bool}

    def make_halves(self, space: Space) -> Halves:
        """How 16-bit floats are stored and rounded."""
        return Halves(space)

    def extend(self, table: KernelTable) -> None:
        """Add kernels that are faster or more exact than what the standard gives."""

    # ------------------------------------------------------------------ the contract

    @property
    def kernels(self) -> KernelTable:
        """The kernel table, made when it is first asked for."""
        if self._table is None:
            table = kernels_for(self._space, self._halves)
            self.extend(table)
            self._table = table
        return self._table

    def devices(self) -> Sequence[Device]:
        """The devices that are there, the default first."""
        return tuple(self._places)

    def place(self, device: Device) -> Any:
        """The namespace's own device object for ``device``; None for its default."""
        return self._places[device]

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy a host array to the device."""
        place = self.place(device)
        dtype = dtypes.from_host(array.dtype)
        if dtype in self._dtypes:
            return self.xp.asarray(np.array(array, order="C", copy=True), device=place)
        return Carried(self.xp.asarray(as_single(array), device=place), dtype)

    def to_host(self, array: Array) -> Host:
        """Copy an array to the host, through DLPack or the array protocol."""
        if isinstance(array, Carried):
            return as_half(self.to_host(array.values), array.dtype)
        return on_host(array)

    def is_array(self, value: object) -> bool:
        """Whether a value is an array of the namespace."""
        if isinstance(value, Carried):
            return self.is_array(value.values)
        return isinstance(value, self._array_type)

    @cached_property
    def _array_type(self) -> type:
        """What the namespace makes: a wrapper of array-api-compat is not what its arrays name as their namespace."""
        return type(self.xp.zeros(1, dtype=next(iter(self._dtypes.values()))))

    def spec_of(self, array: Array) -> tuple[tuple[int, ...], str]:
        """Shape and dtype name of an array."""
        if isinstance(array, Carried):
            return tuple(array.values.shape), array.dtype.name
        name = next((d.name for d, own in self._dtypes.items() if own == array.dtype), str(array.dtype))
        return tuple(array.shape), name

    def supports_dtype(self, dtype: dtypes.dtype, device: Device) -> bool:
        """Whether the namespace has the dtype; 16-bit floats exist wherever float32 does."""
        if dtype.category == dtypes.COMPLEX:
            return False
        return dtype in self._dtypes or (self._halves.carries(dtype) and dtypes.float32 in self._dtypes)

    def bind(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Bind a kernel; one on 16-bit floats computes in float32 and rounds its result once."""
        if has_half(call):
            return self._halves.bind(name, call, super().bind)
        return super().bind(name, call)

    def bind_out(self, name: str, call: Call) -> Callable[..., Any] | None:
        """No kernel on 16-bit floats writes into a given array: it computes in another type."""
        return None if has_half(call) else super().bind_out(name, call)


def _numbered(backend: str, places: Iterable[tuple[str, Any]]) -> dict[Device, Any]:
    """Give every place its device: each kind counts from 0."""
    counts: dict[str, int] = {}
    found: dict[Device, Any] = {}
    for kind, own in places:
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        found[Device.of(backend, kind, number)] = own
    return found
