"""Which backend and device a program gets: one precedence, everything resolved once and cached.

Per tensor, ``with`` block, function call, environment, project file, default: the first that says something wins. A
``with`` block belongs to its thread and task; ``set_backend`` and ``set_default_device`` to the process.
"""

from __future__ import annotations

import os
import threading
import warnings
from contextvars import ContextVar, Token
from typing import Any, Final

from dovetail import callers
from dovetail.contract import discovery
from dovetail.contract.device import Device
from dovetail.errors import (
    ArgumentError,
    ArgumentTypeError,
    BackendError,
    DeviceError,
    DeviceSubstitutionWarning,
    DovetailError,
)

ENVIRONMENT: Final = "DOVETAIL_BACKEND"

_block: Final[ContextVar[Device | None]] = ContextVar("dovetail_device", default=None)
_lock: Final = threading.Lock()
_set: Device | None = None
_fallback: Device | None = None
_said: Final[set[tuple[str, str]]] = set()


def default_device() -> Device:
    """Return the device that new tensors are put on when nothing else is said."""
    return _block.get() or _set or _fallback or _find_fallback()


def source_of_default() -> str:
    """Say in a word where the default device comes from."""
    if _block.get() is not None:
        return "with block"
    if _set is not None:
        return "set_backend() or set_default_device()"
    return _outside()[1] or "highest priority"


def _find_fallback() -> Device:
    """Environment, project file, or the usable backend of highest priority; read once."""
    global _fallback
    wanted, source = _outside()
    best = discovery.best()
    if best is None:
        raise BackendError("no backend is usable here; `dovetail doctor` says why")
    try:
        found = _parse(wanted, None, best.name) if wanted else first_device(best.name)
    except DovetailError as error:
        if wanted:
            error.add_note(f"{wanted!r} was asked for by the {source}")
        raise
    with _lock:
        _fallback = found
    return found


def _outside() -> tuple[str, str]:
    """What environment or project file ask for, and which of them it was; empty texts when neither says anything."""
    wanted = os.environ.get(ENVIRONMENT, "").strip()
    if wanted:
        return wanted, f"environment variable {ENVIRONMENT}"
    path, wanted = project_file()
    return (wanted, f"project file {path}") if wanted else ("", "")


def project_file() -> tuple[str, str]:
    """The nearest pyproject.toml, and the ``device`` or ``backend`` of its table ``[tool.dovetail]``, if any."""
    folder = os.getcwd()
    while True:
        path = os.path.join(folder, "pyproject.toml")
        try:
            with open(path, encoding="utf-8") as file:
                return path, _asked_in(path, file.read())
        except OSError:
            folder, below = os.path.dirname(folder), folder
        if folder == below:
            return "", ""


def _asked_in(path: str, text: str) -> str:
    if "tool.dovetail" not in text:
        return ""
    import tomllib  # costs as much as a small backend: only where the table exists

    try:
        table: Any = tomllib.loads(text).get("tool", {}).get("dovetail", {})
        wanted: Any = table.get("device") or table.get("backend") or ""
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise ArgumentError(f"[tool.dovetail] in {path} cannot be read: {error}") from error
    if not isinstance(wanted, str):
        raise ArgumentError(f"[tool.dovetail] in {path}: a device or backend is a text, got {wanted!r}")
    return wanted


def first_device(backend: str) -> Device:
    """The device that a backend uses when only its name is given."""
    runtime = discovery.load(backend)
    devices = runtime.devices()
    if not devices:
        raise DeviceError(f"backend {backend!r} has no device here")
    return devices[0]


def resolve(device: Any, index: int | None = None) -> Device:
    """Return the device that a text, a device or an index means."""
    if isinstance(device, Device):
        return device
    if isinstance(device, int) and not isinstance(device, bool):
        return _parse(f"cuda:{device}", None, default_device().backend)
    if not isinstance(device, str):
        raise ArgumentTypeError(f"a device is a string such as 'cpu' or 'cuda:0', got {device!r}")
    return _parse(device, index, None)


def _parse(text: str, index: int | None, backend: str | None) -> Device:
    discovery.discover()
    parts = text.split(":")
    if parts[0] in discovery.registrations:
        return _explicit(parts, index, text)
    if len(parts) > 2 or (len(parts) == 2 and not parts[1].isdigit()):
        raise discovery.unknown_backend(parts[0])
    number = index if index is not None else int(parts[1]) if len(parts) == 2 else None
    current = backend or default_device().backend
    kinds = {k for r in discovery.registrations.values() for k in r.spec.kinds}
    if parts[0] not in kinds:
        raise _unknown_device(text, kinds)
    if parts[0] in discovery.registrations[current].spec.kinds:
        return _existing(current, parts[0], number)
    return _substitute(parts[0], number, current)


def _explicit(parts: list[str], index: int | None, text: str) -> Device:
    name = parts[0]
    if len(parts) == 1:
        return first_device(name)
    number = index if index is not None else int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else None
    if len(parts) > 3 or (len(parts) == 3 and not parts[2].isdigit()):
        raise DeviceError(f"a device is written backend:kind:index, got {text!r}")
    return _existing(name, parts[1], number)


def _existing(backend: str, kind: str, index: int | None) -> Device:
    why = discovery.reason(backend, kind)
    if why is not None:
        raise DeviceError(_absent(kind, f"{backend}: {why}"))
    there = [d for d in discovery.load(backend).devices() if d.type == kind]
    if not there:
        raise DeviceError(_absent(kind, f"{backend}: no such device was found"))
    if index is None:
        return there[0]
    for device in there:
        if device.index == index:
            return device
    raise DeviceError(f"invalid device ordinal: {backend}:{kind}:{index} does not exist, there are {len(there)}")


def _substitute(kind: str, index: int | None, current: str) -> Device:
    """The usable backend of highest priority that has the kind, said once."""
    specs = discovery.usable(kind)
    if not specs:
        reasons = [
            ", ".join(filter(None, (f"{name}: {discovery.reason(name, kind)}", discovery.install_line(r.spec))))
            for name, r in discovery.registrations.items()
            if kind in r.spec.kinds
        ]
        raise DeviceError(_absent(kind, "; ".join(reasons)))
    host = discovery.registrations[specs[0].name].spec.host
    if (kind, specs[0].name) not in _said and not host:
        _said.add((kind, specs[0].name))
        warnings.warn(
            f"device {kind!r} means {specs[0].name}:{kind}: the selected backend {current!r} has no such device",
            DeviceSubstitutionWarning,
            stacklevel=callers.level(),
        )
    return _existing(specs[0].name, kind, index)


def _absent(kind: str, reasons: str) -> str:
    return f"{kind.upper()} was asked for and cannot be used here ({reasons}). 'cpu' would work: device='cpu'"


def _unknown_device(text: str, kinds: set[str]) -> DeviceError:
    import difflib

    known = sorted(kinds | set(discovery.registrations))
    close = difflib.get_close_matches(text.split(":")[0], known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    installs = [f"{r.spec.name}: {r.spec.install}" for r in discovery.registrations.values() if r.spec.install]
    return DeviceError(
        f"unknown device {text!r}.{hint} Kinds: {', '.join(sorted(kinds))}; backends: "
        f"{', '.join(discovery.registrations)}. More backends: {'; '.join(installs) or 'none known'}"
    )


# ------------------------------------------------------------------------------------------ setting it


def set_backend(name: str) -> None:
    """Make a backend's first device the default of the process."""
    _set_default(_parse(name, None, None))


def set_default_device(device: Any) -> None:
    """Make a device the default of the process; None returns to environment, project file and priority."""
    _set_default(None if device is None else resolve(device))


def _set_default(device: Device | None) -> None:
    global _set
    with _lock:
        _set = device


def get_default_device() -> Device:
    """Return the device that new tensors are put on."""
    return default_device()


def get_backend() -> str:
    """Return the id of the backend that new tensors are made on."""
    return default_device().backend


class use_backend:
    """Inside the block, new tensors of this thread and task are made on a backend (or device).

    >>> import dovetail
    >>> with dovetail.use_backend(dovetail.get_backend()):
    ...     x = dovetail.ones(2)
    """

    def __init__(self, backend: str | Device) -> None:
        self.device = resolve(backend)
        self._tokens: list[Token[Device | None]] = []

    def __enter__(self) -> Device:
        self._tokens.append(_block.set(self.device))
        return self.device

    def __exit__(self, *_: object) -> None:
        _block.reset(self._tokens.pop())


_entered: Final[ContextVar[tuple[Token[Device | None], ...]]] = ContextVar("dovetail_entered", default=())


def _enter_device(self: Device) -> Device:
    _entered.set((*_entered.get(), _block.set(self)))
    return self


def _exit_device(self: Device, *_: object) -> None:
    *rest, token = _entered.get()
    _entered.set(tuple(rest))
    _block.reset(token)


def _forget() -> None:
    """A backend came or went: what was resolved without being asked for explicitly is resolved again."""
    global _fallback
    _fallback = None


Device.resolver = resolve
Device.__enter__ = _enter_device  # type: ignore[attr-defined]  # `with dovetail.device("cpu"):` as in PyTorch
Device.__exit__ = _exit_device  # type: ignore[attr-defined]
discovery.on_change(_forget)
