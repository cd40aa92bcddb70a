"""Where the tensors of a file are put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dovetail.contract import discovery
from dovetail.contract.device import Device
from dovetail.dispatch.adopting import adopt
from dovetail.errors import ArgumentTypeError, BackendError, DeviceError
from dovetail.tensor.tensor import Tensor

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

    def place(self, array: np.ndarray[Any, Any], tag: str) -> Tensor:
        """Return a tensor of a host array that was saved at ``tag``; it is the tensor's from then on."""
        chosen = self.map_location
        if chosen is None or isinstance(chosen, Device | str):
            return self._on(array, tag, chosen)
        if isinstance(chosen, Mapping):
            return self._on(array, tag, chosen.get(tag))
        result = chosen(adopt(array, Device("cpu")), tag)
        if result is None:
            return self._on(array, tag, None)
        if not isinstance(result, Tensor):
            raise ArgumentTypeError(f"map_location returned a {type(result).__name__} where a tensor or None is needed")
        return result

    def _on(self, array: np.ndarray[Any, Any], tag: str, asked: str | Device | None) -> Tensor:
        """Return a tensor on the device that was asked for, else on the one that ``tag`` means here."""
        if asked is not None:
            return adopt(array, Device(asked))
        if tag not in self.devices:
            self.devices[tag] = _device_if_there(tag)
        return adopt(array, self.devices[tag])


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
