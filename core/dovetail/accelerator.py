"""The accelerator that this machine has, without naming its kind: ``dovetail.accelerator.is_available()``."""

from __future__ import annotations

from dovetail import cuda
from dovetail.contract.device import Device
from dovetail.contract.selection import resolve


def is_available() -> bool:
    """Return whether a backend has an accelerator that can be used here.

    >>> import dovetail
    >>> found = dovetail.accelerator.current_accelerator()
    >>> device = found.type if dovetail.accelerator.is_available() else "cpu"
    """
    return cuda.is_available()


def device_count() -> int:
    """Return how many of them there are."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> Device | None:
    """Return the accelerator as a device, or None where there is none."""
    return resolve("cuda") if is_available() else None
