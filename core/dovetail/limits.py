"""The numeric limits of element types: ``finfo`` and ``iinfo``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail import dtypes, settings
from dovetail.errors import ArgumentTypeError


class finfo:
    """Limits of a floating-point type, of the default one when none is named.

    ``bits``, ``eps`` (the distance from 1 to the next number), ``max``, ``min``, ``smallest_normal`` (also ``tiny``),
    ``resolution`` (10 to minus the number of decimals that it keeps), and ``dtype``, the type's name.

    >>> import dovetail
    >>> dovetail.finfo(dovetail.float32).eps
    1.1920928955078125e-07
    """

    __slots__ = ("bits", "eps", "max", "min", "smallest_normal", "tiny", "resolution", "dtype")

    def __init__(self, type: dtypes.dtype | None = None) -> None:
        given: Any = settings.current.default_dtype if type is None else type
        kind = given.dtype if hasattr(given, "dtype") else given
        if not isinstance(kind, dtypes.dtype) or not (kind.is_floating_point or kind.is_complex):
            raise ArgumentTypeError(f"finfo() requires a floating point input type. Use iinfo to handle '{kind!r}'")
        kind = kind.to_real()
        found = _info(kind)
        self.bits = 8 * kind.itemsize
        self.eps = float(found.eps)
        self.max = float(found.max)
        self.min = float(found.min)
        self.smallest_normal = self.tiny = float(found.smallest_normal)
        self.resolution = 10.0 ** -math.floor(-math.log2(self.eps) * math.log10(2))
        self.dtype = kind.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((finfo, self.dtype))

    def __repr__(self) -> str:
        named = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{name}={getattr(self, name):g}' for name in named)}, dtype={self.dtype})"


def _info(kind: dtypes.dtype) -> Any:
    if kind is not dtypes.bfloat16:
        return np.finfo(kind.host)
    import ml_dtypes  # knows the type that NumPy does not

    untyped: Any = ml_dtypes.finfo
    return untyped(ml_dtypes.bfloat16)


class iinfo:
    """Limits of an integer type: ``bits``, ``max``, ``min``, and ``dtype``, the type's name.

    >>> import dovetail
    >>> dovetail.iinfo(dovetail.int8).max
    127
    """

    __slots__ = ("bits", "max", "min", "dtype")

    def __init__(self, type: dtypes.dtype) -> None:
        given: Any = type
        kind = given.dtype if hasattr(given, "dtype") else given
        if not isinstance(kind, dtypes.dtype) or kind.category != dtypes.INTEGER:
            raise ArgumentTypeError(f"iinfo() requires an integer input type. Use finfo to handle '{kind!r}'")
        found = np.iinfo(kind.host)
        self.bits = int(found.bits)
        self.max = int(found.max)
        self.min = int(found.min)
        self.dtype = kind.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((iinfo, self.dtype))

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
