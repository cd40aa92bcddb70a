"""Finding plugins and loading backends: on first use, one at a time, and never fatal for the rest."""

from __future__ import annotations

import functools
import importlib
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dovetail import callers
from dovetail.contract import versions
from dovetail.contract.backend import Backend, BackendSpec, Registration
from dovetail.contract.device import Device
from dovetail.contract.entry_points import entries, loader
from dovetail.errors import ArgumentError, BackendError, ContractVersionError, PluginWarning
from dovetail.record import registry

if TYPE_CHECKING:
    import pluggy

    from dovetail.contract.hookspecs import Observer

PROJECT: Final = "dovetail"
"""The group of entry points, and the project's name for pluggy."""


@functools.cache
def manager() -> pluggy.PluginManager:
    """The plugin manager, made with the first plugin: `import dovetail` does not wait for pluggy."""
    import pluggy

    from dovetail.contract import hookspecs

    made = pluggy.PluginManager(PROJECT)
    made.add_hookspecs(hookspecs)
    return made


registrations: Final[dict[str, Registration]] = {}
"""Every backend that was announced, by id."""
failures: Final[dict[str, BaseException]] = {}
"""Plugins that could not be imported or asked, and what happened."""

_lock: Final = threading.RLock()
_listeners: Final[list[Callable[[], None]]] = []


@dataclass(eq=False, repr=False)
class _Progress:
    """How far the search for plugins has come."""

    begun: bool = False
    done: bool = False


@dataclass(eq=False, repr=False)
class _Brought:
    """What a plugin has brought along, and what takes it out again."""

    backends: list[str] = field(default_factory=list)
    undo: list[Callable[[], None]] = field(default_factory=list)


_progress: Final = _Progress()
_brought: Final[dict[str, _Brought]] = {}


def _no_dispatch(observer: Observer) -> Callable[[], None]:
    raise BackendError("observers see the ops of dispatch, which is not there yet: import dovetail first")


take_observer = _no_dispatch
"""Set by dispatch: lets an observer see every op and returns what takes it out again."""


def on_change(listener: Callable[[], None]) -> None:
    """Call ``listener`` whenever backends come or go: whoever has resolved something forgets it."""
    _listeners.append(listener)


def _changed() -> None:
    for listener in _listeners:
        listener()


# ------------------------------------------------------------------------------------------ plugins


def discover() -> None:
    """Load the plugins of the entry point group once, each guarded by itself; then say which could not be loaded."""
    if _progress.done:
        return
    with _lock:
        if _progress.begun:
            return  # a plugin that uses dovetail while it is loaded, or another thread that was first
        _progress.begun = True
        for name, value in entries(PROJECT):
            try:
                register_plugin(loader(value)(), name)
            except (Exception, SystemExit) as error:  # whatever a stranger's module does, the host goes on
                failures[name] = error
        _progress.done = True
    if failures:
        # only now: where warnings are errors, this one ends the call, but no plugin is left out because of it
        warnings.warn(_failure_text(), PluginWarning, stacklevel=callers.level())


def _failure_text() -> str:
    causes = "; ".join(f"{name!r}: {type(e).__name__}: {e}" for name, e in failures.items())
    return (
        f"dovetail plugins that could not be loaded are left out ({causes}); `dovetail doctor` shows where it happened"
    )


def register_plugin(plugin: Any, name: str) -> None:
    """Register an object with hook implementations, and take up the backends, ops and observers that it brings.

    When one of its hooks fails, nothing of the plugin stays.
    """
    with _lock:
        if manager().has_plugin(name):
            raise ArgumentError(f"a plugin named {name!r} is registered already: unregister_plugin({name!r}) first")
        manager().register(plugin, name=name)
        brought = _brought[name] = _Brought()
        try:
            manager().check_pending()
            _ask(plugin, name, brought)
        except BaseException:
            unregister_plugin(name)
            raise


def _ask(plugin: Any, name: str, brought: _Brought) -> None:
    for spec in _called(plugin, "dovetail_backends"):
        register(spec, source=name)
        brought.backends.append(spec.name)
    before = registry.names()
    try:
        _called(plugin, "dovetail_ops")
    finally:
        brought.undo += [_remover(added) for added in registry.names() - before]
    for observer in _called(plugin, "dovetail_observers"):
        brought.undo.append(take_observer(observer))


def _called(plugin: Any, hook: str) -> Iterable[Any]:
    function = getattr(plugin, hook, None)
    return (function() if function is not None else None) or ()


def _remover(op: str) -> Callable[[], None]:
    return lambda: registry.remove(op)


def unregister_plugin(name: str) -> None:
    """Take a plugin out again with the backends, ops and observers that it brought."""
    with _lock:
        if not manager().has_plugin(name):
            raise ArgumentError(f"no plugin named {name!r} is registered: {', '.join(_brought) or 'none is'}")
        manager().unregister(name=name)
        brought = _brought.pop(name, _Brought())
        for undo in brought.undo:
            undo()
        for backend in brought.backends:
            registrations.pop(backend, None)
            Device.forget(backend)
    _changed()


# ------------------------------------------------------------------------------------------ backends


def register(spec: BackendSpec, *, source: str = "register()", replace: bool = False) -> None:
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
    why = reason(spec.name)
    if why is None:
        return f"{spec.name} (usable)"
    line = install_line(spec)
    return f"{spec.name} (not usable: {why}{f'; install with: {line}' if line else ''})"


def reason(name: str, kind: str | None = None) -> str | None:
    """Why a kind of device of a backend (without it: any of them) cannot be used, None when it can; probed once."""
    registration = registrations[name]
    spec = registration.spec
    if kind is None:
        answers = [reason(name, each) for each in spec.kinds]
        return None if None in answers else answers[0]
    refused = versions.refusal(spec)
    if refused is not None:
        return refused
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
    first = False
    with _lock:
        if registration.runtime is None:
            registration.runtime = _load(registration)
            first = True
    if first:
        versions.announce(registration.spec)  # outside of the lock, and once the backend is there: this may raise
    return registration.runtime


def loaded() -> list[Backend]:
    """Return the runtimes that are in use."""
    found = [r.runtime for r in registrations.values() if r.runtime is not None]
    for runtime in found:
        _check_fork(runtime)
    return found


def _load(registration: Registration) -> Backend:
    spec = registration.spec
    refused = versions.refusal(spec)
    if refused is not None:
        raise ContractVersionError(f"backend {spec.name!r} cannot be used: {refused}")
    why = reason(spec.name)
    if why is not None:
        raise BackendError(f"backend {spec.name!r} cannot be used here: {why}.{_install_sentence(spec)}")
    module, _, attribute = spec.runtime.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)(spec)
    except Exception as error:  # whatever the library does when it is imported or started
        line = _install_sentence(spec) if isinstance(error, ImportError) else ""
        raise BackendError(
            f"backend {spec.name!r} cannot be loaded: {type(error).__name__}: {error}.{line} (`dovetail doctor "
            f"{spec.name}` shows more)"
        ) from error
    if not isinstance(made, Backend):
        raise BackendError(f"backend {spec.name!r}: {spec.runtime} is not a dovetail.backend.Backend")
    versions.adapt(made, spec)
    _add_kernels(made)
    _loaded_in[spec.name] = os.getpid()
    return made


def install_line(spec: BackendSpec) -> str:
    """The command that installs what a backend needs; empty when that is installed and something else is missing."""
    from importlib.metadata import PackageNotFoundError, version  # only where something is missing

    for name in spec.requires:
        try:
            version(name)
        except PackageNotFoundError:
            continue
        return ""
    return spec.install


def _install_sentence(spec: BackendSpec) -> str:
    line = install_line(spec)
    return f" Install it with: {line}" if line else ""


def _add_kernels(runtime: Backend) -> None:
    """Let plugins add kernels, each guarded by itself."""
    for implementation in manager().hook.dovetail_kernels.get_hookimpls():
        known = {"backend": runtime.name, "table": runtime.kernels}
        try:
            implementation.function(**{name: known[name] for name in implementation.argnames})
        except Exception as error:  # the backend goes on with the kernels that it has
            failures[implementation.plugin_name] = error
            warnings.warn(_failure_text(), PluginWarning, stacklevel=callers.level())


# ------------------------------------------------------------------------------------------ forks

_loaded_in: Final[dict[str, int]] = {}


def _check_fork(runtime: Backend) -> None:
    if not runtime.fork_safe and _loaded_in.get(runtime.name) != os.getpid():
        raise BackendError(
            f"backend {runtime.name!r} was used before this process was forked, and its library does not survive a "
            "fork. Start workers with the 'spawn' or 'forkserver' method, or keep device tensors in the main process."
        )


def _after_fork() -> None:
    """In a forked child every device asks again for its runtime, so that one that cannot survive says so."""
    _lock.release()
    unsafe = [r.spec.name for r in registrations.values() if r.runtime is not None and not r.runtime.fork_safe]
    for name in unsafe:
        Device.forget(name)
    if unsafe:
        _changed()  # bound kernels know their library without asking for the runtime


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork)


# ------------------------------------------------------------------------------------------ choosing


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
    return list(_usable(kind))


def best() -> BackendSpec | None:
    """The usable backend of highest priority; those below it are not even probed."""
    discover()
    return next(_usable(None), None)


def _usable(kind: str | None) -> Iterator[BackendSpec]:
    specs = [r.spec for r in registrations.values()]
    return (s for s in sorted(specs, key=lambda s: -s.priority) if reason(s.name, kind) is None)


Device.loader = load
