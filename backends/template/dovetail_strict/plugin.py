"""Announces the backend. Imports no array library: whoever lists the backends must not wait for one."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, hookimpl


def probe(kind: str) -> str | None:
    """Why a kind of device cannot be used here; None when it can."""
    return None if find_spec("array_api_strict") else "array-api-strict is not installed"


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    """The backends of this package."""
    return [
        BackendSpec(
            name="strict",
            runtime="dovetail_strict.backend:StrictBackend",
            kinds=("cpu",),
            priority=10,
            probe=probe,
            install="pip install dovetail-strict",
            requires=("dovetail-strict", "array-api-strict"),
            vendor="Consortium for Python Data API Standards",
            url="https://data-apis.org/array-api-strict/",
            contract=2,
        )
    ]
