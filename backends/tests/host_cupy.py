"""NumPy in CuPy's place: the Python code of the CuPy backend runs on the host, its CUDA sources as C++."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import array_api_compat
import array_api_compat.numpy
import numpy as np

MODULES = (
    "backend",
    "kernels",
    "elementwise",
    "special",
    "positions",
    "fused",
    "convolution",
    "launch",
    "halves",
    "philox",
)
"""The modules of the backend that import CuPy."""


class OutOfMemoryError(MemoryError):
    """Stands for CuPy's."""


class Device:
    """A device of which only the number matters; entering it is counted."""

    current = 0
    entered: list[int]

    def __init__(self, device: Any = None) -> None:
        self.id = Device.current if device is None or device == "cpu" else int(device)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        Device.entered.append(self.id)
        return self

    def __exit__(self, *_: object) -> None: ...

    def synchronize(self) -> None:
        Device.entered.append(-1 - self.id)


class Runtime:
    """What the backend asks the driver."""

    count = 1

    @classmethod
    def getDeviceCount(cls) -> int:  # CUDA's name
        return cls.count

    @staticmethod
    def getDeviceProperties(device: int) -> dict[str, Any]:  # CUDA's name
        return {"name": f"host {device}".encode()}


def _array_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """CuPy's functions return arrays of no dimensions where NumPy's return scalars."""

    def call(*args: Any, **words: Any) -> Any:
        result = function(*args, **words)
        return np.asarray(result) if isinstance(result, np.generic) else result

    return call


def _broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """CuPy's result may be written, as any view may; NumPy's may not."""
    strides = np.broadcast_to(x, shape).strides
    return np.lib.stride_tricks.as_strided(x, shape, strides)


class Ufunc:
    """A ufunc with arrays for scalars, and CuPy's list of types."""

    def __init__(self, ufunc: Any) -> None:
        self._call = _array_of(ufunc)
        self.types = [*ufunc.types, "E->E"]

    def __call__(self, *args: Any, **words: Any) -> Any:
        return self._call(*args, **words)


class StandIn(types.ModuleType):
    """The module `cupy`, over NumPy."""

    def __init__(self, host: Any) -> None:
        super().__init__("cupy")
        self.RawModule, self.ElementwiseKernel = host.raw_module, host.elementwise_kernel
        self.ndarray = np.ndarray
        self.lib = np.lib
        self.asnumpy = np.array
        self.broadcast_to = _broadcast_to
        self.argsort = lambda a: np.argsort(a, kind="stable")
        memory = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
        self.cuda = types.SimpleNamespace(Device=Device, runtime=Runtime, memory=memory)

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if isinstance(found, np.ufunc):
            return Ufunc(found)
        return _array_of(found) if callable(found) and not isinstance(found, type) else found


@contextmanager
def standing_in(host: Any) -> Iterator[None]:
    """While it lasts, importing CuPy gives the stand-in."""
    from scipy import special

    names = ["cupy", "cupyx", "cupyx.scipy", "cupyx.scipy.special", "array_api_compat.cupy"]
    names += [f"dovetail_cupy.{name}" for name in MODULES]
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    attribute = vars(array_api_compat).get("cupy")
    scipy = types.ModuleType("cupyx.scipy")
    scipy.special = special  # type: ignore[attr-defined]  # a module of the stand-in
    sys.modules.update(
        {"cupy": StandIn(host), "cupyx": types.ModuleType("cupyx"), "cupyx.scipy": scipy,
         "cupyx.scipy.special": special, "array_api_compat.cupy": array_api_compat.numpy}
    )  # fmt: skip
    array_api_compat.cupy = array_api_compat.numpy  # type: ignore[attr-defined]  # a module is an attribute too
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
        if attribute is None:
            del array_api_compat.cupy
        else:
            array_api_compat.cupy = attribute


def backend_class(host: Any) -> type[Any]:
    """CupyBackend on the stand-in; NumPy's scalars among its results become arrays."""
    with standing_in(host):
        module = importlib.import_module("dovetail_cupy.backend")
        sys.modules["dovetail_cupy.launch"].THREADS = 8  # type: ignore[attr-defined]  # threads of the host are dear
    found: type[Any] = module.CupyBackend
    found.bind = _with_arrays(found.bind)
    return found


def _with_arrays(bind: Any) -> Any:
    def wrapped(self: Any, name: str, call: Any) -> Any:
        kernel = bind(self, name, call)
        if kernel is None:
            return None

        def run(*arrays: Any, **words: Any) -> Any:
            result = kernel(*arrays, **words)
            if isinstance(result, tuple):
                return tuple(map(np.asarray, result))
            return np.asarray(result) if isinstance(result, np.generic) else result

        return run

    return wrapped
