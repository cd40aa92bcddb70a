"""Questions about CUDA devices, over whatever backend has them: PyTorch's ``torch.cuda``.

The backend is the one that the device ``"cuda"`` means at the moment: the selected one if it has CUDA, else the usable
one of highest priority that has.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from dovetail.contract import discovery
from dovetail.contract.device import Device
from dovetail.contract.selection import default_device, resolve
from dovetail.dispatch.synchronize import synchronize as _synchronize
from dovetail.errors import ArgumentTypeError, DeviceError, DovetailError
from dovetail.random.generator import default_generator

KIND: Final = "cuda"


def _backend() -> str | None:
    """The backend that "cuda" means, None where no usable one has it."""
    discovery.discover()
    try:
        current = default_device().backend
    except DovetailError:
        current = ""
    names = [spec.name for spec in discovery.usable(KIND)]
    return current if current in names else next(iter(names), None)


def _devices() -> list[Device]:
    name = _backend()
    if name is None:
        return []
    try:
        return [device for device in discovery.load(name).devices() if device.type == KIND]
    except DovetailError:
        return []


def _device(device: Any) -> Device:
    """The CUDA device that an index, a text, a device or nothing means; an error says why there is none."""
    if device is None:
        current = default_device()
        return current if current.type == KIND else resolve(KIND)
    found = resolve(device)
    if found.type != KIND:
        raise DeviceError(f"Expected a cuda device, but got: {found}")
    return found


def is_available() -> bool:
    """Tell whether a CUDA device can be used here.

    >>> import dovetail
    >>> device = dovetail.device("cuda" if dovetail.cuda.is_available() else "cpu")
    """
    return bool(_devices())


def device_count() -> int:
    """Return how many CUDA devices the backend has that ``"cuda"`` means."""
    return len(_devices())


def current_device() -> int:
    """Return the index of the CUDA device that ``"cuda"`` means; an error that says what is missing without one."""
    return _device(None).index


def get_device_name(device: Any = None) -> str:
    """Return the name of the hardware behind a CUDA device."""
    place = _device(device)
    return place.runtime.describe(place)


def synchronize(device: Any = None) -> None:
    """Wait until a CUDA device has finished what it was given."""
    _synchronize(_device(device))


def empty_cache() -> None:
    """Give back to the devices the memory that their backend keeps for later; nothing where there is none."""
    for device in _devices():
        device.runtime.empty_cache(device)


def manual_seed(seed: int) -> None:
    """Seed the random numbers: one stream serves all devices, so this is ``dovetail.manual_seed``, CUDA or not.

    A program so gets the same numbers on machines with and without CUDA.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ArgumentTypeError(f"a seed is an int, got {seed!r}")
    default_generator.manual_seed(seed)


manual_seed_all = manual_seed
"""As :func:`manual_seed`: there is one stream."""


def __getattr__(name: str) -> Any:
    """``dovetail.cuda.amp`` needs no import of its own, as in PyTorch."""
    if name == "amp":
        return importlib.import_module(f"{__name__}.amp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
