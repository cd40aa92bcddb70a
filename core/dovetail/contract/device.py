"""Where arrays live: one object per ``backend:kind:index``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from dovetail.contract.backend import Backend


class Device:
    """A place for tensors, such as ``numpy:cpu:0``; equal devices are the same object.

    ``backend`` is the id of the backend, ``type`` the kind of hardware ("cpu", "cuda", ...), ``index`` its number.
    Called with a text, it resolves the short forms of the tutorials ("cpu", "cuda", "cuda:1") as the selected
    backend has it.

    >>> import dovetail
    >>> dovetail.device("cpu").type
    'cpu'
    """

    __slots__ = ("backend", "type", "index", "_runtime", "__weakref__")

    backend: str
    type: str
    index: int
    _runtime: Backend | None

    _all: ClassVar[dict[tuple[str, str, int], Device]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()
    resolver: ClassVar[Callable[[Any, int | None], Device]]
    loader: ClassVar[Callable[[str], Backend]]

    def __new__(cls, device: str | Device, index: int | None = None) -> Device:
        """Return the device that a text such as "cpu", "cuda:1" or "acme:npu:0" means."""
        return cls.resolver(device, index)

    @classmethod
    def of(cls, backend: str, kind: str, index: int = 0) -> Device:
        """Return the one object for these three parts, without asking whether such hardware exists."""
        key = (backend, kind, index)
        found = cls._all.get(key)
        if found is None:
            with cls._lock:
                found = cls._all.get(key)
                if found is None:
                    found = object.__new__(cls)
                    found.backend, found.type, found.index = key
                    found._runtime = None
                    cls._all[key] = found
        return found

    @property
    def runtime(self) -> Backend:
        """The loaded backend behind this device."""
        if self._runtime is None:
            self._runtime = type(self).loader(self.backend)
        return self._runtime

    @classmethod
    def forget(cls, backend: str) -> None:
        """Drop the loaded runtime of a backend that was unregistered."""
        for device in list(cls._all.values()):
            if device.backend == backend:
                device._runtime = None

    def __repr__(self) -> str:
        return f"device(type='{self}')"

    def __str__(self) -> str:
        return f"{self.backend}:{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, tuple[str, str, int]]:
        return Device.of, (self.backend, self.type, self.index)

    def __copy__(self) -> Device:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Device:
        return self
