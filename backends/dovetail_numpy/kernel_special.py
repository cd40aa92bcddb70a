"""Error and gamma functions from SciPy, which is imported when the first of them is called.

In float64 SciPy's erfc is up to 479 ULP off, gammaln 2,000 near its roots and digamma 1,300: there the
decompositions run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Call, KernelTable, dtypes, ops
from dovetail_numpy.binding import HALF, Kernel, doubled, elementwise

table: Final = KernelTable()


def _scipy(name: str, only_single: bool = False) -> Callable[[Call], Kernel | None]:
    """Bind a function of ``scipy.special``; where ``only_single``, not for float64, and computed in it."""

    def bind(call: Call) -> Kernel | None:
        from scipy import special  # a special function was called: now, and not before, SciPy is needed

        dtype = call.inputs[0].dtype
        if only_single and dtype is dtypes.float64:
            return None
        ufunc: Any = getattr(special, name)
        return elementwise(ufunc)(call) if dtype in (*HALF, dtypes.float64) else doubled(ufunc)(call)

    return bind


table.binder(ops.erf, out=True)(_scipy("erf"))
table.binder(ops.erfinv, out=True)(_scipy("erfinv"))
table.binder(ops.digamma, out=True)(_scipy("digamma", only_single=True))
table.binder(ops.erfc, out=True)(_scipy("erfc", only_single=True))


@table.binder(ops.lgamma)
def _lgamma(call: Call) -> Kernel | None:
    """SciPy says -inf for -inf, where C and everybody else say inf."""
    kernel = _scipy("gammaln", only_single=True)(call)
    if kernel is None:
        return None
    return lambda x: np.where(np.isneginf(x.astype(np.float32)), x.dtype.type(np.inf), kernel(x))
