"""Modified Bessel functions of the first kind, of orders 0 and 1, and the window that is made of them."""

from __future__ import annotations

import math
from typing import Final

from dovetail.ops.comparison import select_by
from dovetail.ops.definition import op
from dovetail.ops.precision import wider
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import unary
from dovetail.tensor.tensor import Tensor

_EDGE: Final = 18.0
"""From here on the asymptotic series has a smallest term below the last bit of float64."""
_TERMS: Final = 48
"""Of the power series: at the edge the next one is below 1e-17 of the sum."""


def _series(order: int) -> tuple[float, ...]:
    """Coefficients of ``(x/2)**(2k)`` in ``I(x) / (x/2)**order``, highest first (NIST handbook, 10.25.2)."""
    return tuple(1 / (math.factorial(k) * math.factorial(k + order)) for k in reversed(range(_TERMS)))


def _tail(order: int) -> tuple[float, ...]:
    """Coefficients of ``x**-k`` in ``I(x) sqrt(2 pi x) exp(-x)``, highest first (NIST handbook, 10.40.1)."""
    found, term = [1.0], 1.0
    for k in range(1, 20):
        term *= -(4 * order * order - (2 * k - 1) ** 2) / (8 * k)
        found.append(term)
    return tuple(reversed(found))


_SERIES: Final = (_series(0), _series(1))
_TAIL: Final = (_tail(0), _tail(1))


def _horner(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    total = x * 0.0 + coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _even_part(size: Tensor, order: int) -> Tensor:
    """The function of ``abs(x)``, computed in at least float32."""
    near = size < _EDGE
    half = select_by(near, size, 1.0) * 0.5
    small = _horner(half * half, _SERIES[order])
    if order:
        small = small * half
    far = select_by(near, _EDGE, size)
    # In two factors: exp(x) overflows before the function does.
    root = (far * 0.5).exp()
    large = root * (_horner(1 / far, _TAIL[order]) / (far * (2 * math.pi)).sqrt()) * root
    return select_by(near, small, large)


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    method=True,
    inplace=True,
    samples=unary(low=-30.0, high=30.0, dtypes=("float", "int"), special=False),
    agree=Agree.running(),
)
def i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind of order 0.

    By its power series near 0, whose terms are all positive, and by its asymptotic series from 18 on.

    >>> import dovetail
    >>> dovetail.i0(dovetail.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return _even_part(input.to(wider(input.dtype)).abs(), 0).to(input.dtype)


@op(
    shape=rules.like_first,
    dtype=rules.to_float,
    internal=True,
    samples=unary(low=-30.0, high=30.0, dtypes=("float", "int"), special=False),
    agree=Agree.running(),
)
def i1(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind of order 1."""
    x = input.to(wider(input.dtype))
    found = _even_part(x.abs(), 1)
    return select_by(x < 0, -found, found).to(input.dtype)


i0.vjp(input=lambda g, input: g * i1(input))


@i1.vjp
def _slope(g: Tensor, input: Tensor) -> tuple[Tensor]:
    # I1' = I0 - I1 / x, which is 1/2 at 0.
    flat = input == 0
    quotient = select_by(flat, 0.5, i1(input) / select_by(flat, 1.0, input))
    return (g * (i0(input) - quotient),)
