"""The CuPy backend as a plugin: a description that does not import CuPy."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, hookimpl

INSTALL = 'pip install "dovetail[cuda13]" (or "dovetail[cuda12]" for a driver of CUDA 12)'


def probe(kind: str) -> str | None:
    """Why CuPy cannot be used here: CuPy, the driver or the device is missing, or their CUDA versions do not fit."""
    if find_spec("cupy") is None:
        return "CuPy is not installed"
    import cupy  # installed, and the caller wants to know whether it works

    if cupy.cuda.is_available():
        return None
    driver, runtime = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    if driver == 0:
        return f"no NVIDIA driver was found (CuPy {cupy.__version__} is built for CUDA {runtime // 1000})"
    if driver < runtime:
        return f"the driver supports CUDA {driver // 1000}.{driver % 1000 // 10} and CuPy needs {runtime // 1000}.{runtime % 1000 // 10}"
    return "the driver sees no CUDA device"


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    """Announce the backend, usable or not."""
    return [
        BackendSpec(
            name="cupy",
            runtime="dovetail_cupy.backend:CupyBackend",
            kinds=("cuda",),
            priority=50,
            probe=probe,
            install=INSTALL,
            requires=("cupy-cuda13x", "cupy-cuda12x"),
            vendor="Preferred Networks",
            url="https://cupy.dev",
        )
    ]
