"""Functions of elements under XLA, repaired where its own miss the bound of the op.

float32 is computed in float64 and rounded once where XLA's float32 is too far off (exp near underflow, expm1, log1p,
functions that flush small results); 16-bit floats always are computed in float32 or wider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import lax

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

table: Final = KernelTable()
Kernel = Callable[..., Array]
HALF: Final = (dtypes.float16, dtypes.bfloat16)


def elementwise(function: Kernel, *, wide: bool = False) -> Callable[[Call], Kernel]:
    """Bind a function of elements; ``wide`` computes float32 in float64 and rounds once."""

    def bind(call: Call) -> Kernel:
        kind = call.inputs[0].dtype
        if kind in HALF:
            host = call.output.dtype.host
            inner = jnp.float64 if wide else jnp.float32
            return lambda *xs: function(*(x.astype(inner) for x in xs)).astype(jnp.float32).astype(host)
        if wide and kind is dtypes.float32:
            return lambda *xs: function(*(x.astype(jnp.float64) for x in xs)).astype(jnp.float32)
        return function

    return bind


def quotient(x: Array, y: Array) -> Array:
    """x / y, rounded correctly: the barrier keeps XLA from multiplying by the reciprocal of a scalar."""
    shape = jnp.broadcast_shapes(x.shape, y.shape)
    return x / lax.optimization_barrier(jnp.broadcast_to(y, shape))


def log1p(x: Array) -> Array:
    """log(u) + (x - (u - 1)) / u with u = 1 + x: the second term is what rounding u has lost.

    XLA's own is 123 ULP off in float64 for small x.
    """
    u = lax.optimization_barrier(1 + x)
    lost = (x - lax.optimization_barrier(u - 1)) / u
    return jnp.where(jnp.isinf(u) | (u == 0), jnp.log(u), jnp.where(x == 0, x, jnp.log(u) + lost))


def expm1(x: Array) -> Array:
    """Taylor's series where exp(x) - 1 would cancel, else that."""
    p = jnp.zeros_like(x)
    for k in range(24, 1, -1):
        p = (p + 1.0) * x / k
    return jnp.where(x == 0, x, jnp.where(jnp.abs(x) < 1.25, x + x * p, jnp.exp(x) - 1))


def flushed(x: Array) -> Array:
    """Subnormal numbers as zeros of their sign: XLA flushes them in some places and not in others."""
    return jnp.where(jnp.abs(x) < np.finfo(x.dtype).tiny, jnp.copysign(jnp.zeros((), x.dtype), x), x)


def atan2(y: Array, x: Array) -> Array:
    """The angle of (x, y) with the sign of y, which XLA loses where y is subnormal."""
    return jnp.copysign(jnp.arctan2(jnp.abs(flushed(y)), flushed(x)), y)


def power(x: Array, y: Array) -> Array:
    """x to the power of y; subnormal operands count as zeros."""
    return jnp.power(flushed(x), flushed(y))


def tanh(x: Array) -> Array:
    """-expm1(-2|x|) / (2 + expm1(-2|x|)) with the sign of x; XLA's own is 6.9 ULP off in float64."""
    if x.dtype != jnp.float64:
        return jnp.tanh(x)
    e = expm1(-2 * jnp.abs(x))
    magnitude = -e / (2 + e)
    return jnp.copysign(magnitude, x)


for _op, _function, _wide in (
    (ops.add, jnp.add, False),
    (ops.sub, jnp.subtract, False),
    (ops.mul, jnp.multiply, False),
    (ops.div, quotient, False),
    (ops.exp, jnp.exp, True),
    (ops.expm1, expm1, True),
    (ops.log, jnp.log, False),
    (ops.log2, jnp.log2, True),
    (ops.log10, jnp.log10, True),
    (ops.log1p, log1p, True),
    (ops.sqrt, jnp.sqrt, False),
    (ops.sin, jnp.sin, False),
    (ops.cos, jnp.cos, False),
    (ops.tan, jnp.tan, True),
    (ops.asin, jnp.arcsin, True),
    (ops.acos, jnp.arccos, True),
    (ops.atan2, atan2, True),
    (ops.tanh, tanh, False),
):
    table.binder(_op)(elementwise(_function, wide=_wide))

_PLAIN: Final[tuple[tuple[Any, Kernel], ...]] = (
    (ops.neg, jnp.negative),
    (ops.abs, jnp.abs),
    (ops.maximum, jnp.maximum),
    (ops.minimum, jnp.minimum),
    (ops.eq, jnp.equal),
    (ops.ne, jnp.not_equal),
    (ops.lt, jnp.less),
    (ops.le, jnp.less_equal),
    (ops.gt, jnp.greater),
    (ops.ge, jnp.greater_equal),
    (ops.bitwise_and, jnp.bitwise_and),
    (ops.bitwise_or, jnp.bitwise_or),
    (ops.bitwise_xor, jnp.bitwise_xor),
    (ops.bitwise_not, jnp.bitwise_not),
    (ops.logical_not, jnp.logical_not),
    (ops.isnan, jnp.isnan),
    (ops.select_by, jnp.where),
    (ops.floor, jnp.floor),
)
for _op, _function in _PLAIN:
    table(_op)(_function)


@table.binder(ops.round)
def _round(call: Call) -> Kernel:
    """Half to even; whatever decimals the op's body handles arrive as 0 here."""
    return elementwise(jnp.round)(call)


def _exact(function: Any) -> Callable[[Call], Kernel]:
    """16-bit floats through float32, where the remainder of two of them is exact."""
    return elementwise(function)


def _remainder(x: Array, y: Array) -> Array:
    """With the sign of the divisor, also where it is zero."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.remainder(x, y)
    rest = _rest(x, y)
    turned = jnp.where((rest != 0) & ((y < 0) != (rest < 0)), rest + y, rest)
    return jnp.where(turned == 0, jnp.copysign(jnp.zeros((), x.dtype), y), turned.astype(x.dtype))


def _rest(x: Array, y: Array) -> Array:
    """What is left of x, exactly; of float32 as float64, where it is never so small that XLA takes it for zero."""
    if x.dtype == jnp.float32:
        x, y = x.astype(jnp.float64), y.astype(jnp.float64)
    return lax.rem(*jnp.broadcast_arrays(x, y))


def _floor_divide(x: Array, y: Array) -> Array:
    """(x - rest) / y to the nearest whole number, one less where the signs differ; x / y by zero."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.floor_divide(x, y)
    exact = quotient(x, y)
    rest = _rest(x, y)
    whole = quotient(x - rest.astype(x.dtype), y)
    whole = jnp.where((rest != 0) & ((y < 0) != (rest < 0)), whole - 1, whole)
    below = jnp.floor(whole)
    near = jnp.where(whole - below > 0.5, below + 1, below)
    found = jnp.where(whole == 0, jnp.copysign(jnp.zeros((), x.dtype), exact), near)
    return jnp.where(y == 0, exact, found)


table.binder(ops.floor_divide)(_exact(_floor_divide))
table.binder(ops.remainder)(_exact(_remainder))
table.binder(ops.fmod)(_exact(jnp.fmod))


@table.binder(ops.power)
def _power(call: Call) -> Kernel:
    kind = call.output.dtype
    if kind is dtypes.bool_:
        return lambda x, y: x | ~y
    if kind.category < dtypes.FLOATING:
        return _integer_power
    return elementwise(power, wide=True)(call)


def _integer_power(x: Array, y: Array) -> Array:
    """0 for negative exponents, but the power itself for the bases 1 and -1."""
    positive = jnp.power(x, jnp.maximum(y, 0))
    odd = y % 2 != 0
    inverse = jnp.where(x == 1, 1, jnp.where(x == -1, jnp.where(odd, -1, 1), 0)).astype(x.dtype)
    return jnp.where(y < 0, inverse, positive)


@table(ops.sign)
def _sign(x: Array) -> Array:
    """0 for NaN and both zeros."""
    if x.dtype == jnp.bool_:
        return x
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)
