"""Floating-point formats, their unit in the last place, and rounding into them exactly once.

The ULP is that of the target format at the exact result, as the OpenCL C specification defines it
(section 7.4) and its conformance test measures it: at a power of two the smaller of the two spacings, below
the smallest normal number the spacing of the subnormal ones, above the largest that of the last binade.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.longdouble]
"""Values in the widest format that NumPy has: 64 bits of significand on x86, elsewhere 53 or 113."""

WIDE_BITS: int = np.finfo(np.longdouble).nmant + 1
WIDE_UNIT = np.ldexp(np.longdouble(1), -WIDE_BITS)
"""Half an ULP of 1 in the wide format: the largest relative error of one rounding."""

WIDE_SMALLEST = np.finfo(np.longdouble).smallest_subnormal
WIDE_RANGE: bool = np.finfo(np.longdouble).maxexp > 2048
"""Whether the wide format reaches far beyond float64, so that nothing over- or underflows by accident."""


@dataclass(frozen=True, slots=True)
class Format:
    """A binary floating-point format: bits of significand, and the range of exponents of normal numbers."""

    name: str
    precision: int
    emin: int
    emax: int

    @property
    def unit(self) -> float:
        """u, half an ULP of 1."""
        return 2.0**-self.precision

    @property
    def smallest(self) -> float:
        """The smallest positive number, a subnormal."""
        return 2.0 ** (self.emin - self.precision + 1)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive number with full precision."""
        return 2.0**self.emin

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax

    @property
    def beyond(self) -> np.longdouble:
        """The number that would follow the largest: what an infinite result counts as, near the edge."""
        with np.errstate(over="ignore"):
            return np.longdouble(np.ldexp(np.longdouble(1), self.emax + 1))

    @property
    def accumulator(self) -> Format:
        """The format in which an op of this one adds up: float32 for the 16-bit formats, otherwise itself."""
        return FORMATS["float32"] if self.precision < 24 else self

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype; bfloat16 comes from ml_dtypes."""
        return np.dtype(ml_dtypes.bfloat16 if self.name == "bfloat16" else self.name)


FORMATS = {
    "float64": Format("float64", 53, -1022, 1023),
    "float32": Format("float32", 24, -126, 127),
    "float16": Format("float16", 11, -14, 15),
    "bfloat16": Format("bfloat16", 8, -126, 127),
}


def format_of(dtype: object) -> Format:
    """The format of a dtype, given as a name, a NumPy dtype, an array, or anything with such a ``name``.

    Errors: TypeError for anything that is not one of the four real floating-point formats.
    """
    found = getattr(dtype, "dtype", dtype)
    name = found if isinstance(found, str) else getattr(found, "name", None)
    if not isinstance(name, str) or name not in FORMATS:
        raise TypeError(f"expected one of the formats {', '.join(FORMATS)}, got {name or dtype!r}")
    return FORMATS[name]


def widen(values: Any) -> Wide:
    """The same values in the wide format; exact, except for integers of more than its significand."""
    array = np.asarray(values)
    if array.dtype.name == "bfloat16":
        # ml_dtypes casts to NumPy's own formats, of which float32 holds every bfloat16.
        array = array.astype(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN among the bits is no mistake
        return array.astype(np.longdouble)


def exponent_of(values: Wide) -> NDArray[np.int64]:
    """floor(log2|x|) for finite non-zero values; zero elsewhere."""
    usable = np.isfinite(values) & (values != 0)
    _, exponents = np.frexp(np.where(usable, values, np.longdouble(1)))
    return exponents.astype(np.int64) - 1


def ulp_at(exact: Wide, fmt: Format) -> Wide:
    """The ULP of ``fmt`` at each exact value; NaN at NaN, the last binade's at infinity."""
    exact = np.asarray(exact, np.longdouble)
    exponents = exponent_of(exact)
    power_of_two = np.abs(exact) == np.ldexp(np.longdouble(1), exponents)
    exponents = exponents - power_of_two
    exponents = np.where(exact == 0, fmt.emin, exponents)
    exponents = np.where(np.isinf(exact), fmt.emax, exponents)
    units = np.ldexp(np.longdouble(1), np.clip(exponents, fmt.emin, fmt.emax) - (fmt.precision - 1))
    return np.asarray(np.where(np.isnan(exact), np.longdouble(np.nan), units), np.longdouble)


def fraction_ulp(exact: Fraction, fmt: Format) -> Fraction:
    """The ULP of ``fmt`` at an exact rational value."""
    exponent = fmt.emin
    if exact:
        exponent = fraction_exponent(exact)
        exponent -= abs(exact) == Fraction(2) ** exponent
    return Fraction(2) ** (min(max(exponent, fmt.emin), fmt.emax) - (fmt.precision - 1))


def fraction_exponent(value: Fraction) -> int:
    """floor(log2|value|) of a non-zero rational, exactly."""
    numerator, denominator = abs(value.numerator), value.denominator
    exponent = numerator.bit_length() - denominator.bit_length()
    if exponent >= 0:
        return exponent - (numerator < denominator << exponent)
    return exponent - (numerator << -exponent < denominator)


def round_to(exact: Wide, fmt: Format) -> NDArray[Any]:
    """Wide values rounded once, to nearest even, into the dtype of ``fmt``; overflow gives infinity.

    Not ``astype``: many casts to 16 bits round twice, through float32 or float64.
    """
    exact = np.asarray(exact, np.longdouble)
    quantum = np.maximum(exponent_of(exact), fmt.emin) - (fmt.precision - 1)
    with np.errstate(all="ignore"):
        finite = np.where(np.isfinite(exact), exact, np.longdouble(0))
        rounded = np.ldexp(np.rint(np.ldexp(finite, -quantum)), quantum)
        # The products above are exact except below the wide range, where the sign must be put back.
        rounded = np.copysign(rounded, exact)
        rounded = np.where(np.isfinite(exact), rounded, exact)
        # Exact from here on: a number of the format, or a power of two above all of them, which is infinite.
        return np.asarray(rounded.astype(np.float64)).astype(fmt.dtype)


def round_fraction(exact: Fraction, fmt: Format) -> float:
    """A rational rounded once, to nearest even, into ``fmt``; zero has the sign plus."""
    if not exact:
        return 0.0
    quantum = max(fraction_exponent(exact), fmt.emin) - (fmt.precision - 1)
    # round() of a Fraction goes to nearest even.
    multiple = round(exact / Fraction(2) ** quantum)
    result = multiple * Fraction(2) ** quantum
    if abs(result) > Fraction(fmt.largest):
        return float("inf") if exact > 0 else float("-inf")
    return float(result) if result else (0.0 if exact > 0 else -0.0)


def tie_near(value: Fraction, fmt: Format) -> Fraction:
    """The number of ``fmt``, or the middle between two neighbours, that is nearest to a rational."""
    half = Fraction(2) ** ((max(fraction_exponent(value), fmt.emin) if value else fmt.emin) - fmt.precision)
    return round(value / half) * half


def ulps(got: Any, exact: Wide, fmt: Format) -> NDArray[np.float64]:
    """The signed error of ``got`` in ULP of ``fmt`` at the exact values.

    Both NaN, or both the same infinity: 0. An exact value that rounds to the infinity in ``got`` has error 0
    too; another infinite result counts as the number after the largest (rule 7 of OpenCL's test: premature
    overflow is an error like any other). A NaN, or a finite result for an infinite one: infinite error.
    """
    exact = np.asarray(exact, np.longdouble)
    values = widen(got)
    with np.errstate(all="ignore"):
        stepped = np.where(np.isinf(values), np.copysign(fmt.beyond, values), values)
        errors = (stepped - exact) / ulp_at(exact, fmt)
        same = (np.isnan(values) & np.isnan(exact)) | (values == widen(round_to(exact, fmt)))
        same &= ~np.isfinite(values)
        errors = np.where(same, np.longdouble(0), errors)
        broken = np.isnan(errors) | (np.isinf(exact) & ~same)
        return np.asarray(np.where(broken, np.longdouble(np.inf), errors), np.float64)
