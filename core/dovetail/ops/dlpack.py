"""Handing arrays to other libraries and taking them from there, by the DLPack protocol.

What is handed out is never written in place afterwards, and what is taken in has the value of that moment: on every
backend the same, though memory may be shared until somebody writes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dovetail.contract.device import Device
from dovetail.dispatch import checks
from dovetail.dispatch.aliasing import raw
from dovetail.errors import ArgumentTypeError, DlpackError, UnsupportedError
from dovetail.ops.creation import tensor
from dovetail.ops.definition import bind, front
from dovetail.tensor.tensor import Tensor

CPU: Final = 1
"""The number of the CPU among DLPack's kinds of device."""


def _checked(self: Tensor) -> Any:
    """The array to hand out; a graph cannot go along, and pretending that it does would lose gradients."""
    if self.requires_grad:
        raise DlpackError("Can't export tensors that require gradient, use tensor.detach()")
    if checks.any_pending():
        checks.raise_pending()
    return raw(self)


def to_dlpack(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Return the array as a DLPack capsule; read-only where the taker understands that, else a copy."""
    array = _checked(self)
    if not self.device.runtime.spec.host:
        given = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return array.__dlpack__(**{name: value for name, value in given.items() if value is not None})
    if dl_device is not None and tuple(dl_device) != (CPU, 0):
        raise DlpackError(f"a tensor on {self.device} cannot be handed out for DLPack device {dl_device}")
    if copy or max_version is None or max_version[0] < 1:
        if copy is False:
            raise DlpackError("a taker that knows no read-only arrays can only have a copy of a tensor")
        return array.copy().__dlpack__()
    view = array.view()
    view.flags.writeable = False
    return view.__dlpack__(max_version=max_version)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """Return kind and number of the device in DLPack's terms."""
    if self.device.runtime.spec.host:
        return CPU, 0
    kind, index = raw(self).__dlpack_device__()
    return int(kind), int(index)


bind("__dlpack__", to_dlpack)
bind("__dlpack_device__", dlpack_device)


@front(method=False)
def from_dlpack(ext_tensor: Any, *, device: str | Device | None = None) -> Tensor:
    """Make a tensor of another library's array on the CPU, with the value that it has now.

    A tensor of dovetail is copied with its device. Arrays on other devices must be brought to the CPU first.
    """
    if isinstance(ext_tensor, Tensor):
        return tensor(ext_tensor, device=ext_tensor.device if device is None else device)
    if not hasattr(ext_tensor, "__dlpack__") or not hasattr(ext_tensor, "__dlpack_device__"):
        raise ArgumentTypeError(
            f"from_dlpack() takes an object with __dlpack__ and __dlpack_device__, got {type(ext_tensor).__name__}"
        )
    kind, _ = ext_tensor.__dlpack_device__()
    if int(kind) != CPU:
        raise UnsupportedError(
            f"from_dlpack(): the array is on another device than the CPU (DLPack kind {int(kind)}): copy it to the "
            "host first"
        )
    try:
        host = np.from_dlpack(ext_tensor)
    except (BufferError, RuntimeError) as error:  # NumPy knows no bfloat16 there, and others refuse by themselves
        raise DlpackError(f"from_dlpack(): {type(ext_tensor).__name__} cannot be taken over: {error}") from error
    return tensor(host, device=device)
