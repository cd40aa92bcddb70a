"""Steps of NAdam, RAdam and Adamax that write parameters and state in place, block by block.

Formulas: T. Dozat, Incorporating Nesterov Momentum into Adam (2016); L. Liu et al., arXiv:1908.03265; D. Kingma and
J. Ba, arXiv:1412.6980, section 7.1; with the order of operations in the documentation of ``torch.optim``.
"""

from __future__ import annotations

import numpy as np

from dovetail_numpy.precision import Array
from dovetail_numpy.step_blocks import Average, ascent, blocks, rounded


@np.errstate(all="ignore")
def nadam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    mu_product: Array,
    *,
    lr: float,
    step: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    momentum_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """Do one step of Adam with Nesterov momentum in place; ``step`` counts from 1.

    ``mu_product`` is 0-d, in a dtype of its own: the product of the momenta so far, rounded at each step.
    """
    mu = beta1 * (1 - 0.5 * 0.96 ** (step * momentum_decay))
    after = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * momentum_decay))
    mu_product *= mu_product.dtype.type(mu)
    product = float(mu_product)
    now, ahead, least, correction, pull, shrink = rounded(
        param,
        -lr * (1 - mu) / (1 - product),
        -lr * after / (1 - product * after),
        eps,
        1 - beta2**step,
        weight_decay,
        1 - lr * weight_decay,
    )
    first, second = Average(param, beta1), Average(param, beta2)
    decay = pull if weight_decay and not decoupled else None
    for (g, p, mean, square), (held, free, root) in blocks(grad, param, exp_avg, exp_avg_sq):
        if weight_decay and decoupled:
            p *= shrink
        g = ascent(g, p, decay, maximize, held, free)
        first.move(mean, g, free)
        second.move_square(square, g, free)
        np.divide(square, correction, out=root)
        np.sqrt(root, out=root)
        root += least
        np.multiply(g, now, out=held)
        held /= root
        p += held
        np.multiply(mean, ahead, out=held)
        held /= root
        p += held


@np.errstate(all="ignore")
def radam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
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
    """Do one step of rectified Adam in place; ``step`` counts from 1.

    While the length of the averaged square is at most 5 its variance is unknown and the step is momentum's alone.
    """
    power = beta2**step
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * step * power / (1 - power)
    rectified = length > 5
    size = -lr / (1 - beta1**step)
    if rectified:
        inside = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        size *= (inside * (1 - power)) ** 0.5
    rate, least, pull, shrink = rounded(param, size, eps, weight_decay, 1 - lr * weight_decay)
    first, second = Average(param, beta1), Average(param, beta2)
    decay = pull if weight_decay and not decoupled else None
    for (g, p, mean, square), (held, free, _) in blocks(grad, param, exp_avg, exp_avg_sq):
        if weight_decay and decoupled:
            p *= shrink
        g = ascent(g, p, decay, maximize, held, free)
        first.move(mean, g, free)
        second.move_square(square, g, free)
        np.multiply(mean, rate, out=held)
        if rectified:
            np.sqrt(square, out=free)
            free += least
            held /= free
        p += held


@np.errstate(all="ignore")
def adamax_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_inf: Array,
    *,
    lr: float,
    step: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of Adamax in place; ``step`` counts from 1, eps stands inside the maximum."""
    size, kept, least, pull = rounded(param, -lr / (1 - beta1**step), beta2, eps, weight_decay)
    first = Average(param, beta1)
    decay = pull if weight_decay else None
    for (g, p, mean, norm), (held, free, _) in blocks(grad, param, exp_avg, exp_inf):
        g = ascent(g, p, decay, maximize, held, free)
        first.move(mean, g, free)
        np.absolute(g, out=free)
        free += least
        norm *= kept
        np.maximum(norm, free, out=norm)
        np.multiply(mean, size, out=held)
        held /= norm
        p += held
