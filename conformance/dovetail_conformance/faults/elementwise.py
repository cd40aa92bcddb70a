"""Faults of functions of single numbers: last digits, special values, formulas that lose what they should keep."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, ops
from dovetail_conformance.faults.fault import Fault, Kernel, after, backend_of, before, bound, replaced
from dovetail_conformance.judge import format_of
from dovetail_conformance.judge.ulp import widen
from dovetail_conformance.wrapped import Wrapped, plain_kernel

Host = np.ndarray[Any, Any]


def two_further(out: Array, call: Call) -> Array:
    """Two ULP up; 16-bit results as they are."""
    if out.dtype.itemsize == 2 or out.dtype.name == "bfloat16":
        return out
    up = np.asarray(math.inf, out.dtype)
    return np.nextafter(np.nextafter(out, up), up)


def one_wrong(call: Call) -> Kernel:
    """exp one ULP off for one float16 of all 65,536."""
    right = plain_kernel("exp")(call)
    if call.output.dtype.name != "float16":
        return right

    def run(x: Array) -> Array:
        out = np.array(right(x))
        hit = np.asarray(x).view(np.uint16) == 0x3A57
        out[hit] = np.nextafter(out[hit], np.float16(np.inf))
        return out

    return run


def as_it_was_far_out(call: Call) -> Kernel:
    """What lies beyond 65,536 elements stays as it was."""
    right = plain_kernel("floor")(call)

    def run(x: Array) -> Array:
        out = np.array(right(x))
        out.reshape(-1)[65536:] = np.asarray(x).reshape(-1)[65536:]
        return out

    return run


def tanh_gelu(x: Array) -> Array:
    """The approximation by tanh (Hendrycks and Gimpel, arXiv 1606.08415) where the exact form was asked for."""
    y = x.astype(np.float64)
    return y / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))


def by_reciprocal_root(x: Array) -> Array:
    """x times 1 / sqrt(x), right where that has no value."""
    return np.where((x > 0) & np.isfinite(x), x * (x.dtype.type(1) / np.sqrt(x)), np.sqrt(x))


def reduced_poorly(x: Array) -> Array:
    """The remainder by 2 pi as the dtype has it."""
    return np.sin(np.where(np.abs(x) > 1e4, np.remainder(x, x.dtype.type(2 * math.pi)), x))


def flushed(out: Array, call: Call) -> Array:
    """Zeros for subnormal numbers."""
    if out.dtype.kind in "biu":
        return out
    small = np.abs(widen(out)) < format_of(out).smallest_normal
    return np.where(small, np.copysign(np.zeros_like(out), out), out)


def away(x: Array) -> Array:
    """Halves rounded away from zero."""
    return np.trunc(x + np.copysign(x.dtype.type(0.5), x)) if x.dtype.kind not in "biu" else x


def rounded_twice(call: Call) -> Kernel:
    """float64 to 16 bits through float32."""
    right = plain_kernel("cast")(call)
    if call.inputs[0].dtype.name == "float64" and call.output.dtype.itemsize == 2:
        return lambda x: x.astype(np.float32).astype(call.output.dtype.host)
    return right


def in_memory_order(x: Array) -> Array:
    """Elements in the order in which a transposed array keeps them."""
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        return np.ravel(x, order="K").reshape(x.shape)
    return x


class Held(np.ndarray[Any, Any]):
    """A float64 array that stands for a float32 one."""


class HeldWide(Wrapped):
    """Differences of float32 are held in float64, and nobody who reads them sees that."""

    def change(self, table: KernelTable) -> None:
        table.binder(ops.sub)(held_wide)
        table.binder(ops.clone)(lambda call: lambda x: x.copy())

    def to_host(self, array: Array) -> Host:
        plain = np.asarray(self.host.to_host(array))
        return plain.astype(np.float32) if isinstance(array, Held) else plain


def held_wide(call: Call) -> Kernel:
    """The difference of two float32 as a float64 array."""
    right = plain_kernel("sub")(call)
    if call.output.dtype.name != "float32":
        return right
    return lambda a, b: np.asarray(right(np.asarray(a), np.asarray(b)), np.float64).view(Held)


def double_add(call: Call) -> Kernel:
    """The sum of two float32 as a float64 array."""
    right = plain_kernel("add")(call)
    if call.output.dtype.name != "float32":
        return right
    return lambda a, b: np.asarray(right(a, b), np.float64)


def lost_sign(x: Array) -> Array:
    """0 - x: no zero is negative."""
    return np.negative(x) if x.dtype.kind in "iu" else x.dtype.type(0) - x


def naive_sigmoid(x: Array) -> Array:
    """Right but for the tail, where exp(-x) overflows."""
    return x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))


def naive_softmax(call: Call) -> Kernel:
    """Softmax without taking the largest off first."""
    dim, dtype = call.statics["dim"], call.output.dtype.host

    def run(x: Array) -> Array:
        with np.errstate(all="ignore"):
            powers = np.exp(x.astype(dtype))
            return np.asarray(powers / powers.sum(axis=dim, keepdims=True), dtype)

    return run


FAULTS: Final[tuple[Fault, ...]] = (
    Fault("M01", "exp two ULP further off", "specials", "exp", after(ops.exp, two_further)),
    Fault(
        "M02", "exp wrong for one float16", "exhaustive", "exp", bound(ops.exp, one_wrong), dtype="float16", alone=True
    ),
    Fault(
        "M03", "log1p(x) as log(1 + x)", "specials", "log1p", replaced(ops.log1p, lambda x: np.log(x.dtype.type(1) + x))
    ),
    Fault(
        "M04", "expm1(x) as exp(x) - 1", "specials", "expm1", replaced(ops.expm1, lambda x: np.exp(x) - x.dtype.type(1))
    ),
    Fault("M05", "sigmoid as 1 / (1 + exp(-x))", "specials", "sigmoid", replaced(ops.sigmoid, naive_sigmoid)),
    Fault("M06", "softmax without the maximum", "values", "softmax", bound(ops.softmax, naive_softmax)),
    Fault("M07", "gelu by tanh", "values", "gelu", replaced(ops.gelu, tanh_gelu)),
    Fault(
        "M08",
        "x / s as x times the reciprocal of s",
        "specials",
        "div",
        replaced(ops.div, lambda a, b: a * (b.dtype.type(1) / b)),
    ),
    Fault("M09", "sqrt by the reciprocal root", "specials", "sqrt", replaced(ops.sqrt, by_reciprocal_root)),
    Fault("M10", "sin of large numbers by a poor remainder", "specials", "sin", replaced(ops.sin, reduced_poorly)),
    Fault("M11", "add flushes, where mul does not", "specials", "add", after(ops.add, flushed)),
    Fault("M12", "the sign of zero lost", "specials", "neg", replaced(ops.neg, lost_sign)),
    Fault("M13", "maximum drops NaN", "specials", "maximum", replaced(ops.maximum, np.fmax), alone=True),
    Fault("M14", "halves away from zero", "specials", "round", replaced(ops.round, away)),
    Fault("M34", "a sum of float32 is float64", "forms", "add", bound(ops.add, double_add)),
    Fault("X01", "a float32 is held in float64", "forms", "sub", backend_of(HeldWide), alone=True),
    Fault("X02", "float64 to 16 bits rounded twice", "arithmetic", "cast", bound(ops.cast, rounded_twice), alone=True),
    Fault(
        "X12", "floor stops after 65,536 elements", "large", "floor", bound(ops.floor, as_it_was_far_out), alone=True
    ),
    Fault(
        "X03",
        "abs of a transposed tensor in the order of its memory",
        "layouts",
        "abs",
        before(ops.abs, lambda x: (in_memory_order(x),)),
        alone=True,
    ),
)
