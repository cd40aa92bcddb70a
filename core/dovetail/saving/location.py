"""Where the tensors of a file are put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.contract import discovery, selection
from dovetail.contract.device import Device
from dovetail.dispatch.adopting import adopt
from dovetail.errors import ArgumentTypeError, BackendError, DeviceError
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, wrap

MapLocation = Callable[[Tensor, str], Tensor | None] | Device | str | Mapping[str, str] | None
"""What ``load`` takes: a place for all, one per place of the file, or a function of tensor and place."""


def tag_of(device: Device) -> str:
    """Return the short form of a device that a file holds: the kind of hardware without the backend.

    So a file that was written on one backend loads on every other.
    """
    return device.type if device.type == "cpu" else f"{device.type}:{device.index}"


class Placement:
    """Makes tensors of host arrays, each on the device that a ``map_location`` says.

    Left to itself a tensor goes to the device that its short form means under the selected backend, and to
    the default device where there is no such hardware.
    """

    def __init__(self, map_location: MapLocation) -> None:
        if not (map_location is None or callable(map_location) or isinstance(map_location, Device | str | Mapping)):
            raise ArgumentTypeError(
                "map_location is a device, a string, a dict from location to location, a function of a "
                f"tensor and its location, or None, got {type(map_location).__name__}"
            )
        self.map_location = map_location
        self.devices: dict[str, Device | None] = {}

    def place(self, array: np.ndarray[Any, Any], tag: str, *, mapped: bool = False) -> Tensor:
        """Return a tensor of a host array that was saved at ``tag``; it is the tensor's from then on.

        A ``mapped`` array is one that looks at a file; it may be written, and is not copied where that can be helped.
        """
        chosen = self.map_location
        take = adopt_mapped if mapped else adopt
        if chosen is None or isinstance(chosen, Device | str):
            return take(array, self._device(tag, chosen))
        if isinstance(chosen, Mapping):
            return take(array, self._device(tag, chosen.get(tag)))
        result = chosen(take(array, Device("cpu")), tag)
        if result is None:
            return take(array, self._device(tag, None))
        if not isinstance(result, Tensor):
            raise ArgumentTypeError(f"map_location returned a {type(result).__name__} where a tensor or None is needed")
        return result

    def _device(self, tag: str, asked: str | Device | None) -> Device | None:
        """Return the device that was asked for, else the one that ``tag`` means here; None for the default device."""
        if asked is not None:
            return Device(asked)
        if tag not in self.devices:
            self.devices[tag] = _device_if_there(tag)
        return self.devices[tag]


def adopt_mapped(array: np.ndarray[Any, Any], device: Device | None) -> Tensor:
    """As ``adopt``, for an array that lies in a mapped file: where arrays are NumPy's own it is not copied."""
    place = selection.default_device() if device is None else device
    dtype = dtypes.from_host(array.dtype)
    if discovery.registrations[place.backend].spec.host and place.runtime.supports_dtype(dtype, place):
        return wrap(array, spec(array.shape, dtype, place))
    return adopt(array, place)


def _device_if_there(tag: str) -> Device | None:
    """Return the device that a kind of hardware means here, None where there is none.

    A file names no backends: a name of one is not looked up, so that it cannot make one be loaded.
    """
    discovery.discover()
    if tag.partition(":")[0] in discovery.registrations:
        return None
    try:
        return Device(tag)
    except (BackendError, DeviceError):
        return None
