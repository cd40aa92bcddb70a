"""The runtime of the PyTorch backend: devices, transfer and the kernel table.

Arrays are tensors that PyTorch's autograd never sees: none is made with ``requires_grad``, so no operation on them
records anything, and the user's own PyTorch code keeps its grad mode. No array is ever written: views and in-place
methods are dovetail's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import array_api_compat.torch as standard
import numpy as np
import torch
from torch.utils.dlpack import from_dlpack

from dovetail.backend import Array, ArrayAPIBackend, BackendSpec, Call, Device, KernelTable, dtypes
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail_torch import integers, kernels
from dovetail_torch.halves import TorchHalves

Host = np.ndarray[Any, Any]


class TorchBackend(ArrayAPIBackend):
    """Tensors of PyTorch, on its CPU and on every CUDA device that it shows."""

    kinds = ("cpu", "cuda")
    # PyTorch's float32 forms of these miss the bound of their record.
    through_double: ClassVar[Any] = kernels.IN_DOUBLE

    def __init__(self, spec: BackendSpec) -> None:
        super().__init__(spec)
        # CUDA does not survive a fork. PyTorch's CPU does if the child uses one thread, as in its own data loaders:
        # the others of the pool are not there any more, and waiting for them would last for ever.
        self.fork_safe = not torch.cuda.is_available()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))

    def load_namespace(self) -> Any:
        """PyTorch by the names of the standard."""
        return standard

    def places(self) -> Iterable[tuple[str, Any]]:
        """The CPU, then every CUDA device."""
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [("cpu", torch.device("cpu")), *(("cuda", torch.device("cuda", i)) for i in range(cards))]

    def find_dtypes(self) -> Mapping[dtypes.dtype, Any]:
        """All real ones, 16-bit floats among them."""
        return {d: getattr(torch, d.name) for d in dtypes.ALL if not d.is_complex}

    def make_halves(self, space: Space) -> Halves:
        """16-bit floats are PyTorch's own, and what only moves them leaves them alone."""
        return TorchHalves(space)

    def extend(self, table: KernelTable) -> None:
        """PyTorch's own functions in place of compositions."""
        kernels.extend(table)

    # ------------------------------------------------------------------ devices

    def describe(self, device: Device) -> str:
        """The name of the card; the CPU has none that PyTorch would tell."""
        return torch.cuda.get_device_name(device.index) if device.type == "cuda" else device.type

    def asynchronous(self, device: Device) -> bool:
        """Kernels on a card are queued; reading a value waits for them."""
        return device.type == "cuda"

    def synchronize(self, device: Device) -> None:
        """Wait for everything that was queued on a card."""
        if device.type == "cuda":
            torch.cuda.synchronize(device.index)

    def empty_cache(self, device: Device) -> None:
        """Give back what PyTorch keeps for later allocations."""
        if device.type == "cuda":
            torch.cuda.empty_cache()

    def out_of_memory(self, error: Exception) -> bool:
        """PyTorch's own exception, the host's, and what its CPU allocator says."""
        if isinstance(error, torch.OutOfMemoryError | MemoryError):
            return True
        return isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)

    # ------------------------------------------------------------------ arrays

    def from_host(self, array: Host, device: Device) -> Array:
        """Copy to the device. NumPy's bfloat16 is not known to PyTorch: its bits are."""
        own = np.array(array, order="C", copy=True)
        if own.dtype == dtypes.bfloat16.host:
            made = from_dlpack(own.view(np.int16)).view(torch.bfloat16)
        else:
            made = from_dlpack(own)
        return made.to(self.place(device))

    def to_host(self, array: Array) -> Host:
        """The same memory for the CPU, a copy for a card; through DLPack either way."""
        there = array.resolve_conj().cpu()
        if there.dtype is torch.bfloat16:
            return np.from_dlpack(there.view(torch.int16)).view(dtypes.bfloat16.host)
        return np.from_dlpack(there)

    def is_array(self, value: object) -> bool:
        """Whether a value is a tensor of PyTorch."""
        return isinstance(value, torch.Tensor)

    def spec_of(self, array: Array) -> tuple[tuple[int, ...], str]:
        """Shape and dtype name of a tensor."""
        return tuple(array.shape), str(array.dtype).removeprefix("torch.")

    # ------------------------------------------------------------------ kernels

    def bind(self, name: str, call: Call) -> Callable[..., Any] | None:
        """Bind a kernel; one on unsigned numbers that PyTorch only stores computes with int64."""
        if integers.has_unsigned(name, call):
            return integers.bind(name, call, super().bind)
        return super().bind(name, call)
