"""How far two devices may differ on an op: the agreement that its record carries."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["E", "CR", "U", "G", "C", "S", "D"]
"""Exact, correctly rounded, ULP-bounded, growing with its terms, composite, random stream, distribution."""

Scale = Literal["result", "terms", "running"]
"""What an error is measured against: the result, the terms that were added up, or the intermediates."""

_PARTS = {"complex64": "float32", "complex128": "float64"}


@dataclass(frozen=True, slots=True)
class Growth:
    """``k`` as a function of the number of terms: ``log2 * ceil(log2 n) + linear * n + plus``.

    A class and not a lambda, so that an agreement can be compared, pickled and printed.

    >>> k = Growth(log2=1, plus=32)
    >>> k(1000), str(k)
    (42.0, 'ceil(log2 n) + 32')
    """

    log2: float = 0.0
    linear: float = 0.0
    plus: float = 0.0

    def __call__(self, n: int) -> float:
        """``k`` for ``n`` terms; none and one need no addition, so both have a logarithm of 0."""
        return self.log2 * math.ceil(math.log2(max(n, 1))) + self.linear * n + self.plus

    def __str__(self) -> str:
        parts = []
        if self.log2:
            parts.append(_factor(self.log2) + "ceil(log2 n)")
        if self.linear:
            parts.append(_factor(self.linear) + "n")
        if self.plus or not parts:
            parts.append(f"{self.plus:g}")
        return " + ".join(parts)


@dataclass(frozen=True, slots=True)
class Agree:
    """How equal the results of an op must be on every device; made by one of its constructors.

    ``kind`` is the exactness class, ``scale`` what errors are measured against. ``bounds`` holds ULPs per
    dtype name (class U), ``k`` the factor of class G, a number or a function of the number of terms.
    ``typical`` is a tighter factor for standard normal data. Without ``signed_zero``, +0 and -0 are the same.

    >>> print(Agree.ulp(f32=3, f64=1.5))
    at most 3 ULP in float32, 1.5 ULP in float64, 0.6 ULP in float16 and bfloat16
    """

    kind: Kind
    scale: Scale = "result"
    bounds: tuple[tuple[str, float], ...] = ()
    k: float | Callable[[int], float] | None = None
    typical: float | None = None
    signed_zero: bool = True

    @classmethod
    def exact(cls, *, signed_zero: bool = True) -> Agree:
        """Class E: the bits are fixed, by IEEE 754 or because nothing is computed; any NaN equals any NaN."""
        return cls("E", signed_zero=signed_zero)

    @classmethod
    def rounded(cls) -> Agree:
        """Class CR: the exact real result rounded once to nearest even, hence the same bits everywhere."""
        return cls("CR")

    @classmethod
    def ulp(cls, *, f32: float, f64: float, f16: float = 0.6, bf16: float = 0.6) -> Agree:
        """Class U: at most so many ULP from the exact result.

        The 16-bit bounds are those of a result that was computed in float32 and rounded once.
        """
        bounds = (("float32", f32), ("float64", f64), ("float16", f16), ("bfloat16", bf16))
        for name, bound in bounds:
            # Half an ULP is the rounding of the result itself: nothing that rounds can promise less.
            if not 0.5 <= bound < math.inf:
                raise ValueError(f"a bound in ULP is finite and at least 0.5, got {bound!r} for {name}")
        return cls("U", bounds=tuple((name, float(bound)) for name, bound in bounds))

    @classmethod
    def terms(cls, k: float | Callable[[int], float], *, typical: float | None = None) -> Agree:
        """Class G: ``|error| <= k u sum|terms|`` for every element, plus one rounding of the result.

        ``k`` is a number or a function of the number of terms (see :class:`Growth`); u is 2^-24 for float32,
        and for float16 and bfloat16, which accumulate in float32. ``typical`` is a tighter factor that
        standard normal data must meet as well.

        >>> print(Agree.terms(k=Growth(linear=1), typical=8))
        error at most k u times the sum of the absolute terms, k = n for n terms (8 on standard normal data)
        """
        if not callable(k) and not 0 < k < math.inf:
            raise ValueError(f"the factor k is positive and finite, got {k!r}")
        return cls("G", "terms", k=k, typical=typical, signed_zero=False)

    @classmethod
    def running(cls) -> Agree:
        """Class C: a composite, bounded by the first-order running error of its decomposition."""
        return cls("C", "running", signed_zero=False)

    @classmethod
    def stream(cls) -> Agree:
        """Class S: random integer words, the same on every device."""
        return cls("S")

    @classmethod
    def distribution(cls) -> Agree:
        """Class D: values made from random words: the same bits everywhere, distributed as promised."""
        return cls("D")

    @property
    def bitwise(self) -> bool:
        """Whether there is one right answer, so that results are compared bit by bit."""
        return self.kind in ("E", "CR", "S", "D")

    def at_most(self, dtype: str) -> float:
        """The bound in ULP for a dtype name; a complex dtype has the bound of its parts.

        Errors: ValueError where the class has no bound in ULP (G, C) or none for this dtype.
        """
        if self.bitwise:
            return 0.5
        bound = dict(self.bounds).get(_PARTS.get(dtype, dtype))
        if bound is None:
            raise ValueError(f"no bound in ULP for {dtype}: the agreement is {self}")
        return bound

    def factor(self, n: int) -> float:
        """``k`` for ``n`` terms. Errors: ValueError where the class is not G."""
        if self.k is None:
            raise ValueError(f"no factor over terms: the agreement is {self}")
        return float(self.k(n) if callable(self.k) else self.k)

    def __str__(self) -> str:
        match self.kind:
            case "E":
                exception = "" if self.signed_zero else ", except for the sign of zero"
                return f"the same bits everywhere{exception}"
            case "CR":
                return "the exact result rounded once to nearest even, hence the same bits everywhere"
            case "U":
                return "at most " + ", ".join(_grouped(self.bounds))
            case "G":
                return f"error at most k u times the sum of the absolute terms, k = {self._factor_text()}"
            case "C":
                return "at most the first-order running error of its decomposition"
            case "S":
                return "the same random words everywhere"
            case "D":
                return "the same values everywhere, distributed as promised"

    def _factor_text(self) -> str:
        if isinstance(self.k, Growth):
            text = f"{self.k} for n terms" if self.k.log2 or self.k.linear else str(self.k)
        elif callable(self.k):
            text = "a function of the number of terms"
        else:
            text = f"{self.k:g}"
        return text + (f" ({self.typical:g} on standard normal data)" if self.typical is not None else "")


def _factor(value: float) -> str:
    return "" if value == 1 else f"{value:g} "


def _grouped(bounds: tuple[tuple[str, float], ...]) -> list[str]:
    """One phrase per bound, with the dtypes that share it."""
    names: dict[float, list[str]] = {}
    for name, bound in bounds:
        names.setdefault(bound, []).append(name)
    return [f"{bound:g} ULP in {' and '.join(', '.join(n).rsplit(', ', 1))}" for bound, n in names.items()]
