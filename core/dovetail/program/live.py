"""Numbers that a program must not bake in: read from the host when it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from dovetail import dtypes
from dovetail.dispatch import state
from dovetail.dispatch.constants import constant
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.contract.device import Device


def live_number(key: Hashable, read: Callable[[], Any], device: Device) -> Tensor:
    """Return a number as a 0-d float64 tensor; in a captured program it is an input that each run reads anew.

    ``key`` names the number: asked for twice in one capture, it is one input.
    """
    trace = state.tracing.get() if state.state.special else None
    if trace is None:
        return constant(float(read()), dtypes.float64, device)
    place = spec((), dtypes.float64, device)
    return wrap(trace.reader_of(key, lambda: np.asarray(float(read()), dtype=np.float64), place), place)


@contextmanager
def outside_capture() -> Iterator[None]:
    """Compute for real inside the block, also while a program is captured: for state that must exist before it."""
    token = state.tracing.set(None)
    try:
        yield
    finally:
        state.tracing.reset(token)
