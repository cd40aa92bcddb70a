"""Faults of what adds up, compares and multiplies: lost elements, wrong divisors, orders, sums in too few bits."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, ops
from dovetail.backend.inspection import record
from dovetail_conformance.faults.fault import Fault, Kernel, after, attribute, bound
from dovetail_conformance.wrapped import plain_kernel


def without_last(call: Call) -> Kernel:
    """Sums of two elements and more leave the last one of their first dimension out."""
    right = plain_kernel("sum")(call)
    dims = call.statics["dim"]

    def run(x: Array) -> Array:
        if not dims or x.shape[dims[0]] < 2:
            return right(x)
        short = np.array(x)
        short[(slice(None),) * dims[0] + (-1,)] = 0
        return right(short)

    return run


def sequential(call: Call) -> Kernel:
    """One element after another."""
    dims, keep, dtype = call.statics["dim"], call.statics["keepdim"], call.output.dtype.host
    inner = np.float32 if dtype.itemsize == 2 else dtype

    def kernel(x: Array) -> Array:
        rest = [d for d in range(x.ndim) if d not in dims]
        terms = x.transpose((*dims, *rest)).reshape(-1, *(x.shape[d] for d in rest)).astype(inner)
        total = np.cumsum(terms, axis=0, dtype=inner)[-1] if len(terms) else np.zeros(terms.shape[1:], inner)
        shape = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        return np.asarray(total, dtype).reshape(shape) if keep else np.asarray(total, dtype)

    return kernel


def last_tie(call: Call) -> Kernel:
    """The last of equal elements."""
    dim, keep = call.statics["dim"], call.statics["keepdim"]

    def kernel(x: Array) -> Array:
        axis = -1 if dim is None else dim
        flat = x.reshape(-1) if dim is None else np.atleast_1d(x)
        found = np.asarray(flat.shape[axis] - 1 - np.argmax(np.flip(flat, axis), axis=axis), np.int64)
        shape = call.output.shape
        return found.reshape(shape) if keep or found.shape != shape else found

    return kernel


def turned(turn: Callable[[], bool]) -> Callable[[Call], Kernel]:
    """A binder of sums that add up large arrays backwards at times."""

    def binder(call: Call) -> Kernel:
        right = plain_kernel("sum")(call)

        def kernel(x: Array) -> Array:
            return (
                right(np.ascontiguousarray(np.flip(x)))
                if x.size > 10_000 and call.output.shape == () and turn()
                else right(x)
            )

        return kernel

    return binder


def now_and_then() -> Callable[[], bool]:
    """True every third time."""
    calls = itertools.count()
    return lambda: next(calls) % 3 == 1


def on_one_cpu() -> bool:
    """Whether this process may use one CPU alone."""
    return len(os.sched_getaffinity(0)) == 1 if hasattr(os, "sched_getaffinity") else os.cpu_count() == 1


def eps_inside(call: Call) -> Kernel:
    """Adam with eps under the root (without decay of weights, which would take part in the change)."""
    right = plain_kernel("adam_step")(call)
    if call.statics["decayed"] or len(call.outputs) != 4:
        return right

    def kernel(param: Array, grad: Array, mean: Array, square: Array, *rest: Array) -> Any:
        old, (step, numbers) = np.array(param), rest[-2:]
        steps = float(np.asarray(step)) + 1
        new, *others = right(param, grad, mean, square, *rest)
        _, _, beta2, eps, _ = (float(v) for v in np.asarray(numbers))
        correction = math.sqrt(1 - beta2**steps) if 0 <= beta2 < 1 else 1.0
        v = np.asarray(others[1], np.float64)
        factor = (np.sqrt(v) + correction * eps) / np.sqrt(v + correction**2 * eps)
        return (np.asarray(old + (np.asarray(new) - old) * factor, old.dtype), *others)

    return kernel


def not_of_nothing(out: Array, call: Call) -> Array:
    """False where there was nothing to look at."""
    return np.zeros_like(out) if 0 in call.inputs[0].shape else out


def too_few(out: Array, call: Call) -> Array:
    """The mean by one element fewer, where there are two and more."""
    n = int(np.prod([call.inputs[0].shape[d] for d in call.statics["dim"]], dtype=np.int64))
    return out * (n / (n - 1)) if n > 1 else out


def other_divisor(out: Array, call: Call) -> Array:
    """The variance by n where n - 1 was asked for, and the other way round."""
    dims = call.statics["dim"]
    n = int(np.prod([call.inputs[0].shape[d] for d in (range(call.inputs[0].ndim) if dims is None else dims)]))
    asked = call.statics["correction"]
    return out * ((n - asked) / (n - (0 if asked else 1))) if n > 1 else out


def in_16_bits(call: Call) -> Kernel:
    """Products of float16 added up in float16."""
    right = plain_kernel("matmul")(call)
    if call.output.dtype.name != "float16":
        return right

    def kernel(a: Array, b: Array) -> Array:
        if a.ndim != 2 or b.ndim != 2:
            return right(a, b)
        total = np.zeros((a.shape[0], b.shape[1]), np.float16)
        for k in range(a.shape[1]):
            total = total + a[:, k, None] * b[None, k]
        return total

    return kernel


def tf32(x: Array) -> Array:
    """float32 with 10 bits of fraction, rounded to nearest even."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    return ((bits + np.uint32(0xFFF) + ((bits >> 13) & 1)) & np.uint32(0xFFFFE000)).view(np.float32)


def in_tf32(call: Call) -> Kernel:
    """Large products of float32 lose 13 bits of their inputs, as on hardware with the switch on."""
    right = plain_kernel("matmul")(call)
    if call.output.dtype.name != "float32" or call.inputs[0].shape[-1] < 128:
        return right
    return lambda a, b: right(tf32(a), tf32(b))


def one_further(canon: Any) -> Any:
    """Dimensions from the end are one too far to the left."""

    def wrong(input: Any, **statics: Any) -> dict[str, Any]:
        dim = statics["dim"]
        if isinstance(dim, int) and dim < 0 and input.ndim > 1:
            statics = {**statics, "dim": (dim - 1) % input.ndim}
        return dict(canon(input, **statics))

    return wrong


FAULTS: Final[tuple[Fault, ...]] = (
    Fault("M15", "the last element left out of a sum", "values", "sum", bound(ops.sum, without_last)),
    Fault(
        "M16",
        "dimensions from the end are off by one",
        "shapes",
        "prod",
        attribute(lambda: record("prod"), "canon", one_further),
        alone=True,
    ),
    Fault("M17", "mean by n - 1", "values", "mean", after(ops.mean, too_few)),
    Fault("M18", "var with the other divisor", "values", "var", after(ops.var, other_divisor)),
    Fault("M19", "sums one after another", "sums", "sum", bound(ops.sum, sequential), alone=True),
    Fault("M20", "sums of float16 products in float16", "precision", "matmul", bound(ops.matmul, in_16_bits)),
    Fault("M21", "large products in TF32", "precision", "matmul", bound(ops.matmul, in_tf32), alone=True),
    Fault(
        "M22",
        "the order of a sum depends on the number of CPUs",
        "processes",
        "sum",
        bound(ops.sum, turned(on_one_cpu)),
        alone=True,
    ),
    Fault("M23", "argmax takes the last tie", "values", "argmax", bound(ops.argmax, last_tie)),
    Fault("M38", "Adam's eps under the root", "values", "adam_step", bound(ops.adam_step, eps_inside)),
    Fault("X04", "all of nothing is False", "values", "all", after(ops.all, not_of_nothing), alone=True),
    Fault(
        "X13",
        "every third large sum runs backwards",
        "repeats",
        "sum",
        bound(ops.sum, turned(now_and_then())),
        alone=True,
    ),
)
