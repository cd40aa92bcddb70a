"""Functions of single elements that CuPy lacks, or whose decomposition would take many kernels: CUDA C expressions.

Each is what `cupy.ElementwiseKernel` takes: T is the dtype of the operands, which broadcast. What stands for
float32 is computed in float64 and rounded once; in float64 the steps are those of the decompositions.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Expression(NamedTuple):
    """Operands, results, the statements between them, and functions that these call."""

    operands: str
    results: str
    code: str
    functions: str = ""


_SIGMOID: Final = """
__device__ double sigmoid_of(double x) {
    const double e = exp(x < 0 ? x : -x);
    return (x >= 0 ? 1.0 : e) / (e + 1);
}
"""
_NORMAL: Final = """
__device__ double normal_below(double x) { return erfc(x * -0.70710678118654752440) * 0.5; }
"""

REMAINDER: Final = Expression(
    "T x, T y",
    "T z",
    """
    z = fmod(x, y);
    if (z == 0) z = copysign((T)0, y);
    else if ((y < 0) != (z < 0)) z += y;
    """,
)
"""The remainder with the divisor's sign, from C's exact fmod: CuPy's x - floor(x / y) y loses all digits."""

FLOOR_DIVIDE: Final = Expression(
    "T x, T y",
    "T z",
    """
    const T rest = fmod(x, y);
    T quotient = (x - rest) / y;
    if (rest != 0 && (y < 0) != (rest < 0)) quotient -= 1;
    const T whole = floor(quotient);
    if (y == 0) z = x / y;
    else if (quotient == 0) z = copysign((T)0, x / y);
    else z = quotient - whole > (T)0.5 ? whole + 1 : whole;
    """,
)
"""The quotient that belongs to that remainder, as Python and NumPy have it."""

TO_INTEGER: Final = Expression(
    "S x, float64 low, float64 high, T smallest, T largest",
    "T z",
    """
    const double value = x;
    if (value != value) z = 0;
    else if (value <= low) z = smallest;
    else if (value >= high) z = largest;
    else z = (T)value;
    """,
)
"""Truncation; NaN gives 0, what is out of range the nearest integer."""

RELU: Final = Expression("T x", "T z", "z = x <= 0 ? (T)0 : x;")
RELU_BACKWARD: Final = Expression("T g, T y", "T z", "z = y <= 0 ? (T)0 : g;")
MASKED_SCALE: Final = Expression("T x, bool mask, T scale", "T z", "z = x * (mask ? scale : (T)0);")
SIGMOID: Final = Expression("T x", "T z", "z = (T)sigmoid_of(x);", _SIGMOID)
SILU: Final = Expression("T x", "T z", "z = (T)((double)x * sigmoid_of(x));", _SIGMOID)
SILU_BACKWARD: Final = Expression(
    "T g, T x", "T z", "const double d = x; z = (T)(g * (sigmoid_of(d) * (1 + d * sigmoid_of(-d))));", _SIGMOID
)
GELU: Final = Expression("T x", "T z", "z = (T)((double)x * normal_below(x));", _NORMAL)
GELU_BACKWARD: Final = Expression(
    "T g, T x",
    "T z",
    "const double d = x; z = (T)(g * (normal_below(d) + d * (exp(d * d * -0.5) * 0.39894228040143267794)));",
    _NORMAL,
)

EXPRESSIONS: Final = {
    "remainder": REMAINDER, "floor_divide": FLOOR_DIVIDE, "to_integer": TO_INTEGER, "relu": RELU,
    "relu_backward": RELU_BACKWARD, "masked_scale": MASKED_SCALE, "sigmoid": SIGMOID, "silu": SILU,
    "silu_backward": SILU_BACKWARD, "gelu": GELU, "gelu_backward": GELU_BACKWARD,
}  # fmt: skip
"""All of them by name."""
