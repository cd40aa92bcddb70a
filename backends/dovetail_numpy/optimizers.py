"""Optimizer steps that write parameters and state in place, block by block.

One step reads and writes each array once from memory: a block of all of them stays in the second-level cache
while a dozen calls work on it, and the only temporaries are two buffers of a block. These are the only
kernels that change their arguments; whoever calls them owns the arrays. What changes from step to step (the
learning rate, the step count) is an argument of the call, never part of something cached.

Formulas and their order of operations: the algorithms in the documentation of ``torch.optim.SGD``, ``Adam``
and ``AdamW`` (D. Kingma and J. Ba, arXiv:1412.6980; I. Loshchilov and F. Hutter, arXiv:1711.05101). 16-bit
parameters and states are read as float32, and rounded once when they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dovetail_numpy.precision import Array, is_half, wide_dtype

# Six arrays of this many float32 are 3/4 MB.
_BLOCK = 1 << 15


def _blocks(written: Sequence[Array], grad: Array) -> Iterator[tuple[Array, ...]]:
    """Yield matching 1-d blocks of the gradient and of the arrays that are written, in their dtype of
    computation.

    Contiguous arrays are sliced. Any other layout, and 16-bit dtypes, go through buffers that `numpy.nditer`
    fills and writes back.
    """
    first = written[0]
    arrays = (grad, *written)
    if not is_half(first.dtype) and all(a.flags.c_contiguous and a.dtype == first.dtype for a in arrays):
        flat = [array.reshape(-1) for array in arrays]
        if first.size <= _BLOCK:
            yield tuple(flat)
            return
        for start in range(0, first.size, _BLOCK):
            yield tuple(array[start : start + _BLOCK] for array in flat)
        return
    access: list[list[Literal["readonly", "readwrite"]]] = [["readonly"]]
    access += [["readwrite"] for _ in written]
    iterator = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=access,
        op_dtypes=[wide_dtype(first.dtype)] * len(arrays),
        casting="unsafe",
        buffersize=_BLOCK,
    )
    with iterator:
        for block in iterator:
            yield tuple(block)


def _scratch(param: Array) -> tuple[Array, Array]:
    """Return two buffers of a block in the dtype of computation."""
    size = min(param.size, _BLOCK)
    dtype = wide_dtype(param.dtype)
    return np.empty(size, dtype), np.empty(size, dtype)


@np.errstate(all="ignore")
def sgd_step(
    param: Array,
    grad: Array,
    momentum_buffer: Array | None,
    *,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> Array | None:
    """Do one step of stochastic gradient descent in place, and return the momentum buffer.

    All arrays have one shape; ``momentum_buffer`` is written in place. Where it is None and there is
    momentum, a new one is returned, which starts as the gradient (not damped). Without momentum None is
    returned.
    """
    fresh = momentum != 0 and momentum_buffer is None
    if fresh:
        momentum_buffer = np.empty_like(param)
    written = [param] if momentum == 0 or momentum_buffer is None else [param, momentum_buffer]
    dtype = wide_dtype(param.dtype)
    rate = np.array(-float(lr), dtype)
    decay, keep, add = (np.array(x, dtype) for x in (weight_decay, momentum, 1 - dampening))
    whole, _ = _scratch(param)
    for g, p, *buffers in _blocks(written, grad):
        scratch = whole[: p.size]
        if maximize:
            g = np.negative(g, out=scratch)
        if weight_decay:
            g = g + p * decay
        for buffer in buffers:
            if fresh:
                buffer[...] = g
            else:
                buffer *= keep
                buffer += g if dampening == 0 else g * add
            g = g + buffer * keep if nesterov else buffer
        p += np.multiply(g, rate, out=scratch)
    return momentum_buffer if momentum else None


@dataclass(frozen=True, slots=True)
class _Adam:
    """The numbers of one Adam step, rounded to the dtype in which it computes."""

    first: Array
    """1 - beta1."""
    first_kept: Array
    second: Array
    """1 - beta2."""
    second_kept: Array
    eps: Array
    """eps c, with c = sqrt(1 - beta2 ** step)."""
    rate: Array
    """-lr c / (1 - beta1 ** step)."""
    decay: Array
    """The weight decay that joins the gradient, or the factor of the parameter where it is decoupled."""


@np.errstate(all="ignore")
def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    *,
    lr: float,
    step: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """Do one step of Adam in place, or of AdamW where ``decoupled``.

    ``step`` counts from 1. All arrays have one shape; all but ``grad`` are written. ``max_exp_avg_sq`` is
    given for the AMSGrad variant. With m and v the two running means, param -= lr / (1 - beta1^step) m /
    (sqrt(v) / sqrt(1 - beta2^step) + eps): eps stands outside the root. Numerator and denominator are both
    multiplied by the last root, which saves a division.
    """
    lr, step = float(lr), float(step)
    correction = (1 - beta2**step) ** 0.5
    numbers = (
        1 - beta1,
        beta1,
        1 - beta2,
        beta2,
        eps * correction,
        -lr * correction / (1 - beta1**step),
        1 - lr * weight_decay if decoupled else weight_decay,
    )
    dtype = wide_dtype(param.dtype)
    adam = _Adam(*(np.array(number, dtype) for number in numbers))
    written = [param, exp_avg, exp_avg_sq]
    if max_exp_avg_sq is not None:
        written.append(max_exp_avg_sq)
    whole, other = _scratch(param)
    for g, p, *state in _blocks(written, grad):
        scratch, denominator = whole[: p.size], other[: p.size]
        if maximize:
            g = np.negative(g, out=scratch)
        if weight_decay and decoupled:
            p *= adam.decay
        elif weight_decay:
            np.multiply(p, adam.decay, out=denominator)
            g = np.add(g, denominator, out=scratch)
        _adam_block(p, g, state, scratch, denominator, adam)


def _adam_block(
    param: Array, grad: Array, state: Sequence[Array], scratch: Array, denominator: Array, adam: _Adam
) -> None:
    """Update one block; ``grad`` may live in ``scratch``, which is free once the means have it."""
    mean, square = state[0], state[1]
    np.subtract(grad, mean, out=denominator)
    if adam.first < 0.5:
        denominator *= adam.first
        mean += denominator
    else:
        # The form of linear interpolation that is exact where the weight is 1.
        denominator *= adam.first_kept
        np.subtract(grad, denominator, out=mean)
    square *= adam.second_kept
    np.multiply(grad, adam.second, out=denominator)
    denominator *= grad
    square += denominator
    if len(state) == 3:
        square = np.maximum(state[2], square, out=state[2])
    np.sqrt(square, out=denominator)
    denominator += adam.eps
    np.multiply(mean, adam.rate, out=scratch)
    scratch /= denominator
    param += scratch
