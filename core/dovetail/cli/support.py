"""How each backend runs each op: by a kernel of its own, by the op's decomposition, on the host, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from dovetail.contract import discovery
from dovetail.contract.backend import Backend
from dovetail.record import registry
from dovetail.record.op import Op

KERNEL = "kernel"
DECOMPOSITION = "decomposition"
FALLBACK = "fallback"
MISSING = "missing"


@dataclass(frozen=True)
class Support:
    """One row of the matrix."""

    op: str
    primitive: bool
    by_backend: dict[str, str]


def way(op: Op, runtime: Backend) -> str:
    """Return how a backend runs a typical call of an op."""
    if op.shape is None:
        return DECOMPOSITION  # without rules there is no kernel to ask for
    if op.name in runtime.kernels:
        return KERNEL
    if not op.primitive:
        return DECOMPOSITION
    host = discovery.host_device()
    there = host is not None and host.backend != runtime.name and op.name in host.runtime.kernels
    return FALLBACK if there else MISSING


def matrix(backends: list[str]) -> list[Support]:
    """Return a row for every op that exists; the runtimes of the backends are loaded."""
    runtimes = {name: discovery.load(name) for name in backends}
    return [
        Support(op.name, op.primitive, {name: way(op, runtime) for name, runtime in runtimes.items()})
        for op in sorted(registry.ops(), key=lambda op: op.name)
    ]
