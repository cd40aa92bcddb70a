"""Two versions of the contract at once: the present one, and the one before it through a shim.

A backend states the version that it was written for. One step behind it still works, and its users are told once;
further behind, or ahead, it is refused with the side that must be upgraded.
"""

from __future__ import annotations

import warnings
from types import MethodType
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from dovetail import callers
from dovetail.contract.backend import CONTRACT_VERSION, Backend, BackendSpec
from dovetail.errors import ContractDeprecationWarning

CHANGES: Final = {
    1: "the first version",
    2: "`is_array` must be defined: it was False for everything where it was left out, so that host fallbacks got "
    "arrays of the device",
}
"""What each version brought; the shim makes up for the last one."""

OLDEST: Final = CONTRACT_VERSION - 1
"""The oldest version that still works."""

_kinds: Final[WeakKeyDictionary[Backend, type]] = WeakKeyDictionary()


def refusal(spec: BackendSpec) -> str | None:
    """Why a backend of another version cannot be used, None if it can."""
    if OLDEST <= spec.contract <= CONTRACT_VERSION:
        return None
    side = "the plugin" if spec.contract < CONTRACT_VERSION else "dovetail"
    return (
        f"it was written for contract version {spec.contract} and this dovetail has version {CONTRACT_VERSION}: "
        f"upgrade {side}"
    )


def deprecation(spec: BackendSpec) -> str | None:
    """What the author of a backend of the version before has to change, None for others."""
    if spec.contract != OLDEST:
        return None
    return (
        f"it was written for contract version {OLDEST}, which the version after {CONTRACT_VERSION} ends. To do for "
        f"version {CONTRACT_VERSION}: {CHANGES[CONTRACT_VERSION]}; then state contract={CONTRACT_VERSION}"
    )


def adapt(runtime: Backend, spec: BackendSpec) -> None:
    """Let a runtime of the version before behave as one of the present version.

    Version 1 knew a default for ``is_array``. The shim asks the runtime for an array and takes that type's for its own.
    """
    if spec.contract == OLDEST and type(runtime).is_array is Backend.is_array:
        runtime.is_array = MethodType(_is_like_its_own, runtime)  # type: ignore[method-assign]


def _is_like_its_own(runtime: Backend, value: object) -> bool:
    kind = _kinds.get(runtime)
    if kind is None:
        kind = _kinds[runtime] = type(runtime.from_host(np.zeros(1, np.float32), runtime.devices()[0]))
    return isinstance(value, kind)


def announce(spec: BackendSpec) -> None:
    """Warn the user of a backend of the version before."""
    text = deprecation(spec)
    if text is not None:
        warnings.warn(f"backend {spec.name!r}: {text}", ContractDeprecationWarning, stacklevel=callers.level())
