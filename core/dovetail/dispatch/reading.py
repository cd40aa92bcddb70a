"""Reading values off the device: the only places where a program has to wait for one."""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail.contract import traffic
from dovetail.dispatch import checks, state
from dovetail.dispatch.aliasing import raw
from dovetail.tensor.tensor import Tensor


def host_values(t: Tensor, *, why: str = "its values are read") -> np.ndarray[Any, Any]:
    """Return the values as a host array that must not be written to.

    While a program is captured there are no values: the error names the line that asked and ``why``.
    """
    if state.state.special:
        trace = state.tracing.get()
        if trace is not None:
            trace.refuse_reading(t, why)
        if traffic.listeners:
            traffic.note(t._spec.device, traffic.HOST, (t._spec,))
    if checks.any_pending():
        checks.raise_pending()
    return t._spec.device.runtime.to_host(raw(t))
