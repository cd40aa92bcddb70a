"""Backends made of the host's: the same arrays with other kernels, for references and for planted faults."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from dovetail.backend import Array, ArrayAPIBackend, Backend, BackendSpec, Call, Device, KernelTable
from dovetail.backend.inspection import (
    Op,
    host_device,
    record,
    records,
    register_backend,
    unregister_backend,
)
from dovetail_conformance.judge import FUNCTIONS

Host = np.ndarray[Any, Any]
Change = Callable[[KernelTable], None]


class Wrapped(Backend):
    """The host's arrays and kernels under another name; a subclass changes the table in ``change``."""

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        place = host_device()
        assert place is not None, "there is always a backend on the host"
        self.host = place.runtime
        self._place = place
        self._device = Device.of(spec.name, "cpu", 0)
        self.writes_in_place = self.host.writes_in_place
        self.native_checks = self.host.native_checks
        self._table: KernelTable | None = None

    def change(self, table: KernelTable) -> None:
        """Replace or remove kernels."""

    @property
    def kernels(self) -> KernelTable:
        """The host's table, changed."""
        if self._table is None:
            table = KernelTable()
            table.update(self.host.kernels)
            self.change(table)
            self._table = table
        return self._table

    def devices(self) -> Sequence[Device]:
        """One CPU."""
        return (self._device,)

    def from_host(self, array: Host, device: Device) -> Array:
        """As the host does it."""
        return self.host.from_host(array, self._place)

    def to_host(self, array: Array) -> Host:
        """As the host does it."""
        return self.host.to_host(array)

    def is_array(self, value: object) -> bool:
        """As the host does it."""
        return self.host.is_array(value)

    def copy(self, array: Array) -> Array:
        """As the host does it."""
        return self.host.copy(array)

    def writeable(self, array: Array) -> bool:
        """As the host does it."""
        return self.host.writeable(array)

    def write(self, base: Array, view: Array, value: Array) -> bool:
        """As the host does it."""
        return self.host.write(base, view, value)


def single(op: Op) -> bool:
    """Whether an op is a function of one number that the judge knows by name."""
    return op.name in FUNCTIONS and len(op.signature.parameters) == 1


class Parts(Wrapped):
    """Kernels for primitives, and for functions with a bound of their own: everything else decomposes to these."""

    def keep(self, op: Op) -> bool:
        """Whether an op stays whole."""
        return op.primitive or (single(op) and op.agree is not None and op.agree.kind != "C")

    def change(self, table: KernelTable) -> None:
        """Leave out what decomposes."""
        table.remove(*(_Named(op) for op in records() if not self.keep(op)))


class Whole(Parts):
    """As ``Parts``, with every function that the judge knows left whole: for closed forms."""

    def keep(self, op: Op) -> bool:
        """Whether an op stays whole."""
        return op.primitive or single(op)


class Plain(ArrayAPIBackend):
    """NumPy's namespace alone through the generic kernels: a second opinion on the host's own."""

    def load_namespace(self) -> Any:
        """The namespace with the names of the standard."""
        import array_api_compat.numpy as namespace

        return namespace

    def is_array(self, value: object) -> bool:
        """Whether a value is a NumPy array, or one that carries 16-bit floats."""
        return isinstance(value, np.ndarray) or super().is_array(value)


class _Named:
    """What a table takes for an op."""

    def __init__(self, op: Op) -> None:
        self.record = op


_numbers = itertools.count()


@contextmanager
def registered(backend: type[Backend], name: str = "") -> Iterator[str]:
    """A backend class that is registered while the block runs; gives the id."""
    name = name or f"conformance_{backend.__name__.lower()}_{next(_numbers)}"
    attribute = f"_made_{name}"
    setattr(sys.modules[__name__], attribute, backend)
    spec = BackendSpec(name=name, runtime=f"{__name__}:{attribute}", priority=-1000, vendor="dovetail")
    register_backend(spec, source="the conformance suite")
    try:
        yield name
    finally:
        unregister_backend(name)
        delattr(sys.modules[__name__], attribute)


def plain_kernel(name: str) -> Callable[[Call], Callable[..., Any]]:
    """The host's kernel for an op, as a function of the call and the arrays, for faults that are built on it."""
    place = host_device()
    assert place is not None, "there is always a backend on the host"
    runtime = place.runtime
    assert name in runtime.kernels, f"the host has a kernel for {record(name).name}"

    def bound(call: Call) -> Callable[..., Any]:
        kernel = runtime.bind(name, call)
        assert kernel is not None, f"the host's kernel of {name} takes this call"
        return kernel

    return bound
