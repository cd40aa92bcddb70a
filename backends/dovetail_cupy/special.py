"""Error and gamma functions from `cupyx.scipy.special`, where they keep the bound of their op.

CUDA's are good to a few units of float64, so float32 is computed in float64 and rounded once. In float64 itself only
erf keeps its bound everywhere; the others are decompositions there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cupy
from cupyx.scipy import special

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

Kernel = Callable[..., Array]

table: Final = KernelTable()


def _through_double(function: Any, double_too: bool = False) -> Callable[[Call], Kernel | None]:
    def in_double(x: Array) -> Array:
        return function(x.astype(cupy.float64)).astype(cupy.float32)

    def bind(call: Call) -> Kernel | None:
        if call.inputs[0].dtype is dtypes.float64:
            return function if double_too else None
        return in_double

    return bind


table.binder(ops.erf)(_through_double(special.erf, double_too=True))
table.binder(ops.erfc)(_through_double(special.erfc))
table.binder(ops.erfinv)(_through_double(special.erfinv))


def _log_gamma(x: Array) -> Array:
    """SciPy's function, and so CuPy's, says -inf for -inf, where C and everybody else say inf."""
    return special.gammaln(cupy.where(x == -cupy.inf, cupy.inf, x))


table.binder(ops.lgamma)(_through_double(_log_gamma))
table.binder(ops.digamma)(_through_double(special.digamma))
