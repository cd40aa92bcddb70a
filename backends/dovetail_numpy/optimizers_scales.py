"""Steps of Adagrad, Adadelta, RMSprop, Rprop and ASGD that write parameters and state in place, block by block.

Formulas: J. Duchi et al. (2011); M. Zeiler, arXiv:1212.5701; G. Hinton's lecture 6e (2012) and A. Graves,
arXiv:1308.0850; M. Riedmiller and H. Braun (1993); B. Polyak and A. Juditsky (1992); with the order of operations in
the documentation of ``torch.optim``.
"""

from __future__ import annotations

import numpy as np

from dovetail_numpy.precision import Array
from dovetail_numpy.step_blocks import Average, ascent, blocks, rounded


@np.errstate(all="ignore")
def adagrad_step(
    param: Array,
    grad: Array,
    total: Array,
    *,
    lr: float,
    step: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of Adagrad in place; ``step`` counts from 1."""
    rate, least, pull = rounded(param, -lr / (1 + (step - 1) * lr_decay), eps, weight_decay)
    decay = pull if weight_decay else None
    for (g, p, square), (held, free, _) in blocks(grad, param, total):
        g = ascent(g, p, decay, maximize, held, free)
        square += np.multiply(g, g, out=free)
        np.sqrt(square, out=free)
        free += least
        np.multiply(g, rate, out=held)
        held /= free
        p += held


@np.errstate(all="ignore")
def adadelta_step(
    param: Array,
    grad: Array,
    square_avg: Array,
    acc_delta: Array,
    *,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of Adadelta in place; eps stands inside the roots."""
    rate, least, pull = rounded(param, -lr, eps, weight_decay)
    average = Average(param, rho)
    decay = pull if weight_decay else None
    for (g, p, square, moved), (held, free, root) in blocks(grad, param, square_avg, acc_delta):
        g = ascent(g, p, decay, maximize, held, free)
        average.move_square(square, g, free)
        np.sqrt(np.add(square, least, out=root), out=root)
        np.sqrt(np.add(moved, least, out=free), out=free)
        free /= root
        np.multiply(free, g, out=held)
        average.move_square(moved, held, free)
        held *= rate
        p += held


@np.errstate(all="ignore")
def rmsprop_step(
    param: Array,
    grad: Array,
    square_avg: Array,
    grad_avg: Array | None,
    momentum_buffer: Array | None,
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """Do one step of RMSprop in place; ``grad_avg`` is given for the centred form. eps stands outside the root."""
    rate, least, pull, keep = rounded(param, -lr, eps, weight_decay, momentum)
    average = Average(param, alpha)
    decay = pull if weight_decay else None
    present = [a for a in (grad_avg, momentum_buffer) if a is not None]
    for (g, p, square, *rest), (held, free, root) in blocks(grad, param, square_avg, *present):
        g = ascent(g, p, decay, maximize, held, free)
        average.move_square(square, g, free)
        if grad_avg is not None:
            average.move(rest[0], g, free)
            np.multiply(rest[0], rest[0], out=free)
            np.sqrt(np.subtract(square, free, out=root), out=root)
        else:
            np.sqrt(square, out=root)
        root += least
        if momentum_buffer is None:
            np.multiply(g, rate, out=held)
            held /= root
        else:
            velocity = rest[-1]
            velocity *= keep
            velocity += np.divide(g, root, out=held)
            np.multiply(velocity, rate, out=held)
        p += held


@np.errstate(all="ignore")
def rprop_step(
    param: Array,
    grad: Array,
    prev: Array,
    step_size: Array,
    *,
    shrink: float,
    grow: float,
    smallest: float,
    largest: float,
    maximize: bool,
) -> None:
    """Do one step of resilient backpropagation in place; an element whose gradient has turned waits for a step."""
    less, more, one, low, high = rounded(param, shrink, grow, 1, smallest, largest)
    for (g, p, last, size), (factor, product, _) in blocks(grad, param, prev, step_size):
        np.multiply(g, last, out=product)
        if maximize:
            np.negative(product, out=product)
        np.negative(g, out=last) if maximize else np.copyto(last, g)
        turned = product < 0
        np.copyto(factor, one)
        np.copyto(factor, more, where=product > 0)
        np.copyto(factor, less, where=turned)
        np.copyto(factor, product, where=np.isnan(product))
        size *= factor
        np.clip(size, low, high, out=size)
        np.copyto(last, 0, where=turned)
        np.sign(last, out=factor)
        factor *= size
        p -= factor


@np.errstate(all="ignore")
def asgd_step(
    param: Array,
    grad: Array,
    ax: Array,
    *,
    eta: float,
    mu: float,
    lambd: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of averaged gradient descent in place: ``ax`` is the average, ``mu`` its weight of the new point."""
    rate, shrink, pull, weight = rounded(param, -eta, 1 - lambd * eta, weight_decay, mu)
    decay = pull if weight_decay else None
    for (g, p, average), (held, free, _) in blocks(grad, param, ax):
        g = ascent(g, p, decay, maximize, held, free)
        p *= shrink
        p += np.multiply(g, rate, out=held)
        if mu == 1:
            np.copyto(average, p)
        else:
            np.subtract(p, average, out=free)
            free *= weight
            average += free
