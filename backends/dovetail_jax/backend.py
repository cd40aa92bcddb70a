"""The runtime of the JAX backend: 64-bit per call, one compiled kernel per plan, whole programs as one XLA program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import jax
import numpy as np

from dovetail.backend import Array, Backend, BackendSpec, Call, Device, KernelTable, ProgramView, dtypes
from dovetail_jax import kernels
from dovetail_jax.compile import compile_program, compose, with_64_bits

Host = np.ndarray[Any, Any]

KINDS: Final = {"gpu": "cuda"}
"""JAX's platform names that differ from dovetail's kinds."""

_compiled: Final = [0]
"""Programs that XLA has compiled in this process, for whatever part of it."""


def _count(event: str, duration_secs: float, **_: Any) -> None:
    """Hear of what JAX has spent time on."""
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled[0] += 1


jax.monitoring.register_event_duration_secs_listener(_count)


class JaxBackend(Backend):
    """Immutable arrays of XLA. The user's own JAX code keeps its settings: 64-bit types are on only inside calls."""

    compiles = True
    fork_safe = False

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        self._places: dict[Device, Any] = {}
        counts: dict[str, int] = {}
        for found in jax.devices() + ([] if jax.default_backend() == "cpu" else jax.devices("cpu")):
            kind = KINDS.get(found.platform, found.platform)
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            self._places[Device.of(spec.name, kind, number)] = found

    @property
    def kernels(self) -> KernelTable:
        """The kernel table."""
        return kernels.table

    def devices(self) -> Sequence[Device]:
        """JAX's devices, its default first."""
        return tuple(self._places)

    def describe(self, device: Device) -> str:
        """The hardware as XLA names it."""
        return str(self._places[device].device_kind)

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy first: JAX may alias aligned NumPy memory, and a later write to it would be seen."""
        with jax.enable_x64(True):
            return jax.device_put(np.array(array, order="C", copy=True), self._places[device])

    def to_host(self, array: Array) -> Host:
        """A read-only view of the array's memory on a CPU, else a copy."""
        return np.asarray(array)

    def copy(self, array: Array) -> Array:
        """A copy with memory of its own, which a program may be given."""
        with jax.enable_x64(True):
            return array.copy()

    def is_array(self, value: object) -> bool:
        """Whether a value is a JAX array."""
        return isinstance(value, jax.Array)

    def supports_dtype(self, dtype: dtypes.dtype, device: Device) -> bool:
        """Every dtype but the complex ones."""
        return dtype.category != dtypes.COMPLEX

    def asynchronous(self, device: Device) -> bool:
        """JAX on a CPU computes while the caller goes on, but reading a value there is cheap."""
        return device.type != "cpu"

    def synchronize(self, device: Device) -> None:
        """Wait for every array that somebody holds: JAX has no other barrier, and runs what is independent at once."""
        place = self._places[device]
        for array in jax.live_arrays(place.platform):
            if place in array.devices():
                array.block_until_ready()

    def wait(self, array: Array) -> None:
        """Wait for one array."""
        array.block_until_ready()

    def bind(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Compile the kernel once per plan; every call runs it with 64-bit types on."""
        kernel = self.kernels.get(name)
        if kernel is None:
            return None
        if kernel.binder:
            raw = kernel.fn(call)
            if raw is None:
                return None
        else:
            raw = partial(kernel.fn, **call.statics) if call.statics else kernel.fn
        if name in kernels.ON_HOST:
            return raw  # type: ignore[no-any-return]  # a binder's result is a function by its contract
        return with_64_bits(raw)

    def compilations(self) -> int:
        """As JAX reports them."""
        return _compiled[0]

    def compile(self, program: ProgramView) -> Callable[..., Any]:
        """One XLA program for the whole captured step."""
        return compile_program(program)

    def compose(self, program: ProgramView, constants: Sequence[Array]) -> Callable[..., Any]:
        """One XLA kernel for the decomposition of a derived op."""
        return compose(program, constants)

    def out_of_memory(self, error: Exception) -> bool:
        """XLA's word for it."""
        return "RESOURCE_EXHAUSTED" in str(error)
