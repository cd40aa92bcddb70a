"""Activations of neural networks in one pass over memory, block by block.

gelu and silu lose the digits of float32 in their tails, so they are computed in float64 and rounded once. A
block of both types stays in the second-level cache, and the casts cost less than reading the array again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from dovetail_numpy.geometry import blocks
from dovetail_numpy.precision import Array

# Four blocks of float64 are 1 MB: of 2 to 64 thousand elements this was the fastest.
_BLOCK: Final = 1 << 15
# Below this many elements the number of calls decides.
_FEW: Final = 1 << 12


def in_blocks(function: Callable[..., Array], *arrays: Array) -> Array:
    """Apply an elementwise function in float64 to arrays of one shape, block by block.

    The result has the dtype and the memory order of the last one.
    """
    last = arrays[-1]
    out = np.empty_like(last)
    flat = out.ravel(order="K")
    sources = [_in_order(array, out) for array in arrays]
    for cut in blocks(out.size, _BLOCK):
        flat[cut] = function(*(source[cut].astype(np.float64) for source in sources))
    return out


def _in_order(array: Array, like: Array) -> Array:
    """The elements of an array in the memory order of another one; a view where it has that order."""
    if array.strides != like.strides:
        moved = np.empty_like(like, dtype=array.dtype)
        moved[...] = array
        array = moved
    return array.ravel(order="K")


# ------------------------------------------------------------------------------------------ relu


def relu_backward(g: Array, output: Array) -> Array:
    """Return ``g`` where the output is not 0 (or NaN), else 0: by bits, 10 times as fast as `numpy.where`."""
    if output.size < _FEW:
        return np.where(output <= 0, output.dtype.type(0), g)
    word = np.dtype(f"i{output.dtype.itemsize}")
    # 0 where the output is not positive, else -1, all bits: a product with a mask makes NaN of infinity.
    keep = np.less_equal(output, 0).astype(word)
    keep -= 1
    keep &= g.view(word)
    return keep.view(output.dtype)


def leaky_relu_backward(g: Array, input: Array, *, negative_slope: float) -> Array:
    """Return ``g`` where the input is positive, ``negative_slope`` times it elsewhere: slopes in [0, 1]."""
    slope = np.array(negative_slope, g.dtype)
    result: Array = np.multiply(g, np.maximum(input > 0, slope, dtype=g.dtype), out=...)
    return result


# ------------------------------------------------------------------------------------------ gelu

_BELL: Final = 1 / math.sqrt(2 * math.pi)
# For 0 <= a <= 14.7 the upper tail of the normal distribution is exp(-a^2 / 2) N(a) / D(a), at most 8.5e-11 off
# relative to it: a rational function fitted to exp(a^2 / 2) erfc(a / sqrt(2)) / 2 at 4000 points, denser towards 0, by
# least squares whose weights grow with the error (C. Lawson 1961). All coefficients are positive, so no digit is lost.
# Beyond, it is 0 in float32. The rows are N and D, from the constant upwards.
_TAIL: Final = np.array(
    [
        [
            0.4999999999575573, 0.5077114598057713, 0.2507278351374148, 0.0713748759923943, 0.011658250914937466,
            0.0008910990083280612, 0.0,
        ],
        [
            1.0, 1.8133074722828966, 1.4482658315168024, 0.6576057306021694, 0.1811494630521254, 0.0292227173596797,
            0.0022336566964825813,
        ],
    ]
)  # fmt: skip
_FAR: Final = 60.0


def _room(size: int) -> Array:
    """Memory for `_tail` on blocks of so many elements: the powers, the first of which is 1, and two results."""
    room = np.empty((_TAIL.shape[1] + len(_TAIL), min(size, _BLOCK)))
    room[0] = 1
    return room


def _tail(x: Array, room: Array, finite: bool) -> tuple[Array, Array, Array]:
    """Return |x| (at most 60 unless all are ``finite``), exp(-x^2 / 2) and the distribution above |x|, in ``room``.

    Both polynomials are one matrix product with the powers of |x|: half the time of Horner's rule, pass by pass.
    """
    room = room[:, : x.size]
    powers = room[: _TAIL.shape[1]]
    a = np.abs(x, out=powers[1])
    if not finite:
        np.minimum(a, _FAR, out=a)
    for i in range(2, len(powers)):
        np.multiply(powers[i // 2], powers[(i + 1) // 2], out=powers[i])
    tail, whole = np.matmul(_TAIL, powers, out=room[len(powers) :])
    bell = np.multiply(powers[2], -0.5, out=powers[3])
    np.exp(bell, out=bell)
    tail *= bell
    tail /= whole
    return a, bell, tail


def _gelu(room: Array, x: Array) -> Array:
    """``max(x, 0) - |x| Q(|x|)`` with the upper tail Q."""
    finite = bool(np.isfinite(np.add.reduce(x)))
    a, bell, tail = _tail(x, room, finite)
    tail *= a
    # the larger of x and 0: `numpy.maximum` takes twice the time
    positive = np.add(x, a, out=bell) if finite else np.maximum(x, 0, out=bell) * 2
    positive *= 0.5
    result: Array = np.subtract(positive, tail, out=tail)
    if not finite:
        result[x == -np.inf] = np.nan  # an infinity times 0
    return result


def _gelu_backward(room: Array, g: Array, x: Array) -> Array:
    """With s = Q(|x|) - |x| phi(x) the slope is s on the left and 1 - s on the right."""
    finite = bool(np.isfinite(np.add.reduce(x)))
    a, bell, slope = _tail(x, room, finite)
    bell *= a
    bell *= _BELL
    slope -= bell
    right = np.greater(x, 0)
    np.multiply(slope, -2, out=bell)
    bell += 1
    bell *= right
    slope += bell
    if not finite:
        slope[np.isinf(x)] = np.nan  # an infinity times 0
    slope *= g
    return slope


_SCALE: Final = math.sqrt(2 / math.pi)
_CUBIC: Final = 0.044715


def _logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)) in the place of x; exp may overflow to infinity."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    return np.divide(1, x, out=x)


def _gelu_tanh(x: Array) -> Array:
    inner = x * x
    inner *= _CUBIC
    inner += 1
    inner *= x
    inner *= 2 * _SCALE
    gate = _logistic(inner)
    gate *= x
    return gate


def _gelu_tanh_backward(g: Array, x: Array) -> Array:
    square = x * x
    inner = square * _CUBIC
    inner += 1
    inner *= x
    inner *= 2 * _SCALE
    gate = _logistic(inner)
    square *= 3 * _CUBIC
    square += 1
    square *= 2 * _SCALE
    square *= x
    square *= gate
    square *= 1 - gate
    # far out the polynomial overflows while the gate is 0 or 1
    square[np.isnan(square) & np.isfinite(x)] = 0
    square += gate
    square *= g
    return square


def gelu(input: Array, *, approximate: str) -> Array:
    """Return ``x Phi(x)`` with the normal distribution function, or its "tanh" approximation, rounded."""
    if approximate == "none":
        return in_blocks(partial(_gelu, _room(input.size)), input)
    return in_blocks(_gelu_tanh, input)


def gelu_backward(g: Array, input: Array, *, approximate: str) -> Array:
    """Return ``g`` times the derivative of `gelu`."""
    if approximate == "none":
        return in_blocks(partial(_gelu_backward, _room(input.size)), g, input)
    return in_blocks(_gelu_tanh_backward, g, input)


# ------------------------------------------------------------------------------------------ silu


def _silu(x: Array) -> Array:
    gate = _logistic(x.copy())
    gate *= x
    return gate


def _silu_backward(g: Array, x: Array) -> Array:
    gate = _logistic(x.copy())
    slope = 1 - gate
    slope *= x
    slope += 1
    slope *= gate
    slope *= g
    return slope


def silu(input: Array) -> Array:
    """Return ``x sigmoid(x)``, rounded once."""
    return in_blocks(_silu, input)


def silu_backward(g: Array, input: Array) -> Array:
    """Return ``g`` times the derivative of `silu`."""
    return in_blocks(_silu_backward, g, input)
