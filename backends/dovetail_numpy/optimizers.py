"""Steps of SGD and Adam that write parameters and state in place, block by block.

These are the only kernels that change their arguments; whoever calls them owns the arrays. What changes from step
to step (the learning rate, the step count) is an argument of the call, never part of something cached.

Formulas and their order of operations: the algorithms in the documentation of ``torch.optim.SGD``, ``Adam``
and ``AdamW`` (D. Kingma and J. Ba, arXiv:1412.6980; I. Loshchilov and F. Hutter, arXiv:1711.05101). 16-bit
parameters and states are read as float32, and rounded once when they are written.
"""

from __future__ import annotations

import numpy as np

from dovetail_numpy.precision import Array
from dovetail_numpy.step_blocks import Average, ascent, blocks, rounded


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
) -> None:
    """Do one step of stochastic gradient descent in place.

    All arrays have one shape. Without a momentum buffer there is no momentum; a buffer of zeros and no dampening
    start one as the gradient.
    """
    rate, keep, add, pull = rounded(param, -lr, momentum, 1 - dampening, weight_decay)
    decay = pull if weight_decay else None
    if momentum_buffer is None:
        for (g, p), (held, free, _) in blocks(grad, param):
            g = ascent(g, p, decay, maximize, held, free)
            p += np.multiply(g, rate, out=held)
        return
    for (g, p, velocity), (held, free, _) in blocks(grad, param, momentum_buffer):
        g = ascent(g, p, decay, maximize, held, free)
        velocity *= keep
        velocity += g if dampening == 0 else np.multiply(g, add, out=free)
        if nesterov:
            np.multiply(velocity, keep, out=free)
            g = np.add(g, free, out=held)
        else:
            g = velocity
        p += np.multiply(g, rate, out=held)


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
    correction = (1 - beta2**step) ** 0.5
    size, least, pull, shrink = rounded(
        param, -lr * correction / (1 - beta1**step), eps * correction, weight_decay, 1 - lr * weight_decay
    )
    first, second = Average(param, beta1), Average(param, beta2)
    decay = pull if weight_decay and not decoupled else None
    state = [exp_avg, exp_avg_sq] if max_exp_avg_sq is None else [exp_avg, exp_avg_sq, max_exp_avg_sq]
    for (g, p, mean, square, *largest), (held, free, _) in blocks(grad, param, *state):
        if weight_decay and decoupled:
            p *= shrink
        g = ascent(g, p, decay, maximize, held, free)
        first.move(mean, g, free)
        second.move_square(square, g, free)
        if largest:
            square = np.maximum(largest[0], square, out=largest[0])
        np.sqrt(square, out=free)
        free += least
        np.multiply(mean, size, out=held)
        held /= free
        p += held
