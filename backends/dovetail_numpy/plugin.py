"""The NumPy backend as a plugin: a description that imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable

from dovetail.backend import BackendSpec, hookimpl


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    """Announce the backend: NumPy is always there."""
    return [
        BackendSpec(
            name="numpy",
            runtime="dovetail_numpy.backend:NumpyBackend",
            kinds=("cpu",),
            priority=100,
            requires=("numpy", "scipy"),
            vendor="NumPy",
            url="https://numpy.org",
            host=True,
        )
    ]
