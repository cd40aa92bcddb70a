"""Waiting for devices: until everything that was started has finished, and what it found wrong is said."""

from __future__ import annotations

from typing import Any

from dovetail.contract import discovery
from dovetail.contract.selection import resolve
from dovetail.dispatch import checks


def synchronize(device: Any = None) -> None:
    """Wait until a device, or without one every device in use, has finished what it was given.

    Mistakes that only values show (an index out of range, an integer divided by zero) are raised here at the latest.

    >>> import dovetail
    >>> dovetail.synchronize()
    """
    if device is not None:
        place = resolve(device)
        place.runtime.synchronize(place)
    else:
        for runtime in discovery.loaded():
            for place in runtime.devices():
                runtime.synchronize(place)
    if checks.any_pending():
        checks.raise_pending()
