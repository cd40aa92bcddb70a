"""The runtime of the CuPy backend: devices, transfer, ownership, writes in place.

What was not run on a GPU: everything here that needs one. The Python code of all kernels runs in the tests with NumPy
in CuPy's place and every CUDA source is compiled by NVRTC and run on the host; timings, the accuracy of CUDA's own
functions and several devices at once are for a machine with a GPU to show (`pytest -m gpu`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import array_api_compat.cupy as standard
import cupy
import numpy as np

from dovetail.backend import Array, ArrayAPIBackend, Call, Device, KernelTable, dtypes, ops
from dovetail.backend.array_api_halves import Carried, Halves
from dovetail.backend.array_api_space import Space
from dovetail_cupy import kernels
from dovetail_cupy.halves import CupyHalves

Host = np.ndarray[Any, Any]

_CROSSING = ops.copy_to.record.name


class CupyBackend(ArrayAPIBackend):
    """Arrays in the memory of CUDA devices."""

    kinds = ("cuda",)
    writes_in_place = True
    fork_safe = False
    # CUDA's float32 forms of these are off by up to 4 ULP, which is more than their ops allow.
    through_double: ClassVar[Any] = (ops.power, ops.asinh, ops.acosh, ops.atanh, ops.hypot)

    def load_namespace(self) -> Any:
        """CuPy by the names of the standard."""
        return standard

    def make_halves(self, space: Space) -> Halves:
        """16-bit floats are CuPy's own; float64 is rounded to them once, by a kernel."""
        return CupyHalves(space)

    def places(self) -> Iterable[tuple[str, Any]]:
        """Every device that the driver shows, in its order."""
        return [("cuda", cupy.cuda.Device(i)) for i in range(cupy.cuda.runtime.getDeviceCount())]

    def find_dtypes(self) -> Mapping[dtypes.dtype, Any]:
        """All real dtypes; bfloat16 where this CuPy has it (14 and later)."""
        found = {d: d.host for d in dtypes.ALL if not d.is_complex and d is not dtypes.bfloat16}
        return found | ({dtypes.bfloat16: dtypes.bfloat16.host} if kernels.has_bfloat16() else {})

    def extend(self, table: KernelTable) -> None:
        """CuPy's own functions and fused kernels in place of compositions."""
        table.update(kernels.table)
        kernels.with_integers(table)

    # ------------------------------------------------------------------ devices

    def devices(self) -> Sequence[Device]:
        """Every device, the current one first."""
        current = cupy.cuda.Device().id
        return sorted(self._places, key=lambda device: device.index != current)

    def describe(self, device: Device) -> str:
        """The name of the card."""
        name = cupy.cuda.runtime.getDeviceProperties(device.index)["name"]
        return name.decode() if isinstance(name, bytes) else str(name)

    def asynchronous(self, device: Device) -> bool:
        """Kernels are queued; reading a value waits for them."""
        return True

    def synchronize(self, device: Device) -> None:
        """Wait for everything that was queued on the device."""
        self.place(device).synchronize()

    def wait(self, array: Array) -> None:
        """Wait for the stream that the array's kernel was put into."""
        with array.device:
            cupy.cuda.get_current_stream().synchronize()

    def out_of_memory(self, error: Exception) -> bool:
        """CuPy's own exception, or the host's."""
        return isinstance(error, cupy.cuda.memory.OutOfMemoryError | MemoryError)

    # ------------------------------------------------------------------ arrays

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy to the device; CuPy goes through memory of its own, so later writes are not seen."""
        if dtypes.from_host(array.dtype) not in self._dtypes:
            return super().from_host(array, device)
        with self.place(device):
            return cupy.array(array, copy=True, order="C")

    def to_host(self, array: Array) -> Host:
        """Copy to the host, after everything that the values depend on has run."""
        if isinstance(array, cupy.ndarray):
            return np.asarray(cupy.asnumpy(array))
        return super().to_host(array)

    def is_array(self, value: object) -> bool:
        """Whether a value is a CuPy array (or one that carries a dtype which this CuPy lacks)."""
        return isinstance(value, cupy.ndarray) or super().is_array(value)

    def bind(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Bind a kernel; where there are several devices, it runs on the call's."""
        if name == _CROSSING:
            return kernels.copier(call)
        kernel = super().bind(name, call)
        if kernel is None or len(self._places) == 1:
            return kernel
        place, found = self.place(call.device), kernel

        def on_device(*arrays: Any, **words: Any) -> Any:
            with place:
                return found(*arrays, **words)

        return on_device

    # ------------------------------------------------------------------ in place

    def copy(self, array: Array) -> Array:
        """A copy in row-major order."""
        if isinstance(array, Carried):
            return Carried(self.copy(array.values), array.dtype)
        with cupy.cuda.Device(array.device):
            return array.copy(order="C")

    def writeable(self, array: Array) -> bool:
        """Whether the array owns its memory."""
        return isinstance(array, cupy.ndarray) and bool(array.flags.owndata)

    def write(self, base: Array, view: Array, value: Array) -> bool:
        """Write through a view of the base; a reshape that had to copy shares nothing with it."""
        if not isinstance(base, cupy.ndarray):
            return False
        if not cupy.may_share_memory(base, view):
            return bool(view.size == 0)
        with cupy.cuda.Device(base.device):
            if cupy.may_share_memory(view, value):
                value = value.copy()
            view[...] = value
        return True
