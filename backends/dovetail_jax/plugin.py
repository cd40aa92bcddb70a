"""The JAX backend as a plugin: a description that does not import JAX."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, hookimpl

INSTALL = 'pip install "dovetail[jax]"'


def probe(kind: str) -> str | None:
    """Why JAX cannot be used for a kind of device here: not installed, or no such device."""
    if find_spec("jax") is None:
        return "JAX is not installed"
    if kind == "cpu":
        return None
    import jax  # only when a device other than the CPU is asked for

    platform = {"cuda": "gpu"}.get(kind, kind)
    try:
        return None if jax.devices(platform) else f"JAX sees no {kind} device"
    except RuntimeError as error:
        return f"JAX sees no {kind} device: {error}"


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    """Announce the backend, installed or not."""
    return [
        BackendSpec(
            name="jax",
            runtime="dovetail_jax.backend:JaxBackend",
            kinds=("cpu", "cuda", "tpu"),
            priority=40,
            probe=probe,
            install=INSTALL,
            requires=("jax", "jaxlib"),
            vendor="Google",
            url="https://docs.jax.dev",
        )
    ]
