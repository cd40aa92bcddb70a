"""Numbers that a program must not bake in: read from the host when it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from dovetail import dtypes, settings
from dovetail.contract import discovery
from dovetail.dispatch import state
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.contract.device import Device

MAX_ROWS: Final = 256
_rows: Final[dict[tuple[tuple[float, ...], Device], Tensor]] = {}

settings.on_change(_rows.clear)
discovery.on_change(_rows.clear)


def live_numbers(key: Hashable, read: Callable[[], Sequence[float]], device: Device) -> Tensor:
    """Return numbers as a 1-d float64 tensor; in a captured program it is an input that each run reads anew.

    ``key`` names the numbers: asked for twice in one capture, they are one input. There are always as many of them.
    """
    trace = state.tracing.get() if state.state.special else None
    if trace is None:
        return _constant_row(tuple(map(float, read())), device)
    place = spec((len(read()),), dtypes.float64, device)
    return wrap(trace.reader_of(key, lambda: np.array(read(), dtype=np.float64), place), place)


def _constant_row(values: tuple[float, ...], device: Device) -> Tensor:
    """The numbers as a tensor that nobody writes, kept while they do not change."""
    found = _rows.get((values, device))
    if found is None:
        host = np.array(values, dtype=np.float64)
        found = wrap(device.runtime.from_host(host, device), spec(host.shape, dtypes.float64, device))
        if len(_rows) >= MAX_ROWS:
            _rows.clear()
        _rows[(values, device)] = found
    return found


@contextmanager
def outside_capture() -> Iterator[None]:
    """Compute for real inside the block, also while a program is captured: for state that must exist before it."""
    token = state.tracing.set(None)
    try:
        yield
    finally:
        state.tracing.reset(token)
