"""An op that a backend neither has nor can be composed runs on the host: counted, said once, or refused."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dovetail import callers, settings
from dovetail.contract import discovery, traffic
from dovetail.contract.device import Device
from dovetail.contract.kernels import Call
from dovetail.errors import HostFallbackError, HostFallbackWarning, UnsupportedError

if TYPE_CHECKING:
    from dovetail.record.op import Op

counts: Final[Counter[tuple[str, str]]] = Counter()
"""Calls that ran on the host, by (op, backend)."""

_said: Final[set[tuple[str, str]]] = set()


def host_kernel(op: Op, call: Call) -> Callable[..., Any]:
    """Return a function on the device's arrays that computes on the host."""
    device = call.device
    runtime = device.runtime
    host = discovery.host_device()
    if host is None or host.backend == device.backend:
        raise UnsupportedError(f"backend {device.backend!r} has no kernel for {op.name}, and no decomposition exists")
    if settings.current.host_fallback == "error":
        raise HostFallbackError(
            f"{op.name}: backend {device.backend!r} has no kernel and no decomposition for {_signature(call)}, and the "
            "settings forbid running it on the host (dovetail.set_host_fallback('warn') allows it)"
        )
    kernel = host.runtime.bind(op.name, _on(call, host))
    if kernel is None:
        raise UnsupportedError(f"neither backend {device.backend!r} nor the host has a kernel for {op.name}")
    key = (op.name, device.backend)
    placed = [s.device for s in call.outputs]

    def run(*arrays: Any, **live: Any) -> Any:
        counts[key] += 1
        if traffic.listeners:
            traffic.note_fallback(call)
        _say(key)
        result = kernel(*(runtime.to_host(a) if runtime.is_array(a) else a for a in arrays), **live)
        if len(placed) == 1 and not isinstance(result, tuple):
            return runtime.from_host(result, placed[0])
        return tuple(runtime.from_host(r, d) for r, d in zip(result, placed, strict=True))

    return run


def _say(key: tuple[str, str]) -> None:
    if key in _said or settings.current.host_fallback != "warn":
        return
    _said.add(key)
    warnings.warn(
        f"{key[0]}: backend {key[1]!r} has neither a kernel nor a decomposition; it runs on the host, with a transfer "
        "there and back each time (dovetail.set_host_fallback('error') makes this an error)",
        HostFallbackWarning,
        stacklevel=callers.level(),
    )


def _on(call: Call, host: Device) -> Call:
    return Call(
        _moved(call.inputs, host),
        tuple(s.with_device(host) for s in call.outputs),
        call.statics,
        host,
        call.layout,
    )


def _moved(specs: Sequence[Any], host: Device) -> tuple[Any, ...]:
    return tuple(s if s is None else s.with_device(host) for s in specs)  # None: an absent input


def _signature(call: Call) -> str:
    specs: Sequence[Any] = call.inputs
    return ", ".join(f"{s.dtype.name}{list(s.shape)}" for s in specs if s is not None)
