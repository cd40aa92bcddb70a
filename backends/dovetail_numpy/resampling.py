"""Resampling of one dimension: for each tap one copy of the elements that it takes, times its weights.

Sums of the few taps of a result in their order, so |error| <= (taps + 1) u sum|terms|. 16-bit floats are
computed in float32 and rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dovetail.backend import Call
from dovetail_numpy.precision import Array, narrow, widen

Kernel = Callable[[Array], Array]


def bind_forward(call: Call) -> Kernel:
    """Return the kernel of one sampling."""
    dim, how = call.statics["dim"], call.statics["how"]
    times = how.repeats
    if times:
        return lambda x: x.repeat(times, axis=dim)
    return _combined(how.taps(), call.output, dim)


def bind_backward(call: Call) -> Kernel:
    """Return the kernel of its gradient."""
    dim, how = call.statics["dim"], call.statics["how"]
    times = how.repeats
    if not times:
        return _combined(how.adjoint(), call.output, dim)

    def kernel(g: Array) -> Array:
        shape = (*g.shape[:dim], how.before, times, *g.shape[dim + 1 :])
        return narrow(widen(g).reshape(shape).sum(axis=dim + 1), g.dtype)

    return kernel


def _combined(taps: Any, output: Any, dim: int) -> Kernel:
    """Return the weighted sums of a table along a dimension; a weight of 1 everywhere is no product."""
    spread = [-1 if d == dim else 1 for d in range(output.ndim)]
    host = output.dtype.host
    kind = np.dtype(np.float32) if host.itemsize == 2 else host
    steps: list[tuple[Array, Array | None, Array | None]] = []
    for positions, weights, inside in zip(taps.positions, taps.weights, taps.inside):
        factors = None if (weights[inside] == 1).all() else weights.astype(kind).reshape(spread)
        steps.append((positions, factors, None if inside.all() else ~inside.reshape(spread)))

    def kernel(x: Array) -> Array:
        wide = widen(x)
        total: Array | None = None
        for positions, factors, outside in steps:
            part = wide.take(positions, axis=dim)
            if factors is not None:
                part *= factors
            if outside is not None:
                np.copyto(part, 0, where=outside)
            total = part if total is None else np.add(total, part, out=total)
        assert total is not None, "a table has at least one tap"
        return narrow(total, host)

    return kernel
