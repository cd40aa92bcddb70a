"""The CuPy backend as a plugin: a description that does not import CuPy."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, cuda_driver, hookimpl

INSTALL = 'pip install "dovetail[cuda13]" (or "dovetail[cuda12]" for a driver of CUDA 12)'
WHEELS = {"cupy-cuda13x": 13, "cupy-cuda12x": 12}
"""The distributions of CuPy, and the CUDA version that each is built for."""


def probe(kind: str) -> str | None:
    """Why CuPy cannot be used here: CuPy, driver or device is missing, or their CUDA versions do not fit."""
    driver = cuda_driver()
    if find_spec("cupy") is None:
        return "CuPy is not installed" + (f", and {driver.problem}" if driver.problem else "")
    wheel, built_for = _installed()
    if driver.problem is not None:
        return f"{driver.problem} (the installed {wheel} would work with one)"
    if driver.version is not None and driver.too_old_for(built_for):
        return (
            f"the driver supports CUDA {driver.version[0]}.{driver.version[1]} and the installed {wheel} needs "
            f"CUDA {built_for}: update the driver, or install cupy-cuda{driver.version[0]}x in its place"
        )
    return None


def _installed() -> tuple[str, int]:
    """The wheel that CuPy comes from, and its CUDA version (0: built here for what is here)."""
    from importlib.metadata import PackageNotFoundError, version  # loads the email package: only when CuPy is there

    for wheel, built_for in WHEELS.items():
        try:
            return f"{wheel} {version(wheel)}", built_for
        except PackageNotFoundError:
            continue
    return "CuPy", 0


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
            requires=tuple(WHEELS),
            environment=("CUDA_VISIBLE_DEVICES", "CUDA_PATH", "CUPY_ACCELERATORS"),
            vendor="Preferred Networks",
            url="https://cupy.dev",
        )
    ]
