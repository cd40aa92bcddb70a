"""The JAX backend as a plugin: a description that does not import JAX."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, cuda_driver, hookimpl

INSTALL = 'pip install "dovetail[jax]"'
CUDA_PLUGINS = ("jax_cuda13_plugin", "jax_cuda12_plugin")


def probe(kind: str) -> str | None:
    """Why JAX cannot be used for a kind of device here: not installed, or without what the kind needs."""
    if find_spec("jax") is None:
        return "JAX is not installed"
    if kind == "cuda":
        if not any(find_spec(name) for name in CUDA_PLUGINS):
            return 'JAX is installed for the CPU only (pip install "jax[cuda13]" or "jax[cuda12]")'
        return cuda_driver().problem
    if kind == "tpu" and find_spec("libtpu") is None:
        return 'JAX is installed without TPU support (pip install "jax[tpu]")'
    return None


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
            environment=("JAX_PLATFORMS", "JAX_ENABLE_X64", "XLA_FLAGS", "CUDA_VISIBLE_DEVICES"),
            vendor="Google",
            url="https://docs.jax.dev",
        )
    ]
