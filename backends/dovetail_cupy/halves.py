"""16-bit floats of CuPy: its own dtypes, computed in float32, and rounded once from float64 too."""

from __future__ import annotations

import cupy

from dovetail.backend import Array, dtypes
from dovetail.backend.array_api_halves import Halves
from dovetail_cupy import fused_source, launch


class CupyHalves(Halves):
    """CuPy converts float64 to 16 bits by way of float32, which rounds twice; a kernel here rounds once."""

    def narrow(self, x: Array, dtype: dtypes.dtype) -> Array:
        """Round float32 or float64 numbers once to a 16-bit type."""
        if self.carries(dtype) or x.dtype != cupy.float64:
            return super().narrow(x, dtype)
        out = cupy.empty(x.shape, dtype.host)
        launch.each(fused_source.source(), f"to_{dtype.name}", x.size, cupy.ascontiguousarray(x), out)
        return out
