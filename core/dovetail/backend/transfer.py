"""The kernel of ``copy_to``: the same for every backend, through host memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dovetail.contract.device import Device
from dovetail.contract.kernels import Array, Call


def transfer(call: Call) -> Callable[..., Array]:
    """Bind the transfer of an array to the device that the call names; a binder for any backend's table."""
    source = call.device.runtime
    target: Device = call.statics["device"]
    runtime = target.runtime

    def kernel(array: Any) -> Array:
        return runtime.from_host(source.to_host(array), target)

    return kernel
