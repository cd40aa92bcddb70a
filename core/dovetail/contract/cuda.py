"""What the NVIDIA driver says of itself and its devices, asked without an array library.

Answered by NVML, the driver's management library: unlike the first call of the CUDA API it prepares nothing for
computing, takes milliseconds, and leaves a process that may fork.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import Final, NamedTuple

LIBRARY: Final = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_NAME_LENGTH: Final = 96


class Driver(NamedTuple):
    """The driver's answer.

    ``version`` is the highest CUDA version that it supports, ``devices`` are the names of the devices that programs
    may use, ``problem`` says why there is none.
    """

    version: tuple[int, int] | None
    devices: tuple[str, ...]
    problem: str | None

    def too_old_for(self, major: int) -> bool:
        """Tell whether programs that are built for a CUDA version cannot run: minor versions are compatible."""
        return self.version is not None and self.version[0] < major


@functools.cache
def cuda_driver() -> Driver:
    """Ask the driver; the answer is kept."""
    return ask(LIBRARY, os.environ.get(VISIBLE))


def ask(library: str, visible: str | None) -> Driver:
    """Ask a driver's library; ``visible`` is the list of devices that the environment allows, None for all."""
    try:
        nvml = ctypes.CDLL(library)
        started = nvml.nvmlInit_v2()
    except (OSError, AttributeError):
        return Driver(None, (), "no NVIDIA driver was found")
    if started != 0:
        return Driver(None, (), f"the NVIDIA driver cannot be used (NVML error {started})")
    try:
        version = _version(nvml)
        found = _names(nvml)
    finally:
        nvml.nvmlShutdown()
    if not found:
        return Driver(version, (), "the NVIDIA driver sees no device")
    allowed = _allowed(found, visible)
    return Driver(version, allowed, None if allowed else f"{VISIBLE}={visible!r} hides every device")


def _version(nvml: ctypes.CDLL) -> tuple[int, int] | None:
    number = ctypes.c_int()
    if nvml.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(number)) != 0:
        return None
    return number.value // 1000, number.value % 1000 // 10


def _names(nvml: ctypes.CDLL) -> tuple[str, ...]:
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return ()
    names: list[str] = []
    for index in range(count.value):
        handle, name = ctypes.c_void_p(), ctypes.create_string_buffer(_NAME_LENGTH)
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)) == 0:
            nvml.nvmlDeviceGetName(handle, name, _NAME_LENGTH)
            names.append(name.value.decode(errors="replace") or "NVIDIA device")
    return tuple(names)


def _allowed(names: tuple[str, ...], visible: str | None) -> tuple[str, ...]:
    """The devices in the environment's list, up to the first that does not exist; an id of another form counts."""
    if visible is None:
        return names
    found: list[str] = []
    for word in visible.split(","):
        index = word.strip()
        if not index or (index.lstrip("-").isdigit() and not 0 <= int(index) < len(names)):
            break
        found.append(names[int(index)] if index.isdigit() else index)
    return tuple(found)
