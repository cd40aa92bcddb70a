"""The PyTorch backend as a plugin: a description that does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from dovetail.backend import BackendSpec, cuda_driver, hookimpl

INSTALL = "pip install dovetail-torch"


def probe(kind: str) -> str | None:
    """Why PyTorch cannot be used for a kind of device here; None when it can."""
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    return cuda_driver().problem if kind == "cuda" else None


@hookimpl
def dovetail_backends() -> Iterable[BackendSpec]:
    """The backend, whose preferred device is the CPU."""
    return [
        BackendSpec(
            name="torch",
            runtime="dovetail_torch.backend:TorchBackend",
            kinds=("cpu", "cuda"),
            priority=20,
            probe=probe,
            install=INSTALL,
            requires=("dovetail-torch", "torch"),
            environment=("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"),
            vendor="PyTorch Foundation",
            url="https://pytorch.org",
            contract=2,
        )
    ]
