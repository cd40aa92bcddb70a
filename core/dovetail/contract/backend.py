"""What a backend is: a small description that costs nothing, and a runtime that is loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.contract.kernels import Array, Call, KernelTable

if TYPE_CHECKING:
    from dovetail.contract.program import ProgramView

CONTRACT_VERSION: Final = 2
"""The version of everything in this module; a backend states the one it was written for (see versions.py)."""


@dataclass(frozen=True)
class BackendSpec:
    """What a plugin's hook returns: plain data, made without importing any array library."""

    name: str
    """The id: the first part of ``acme:npu:0``. A name that is taken is an error."""
    runtime: str
    """"module:Class" of the :class:`Backend`, imported on first use."""
    kinds: tuple[str, ...] = ("cpu",)
    """The kinds of device that it may have, in order of preference."""
    priority: int = 0
    """Decides the default device: the highest usable backend wins."""
    probe: Callable[[str], str | None] = lambda kind: None
    """Why a kind of device cannot be used here, None when it can; must not import an array library."""
    install: str = ""
    """The command line that would make it usable."""
    requires: tuple[str, ...] = ()
    """Distributions whose versions are shown, the plugin's own first."""
    vendor: str = ""
    """Who makes it."""
    url: str = ""
    """Where to read about it."""
    environment: tuple[str, ...] = ()
    """Environment variables that change what the backend finds, for reports."""
    contract: int = CONTRACT_VERSION
    """The version of the contract that the backend was written for; the one before the present works as well."""
    host: bool = False
    """Whether its arrays are NumPy arrays in the process' own memory: where host fallbacks run."""


class Backend:
    """The runtime of a backend: transfer, kernels, and what it can do with them.

    A subclass must give ``kernels``, ``devices``, ``from_host``, ``to_host`` and ``is_array``; all else has an answer
    that is right for immutable arrays on a synchronous device.
    """

    writes_in_place: bool = False
    """Whether arrays may be written when nobody else holds them."""
    compiles: bool = False
    """Whether :meth:`compile` makes one program of many calls."""
    native_checks: frozenset[str] = frozenset()
    """Ops whose kernels raise IndexError or ZeroDivisionError by themselves, so that the core need not look first."""
    fork_safe: bool = True
    """Whether the runtime survives a fork of the process that has used it."""

    def __init__(self, spec: BackendSpec) -> None:
        self.spec = spec
        self.name = spec.name

    @property
    def kernels(self) -> KernelTable:
        """The kernel table; asked for once, under a lock."""
        raise NotImplementedError(f"backend {self.name!r} must define `kernels`")

    def devices(self) -> Sequence[Device]:
        """Every device that is there, the one to be used by default first."""
        raise NotImplementedError(f"backend {self.name!r} must define `devices`")

    def describe(self, device: Device) -> str:
        """The name of the hardware behind a device, for reports."""
        return device.type

    def from_host(self, array: np.ndarray[Any, Any], device: Device) -> Array:
        """Copy a host array to the device; later writes to ``array`` must not be seen."""
        raise NotImplementedError(f"backend {self.name!r} must define `from_host`")

    def to_host(self, array: Array) -> np.ndarray[Any, Any]:
        """Return the values as a NumPy array, which the caller will not write to."""
        raise NotImplementedError(f"backend {self.name!r} must define `to_host`")

    def is_array(self, value: object) -> bool:
        """Tell whether a value is one of this backend's arrays."""
        raise NotImplementedError(f"backend {self.name!r} must define `is_array`")

    def spec_of(self, array: Array) -> tuple[tuple[int, ...], str]:
        """Return shape and dtype name of an array, for checking a kernel against its op's rule."""
        return tuple(array.shape), str(array.dtype)

    def supports_dtype(self, dtype: dtypes.dtype, device: Device) -> bool:
        """Tell whether arrays of this dtype can exist on the device."""
        return dtype.category != dtypes.COMPLEX

    def asynchronous(self, device: Device) -> bool:
        """Whether kernels return before they have finished, so that reading a value would make the program wait."""
        return False

    def synchronize(self, device: Device) -> None:
        """Wait until everything that was started on the device has finished."""

    def wait(self, array: Array) -> None:
        """Wait until an array has its values, where kernels return before they have finished."""

    def empty_cache(self, device: Device) -> None:
        """Give back the memory that is kept for later allocations."""

    def bind(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Return the function on arrays for one op and one combination of specs, None without a kernel."""
        kernel = self.kernels.get(name)
        if kernel is None:
            return None
        if kernel.binder:
            return kernel.fn(call)  # type: ignore[no-any-return]  # a binder's result is a function by its contract
        return partial(kernel.fn, **call.statics) if call.statics else kernel.fn

    def bind_out(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Return the same function taking ``out=``, None when the kernel cannot write into a given array."""
        kernel = self.kernels.get(name)
        return self.bind(name, call) if kernel is not None and kernel.out else None

    def copy(self, array: Array) -> Array:
        """Return a copy that owns its memory; only asked when :attr:`writes_in_place` or :attr:`compiles`."""
        raise NotImplementedError(f"backend {self.name!r} writes in place or compiles, and must define `copy`")

    def writeable(self, array: Array) -> bool:
        """Tell whether the array owns its memory and may be written, when nobody else holds it."""
        return False

    def write(self, base: Array, view: Array, value: Array) -> bool:
        """Write ``value`` into ``view`` if it looks into the memory of ``base``; False when it does not."""
        return False

    def compile(self, program: ProgramView) -> Callable[..., Any]:
        """Return ``run(arrays, lent) -> results`` for a captured program; only asked when :attr:`compiles`.

        ``arrays`` is a list that may be emptied; ``lent`` says for each input whether its owner alone holds it besides.
        """
        raise NotImplementedError(f"backend {self.name!r} cannot compile programs")

    def compose(self, program: ProgramView, constants: Sequence[Array]) -> Callable[..., Any]:
        """Return one kernel for the decomposition of a derived op; only asked when :attr:`compiles`.

        The kernel takes the program's first inputs; the last ones are the given ``constants``. One result is returned
        as it is, several as a tuple.
        """
        raise NotImplementedError(f"backend {self.name!r} compiles and must define `compose`")

    def shareable(self, device: Device) -> bool:
        """Tell whether several processes may work on the device at once: a CPU, not an accelerator's one memory."""
        return device.type == "cpu"

    def compilations(self) -> int | None:
        """Return how many programs this process has compiled so far, None where nothing counts them."""
        return None

    def out_of_memory(self, error: Exception) -> bool:
        """Tell whether an exception of the array library means that the device has no room."""
        return isinstance(error, MemoryError)


@dataclass(eq=False, repr=False)
class Registration:
    """A backend that was announced, and what became of it."""

    spec: BackendSpec
    source: str
    """The plugin or call that announced it."""
    runtime: Backend | None = None
    reasons: dict[str, str | None] = field(default_factory=dict)
    """Why a kind of device cannot be used (None: it can), as probed."""
