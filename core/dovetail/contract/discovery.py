"""Finding plugins and loading backends: on first use, one at a time, and never fatal for the rest."""

from __future__ import annotations

import importlib
import os
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Final

import pluggy

from dovetail.contract import hookspecs
from dovetail.contract.backend import CONTRACT_VERSION, Backend, BackendSpec, Registration
from dovetail.contract.device import Device
from dovetail.contract.hookspecs import PROJECT
from dovetail.errors import ArgumentError, BackendError, ContractVersionError, PluginWarning

manager: Final = pluggy.PluginManager(PROJECT)
manager.add_hookspecs(hookspecs)

registrations: Final[dict[str, Registration]] = {}
"""Every backend that was announced, by id."""
failures: Final[dict[str, BaseException]] = {}
"""Plugins that could not be imported or asked, and what happened."""

_lock: Final = threading.RLock()
_discovered = False
_listeners: Final[list[Callable[[], None]]] = []


def on_change(listener: Callable[[], None]) -> None:
    """Call ``listener`` whenever backends come or go: whoever has resolved something forgets it."""
    _listeners.append(listener)


def _changed() -> None:
    for listener in _listeners:
        listener()


def discover() -> None:
    """Load the plugins of the entry point group once, each guarded by itself."""
    global _discovered
    if _discovered:
        return
    with _lock:
        if _discovered:
            return
        _discovered = True
        for name, load in _entry_points():
            _load_plugin(name, load)


def _entry_points() -> Iterable[tuple[str, Callable[[], Any]]]:
    from importlib.metadata import entry_points  # the seam to the plugins: costs time that `import dovetail` saves

    return [(e.name, e.load) for e in entry_points(group=PROJECT)]


def _load_plugin(name: str, load: Callable[[], Any]) -> None:
    try:
        plugin = load()
        register_plugin(plugin, name)
    except Exception as error:  # whatever a stranger's module does, the host goes on
        failures[name] = error
        warnings.warn(
            f"the dovetail plugin {name!r} could not be loaded and is left out: {type(error).__name__}: {error} "
            "(`dovetail doctor` shows the cause)",
            PluginWarning,
            stacklevel=2,
        )


def register_plugin(plugin: Any, name: str) -> None:
    """Register an object with hook implementations, and take up the backends that it announces."""
    with _lock:
        manager.register(plugin, name=name)
        manager.check_pending()
        try:
            hook = getattr(plugin, "dovetail_backends", None)
            for spec in hook() if hook is not None else ():
                register(spec, source=name)
        except Exception:
            manager.unregister(name=name)
            raise


def register(spec: BackendSpec, *, source: str = "register_backend()", replace: bool = False) -> None:
    """Announce a backend. An id that is taken is an error unless ``replace``; the first one stays."""
    if not isinstance(spec, BackendSpec):
        raise ArgumentError(f"{source}: a backend is announced by a BackendSpec, got {type(spec).__name__}")
    if not spec.name.isidentifier():
        raise ArgumentError(f"{source}: a backend's name must be an identifier, got {spec.name!r}")
    with _lock:
        taken = registrations.get(spec.name)
        if taken is not None and not replace:
            raise ArgumentError(
                f"backend {spec.name!r} of {source} collides with the one that {taken.source} has registered; pass "
                "replace=True, or give it another name"
            )
        registrations[spec.name] = Registration(spec, source)
        Device.forget(spec.name)
    _changed()


def unregister(name: str) -> None:
    """Take a backend out again: no new tensors can be made there; existing ones keep their arrays."""
    discover()
    with _lock:
        if registrations.pop(name, None) is None:
            raise unknown_backend(name)
        Device.forget(name)
    _changed()


def unknown_backend(name: str) -> BackendError:
    """The error for an id that nobody has announced: did-you-mean, what exists, how to get more."""
    import difflib

    close = difflib.get_close_matches(name, registrations, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = "; ".join(_describe(r) for r in registrations.values()) or "none"
    broken = f" Plugins that failed to load: {', '.join(failures)} (see `dovetail doctor`)." if failures else ""
    return BackendError(f"unknown backend {name!r}.{hint} Known: {known}.{broken}")


def _describe(registration: Registration) -> str:
    spec = registration.spec
    why = reason(spec.name, spec.kinds[0])
    if why is None:
        return f"{spec.name} (usable)"
    return f"{spec.name} (not usable: {why}{f'; install with: {spec.install}' if spec.install else ''})"


def reason(name: str, kind: str) -> str | None:
    """Why a kind of device of a backend cannot be used, None when it can; probed once."""
    registration = registrations[name]
    spec = registration.spec
    if spec.contract != CONTRACT_VERSION:
        side = "the plugin" if spec.contract < CONTRACT_VERSION else "dovetail"
        return (
            f"it was written for contract version {spec.contract} and this dovetail has version {CONTRACT_VERSION}: "
            f"upgrade {side}"
        )
    if kind not in spec.kinds:
        return f"it has no devices of kind {kind!r} (only {', '.join(spec.kinds)})"
    if kind not in registration.reasons:
        try:
            registration.reasons[kind] = spec.probe(kind)
        except Exception as error:  # a probe of a stranger must not stop anybody else
            registration.reasons[kind] = f"its probe failed: {type(error).__name__}: {error}"
    return registration.reasons[kind]


def load(name: str) -> Backend:
    """Return the runtime of a backend, loaded under the lock when it is first asked for."""
    discover()
    registration = registrations.get(name)
    if registration is None:
        raise unknown_backend(name)
    if registration.runtime is not None:
        _check_fork(registration.runtime)
        return registration.runtime
    with _lock:
        if registration.runtime is None:
            registration.runtime = _load(registration)
    return registration.runtime


def _load(registration: Registration) -> Backend:
    spec = registration.spec
    if spec.contract != CONTRACT_VERSION:
        raise ContractVersionError(f"backend {spec.name!r} cannot be used: {reason(spec.name, spec.kinds[0])}")
    module, _, attribute = spec.runtime.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)(spec)
    except ImportError as error:
        line = f" Install it with: {spec.install}" if spec.install else ""
        raise BackendError(f"backend {spec.name!r} cannot be loaded: {error}.{line}") from error
    if not isinstance(made, Backend):
        raise BackendError(f"backend {spec.name!r}: {spec.runtime} is not a dovetail.backend.Backend")
    manager.hook.dovetail_kernels(backend=spec.name, table=made.kernels)
    _loaded_in[spec.name] = os.getpid()
    return made


_loaded_in: Final[dict[str, int]] = {}


def _check_fork(runtime: Backend) -> None:
    if not runtime.fork_safe and _loaded_in.get(runtime.name) != os.getpid():
        raise BackendError(
            f"backend {runtime.name!r} was used before this process was forked, and its library does not survive a "
            "fork. Start workers with the 'spawn' or 'forkserver' method, or keep device tensors in the main process."
        )


def _forget_runtimes_after_fork() -> None:
    """In a forked child every device asks again for its runtime, so that one that cannot survive says so."""
    for name, registration in registrations.items():
        if registration.runtime is not None and not registration.runtime.fork_safe:
            Device.forget(name)


os.register_at_fork(after_in_child=_forget_runtimes_after_fork) if hasattr(os, "register_at_fork") else None


def host_device() -> Device | None:
    """The device whose arrays are NumPy's own, where host fallbacks run."""
    discover()
    hosts = [r.spec for r in registrations.values() if r.spec.host and reason(r.spec.name, r.spec.kinds[0]) is None]
    if not hosts:
        return None
    best = max(hosts, key=lambda s: s.priority)
    return Device.of(best.name, best.kinds[0], 0)


def usable(kind: str | None = None) -> list[BackendSpec]:
    """Backends that can be used here (for that kind of device), the one of highest priority first."""
    discover()
    found = [
        r.spec for r in registrations.values() if reason(r.spec.name, kind or r.spec.kinds[0]) is None
    ]
    return sorted(found, key=lambda s: -s.priority)


Device.loader = load
