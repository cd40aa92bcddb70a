"""Steps of Adam and its kin as ops: running means of the gradient, scaled by its running size."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.ops.comparison import where
from dovetail.ops.definition import op
from dovetail.ops.optimizer_steps import COUNT, NO_GRADIENT, POSITIVE, Renewal, W, ascent, numbers_of, rounded, wide
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.tensor import Tensor

_ADAM = Renewal(updates=(0, 2, 3, 4, 5), counters=(5,))


def _shrunk(param: Tensor, lr: Tensor, decay: Tensor) -> Tensor:
    """The parameter after decoupled weight decay (Loshchilov and Hutter 2019)."""
    return param * (1 - lr * decay).to(param.dtype)


def _means(g: Tensor, mean: Tensor, square: Tensor, beta1: Tensor, beta2: Tensor) -> tuple[Tensor, Tensor]:
    """The running means of the gradient and of its square."""
    kind = g.dtype
    mean = mean + (g - mean) * (1 - beta1).to(kind)
    return mean, square * beta2.to(kind) + g * g * (1 - beta2).to(kind)


@op(
    shape=_ADAM.shape,
    dtype=_ADAM.dtype,
    outputs=("out", "mean", "square", "largest", "count"),
    updates=_ADAM.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, POSITIVE, None, COUNT, numbers_of(0.1, 0.9, 0.999, 0.01, 0.0), False, False, False),
        call(W, W, W, POSITIVE, None, COUNT, numbers_of(0.1, 0.9, 0.99, 1e-6, 0.1), True, True, True),
        call(W, W, W, POSITIVE, POSITIVE, COUNT, numbers_of(0.1, 0.9, 0.999, 1e-8, 0.1), True, False, False),
    ),
    agree=Agree.running(),
)
def adam_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    max_exp_avg_sq: Tensor | None,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """One step of Adam (Kingma and Ba 2015); numbers: learning rate, beta1, beta2, eps, weight decay.

    ``step`` is the count of steps before this one. ``max_exp_avg_sq`` makes it AMSGrad (Reddi et al. 2018),
    ``decoupled`` AdamW (Loshchilov and Hutter 2019). eps stands outside the root.
    """
    kind = param.dtype
    lr, beta1, beta2, eps, decay = numbers.unbind()
    param, grad, mean, square = wide(param, grad, exp_avg, exp_avg_sq)
    if decayed and decoupled:
        param = _shrunk(param, lr, decay)
    g = ascent(grad, param, decay if decayed and not decoupled else None, maximize)
    mean, square = _means(g, mean, square, beta1, beta2)
    largest = [] if max_exp_avg_sq is None else [wide(max_exp_avg_sq)[0].maximum(square)]
    step = step + 1
    count = step.to(dtypes.float64)
    correction = (1 - beta2**count).sqrt()
    size = (-lr * correction / (1 - beta1**count)).to(param.dtype)
    root = (largest[0] if largest else square).sqrt()
    param = param + mean * size / (root + (correction * eps).to(param.dtype))
    return (*rounded(kind, param, mean, square, *largest), step)


_NADAM = Renewal(updates=(0, 2, 3, 4, 5), counters=(4, 5))
_PRODUCT = Arg((), dtype="float32", values=0.25)


@op(
    shape=_NADAM.shape,
    dtype=_NADAM.dtype,
    outputs=("out", "mean", "square", "product", "count"),
    updates=_NADAM.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, POSITIVE, _PRODUCT, COUNT, numbers_of(0.1, 0.9, 0.999, 1e-8, 0.0, 4e-3), False, False, False),
        call(W, W, W, POSITIVE, _PRODUCT, COUNT, numbers_of(0.1, 0.9, 0.99, 1e-6, 0.1, 0.1), True, False, True),
        call(W, W, W, POSITIVE, _PRODUCT, COUNT, numbers_of(0.1, 0.9, 0.99, 1e-6, 0.1, 4e-3), True, True, False),
    ),
    agree=Agree.running(),
)
def nadam_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    mu_product: Tensor,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """One step of Adam with Nesterov momentum (Dozat 2016).

    Numbers: learning rate, beta1, beta2, eps, weight decay, momentum decay. ``mu_product`` is the product of the
    momenta so far, mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2).
    """
    kind = param.dtype
    lr, beta1, beta2, eps, decay, slowing = numbers.unbind()
    param, grad, mean, square = wide(param, grad, exp_avg, exp_avg_sq)
    if decayed and decoupled:
        param = _shrunk(param, lr, decay)
    g = ascent(grad, param, decay if decayed and not decoupled else None, maximize)
    step = step + 1
    count = step.to(dtypes.float64)
    mu = beta1 * (1 - 0.5 * 0.96 ** (count * slowing))
    after = beta1 * (1 - 0.5 * 0.96 ** ((count + 1) * slowing))
    mu_product = mu_product * mu.to(mu_product.dtype)
    product = mu_product.to(dtypes.float64)
    mean, square = _means(g, mean, square, beta1, beta2)
    root = (square / (1 - beta2**count).to(square.dtype)).sqrt() + eps.to(square.dtype)
    now = (-lr * (1 - mu) / (1 - product)).to(param.dtype)
    ahead = (-lr * after / (1 - product * after)).to(param.dtype)
    param = param + g * now / root + mean * ahead / root
    return (*rounded(kind, param, mean, square), mu_product, step)


_RADAM = Renewal(updates=(0, 2, 3, 4), counters=(4,))
_LATE = Arg((), dtype="float32", values=9.0)


@op(
    shape=_RADAM.shape,
    dtype=_RADAM.dtype,
    outputs=("out", "mean", "square", "count"),
    updates=_RADAM.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, POSITIVE, COUNT, numbers_of(0.1, 0.9, 0.999, 1e-8, 0.0), False, False, False),
        call(W, W, W, POSITIVE, _LATE, numbers_of(0.1, 0.9, 0.99, 1e-6, 0.1), True, False, True),
        call(W, W, W, POSITIVE, _LATE, numbers_of(0.1, 0.9, 0.999, 1e-6, 0.1), True, True, False),
    ),
    agree=Agree.running(),
)
def radam_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """One step of rectified Adam (Liu et al. 2020); numbers: learning rate, beta1, beta2, eps, weight decay.

    While the length of the averaged square is at most 5 its variance is unknown and the step is momentum's alone.
    """
    kind = param.dtype
    lr, beta1, beta2, eps, decay = numbers.unbind()
    param, grad, mean, square = wide(param, grad, exp_avg, exp_avg_sq)
    if decayed and decoupled:
        param = _shrunk(param, lr, decay)
    g = ascent(grad, param, decay if decayed and not decoupled else None, maximize)
    mean, square = _means(g, mean, square, beta1, beta2)
    step = step + 1
    count = step.to(dtypes.float64)
    power = beta2**count
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * count * power / (1 - power)
    rectified = length > 5
    inside = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    factor = (where(rectified, inside, inside.new_ones(())) * (1 - power)).sqrt().to(param.dtype)
    size = (lr / (1 - beta1**count)).to(param.dtype)
    adaptive = factor / (square.sqrt() + eps.to(param.dtype))
    param = param - mean * size * where(rectified, adaptive, adaptive.new_ones(()))
    return (*rounded(kind, param, mean, square), step)


_ADAMAX = Renewal(updates=(0, 2, 3, 4), counters=(4,))


@op(
    shape=_ADAMAX.shape,
    dtype=_ADAMAX.dtype,
    outputs=("out", "mean", "norm", "count"),
    updates=_ADAMAX.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, POSITIVE, COUNT, numbers_of(0.1, 0.9, 0.999, 1e-8, 0.0), False, False),
        call(W, W, W, POSITIVE, COUNT, numbers_of(0.1, 0.9, 0.5, 1e-6, 0.1), True, True),
    ),
    agree=Agree.running(),
)
def adamax_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_inf: Tensor,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    maximize: bool,
) -> Any:
    """One step of Adamax (Kingma and Ba 2015, section 7.1); numbers: learning rate, beta1, beta2, eps, weight decay.

    The size of the gradient is a running infinity norm, with eps inside the maximum.
    """
    kind = param.dtype
    lr, beta1, beta2, eps, decay = numbers.unbind()
    param, grad, mean, norm = wide(param, grad, exp_avg, exp_inf)
    g = ascent(grad, param, decay if decayed else None, maximize)
    mean = mean + (g - mean) * (1 - beta1).to(g.dtype)
    norm = (norm * beta2.to(g.dtype)).maximum(g.abs() + eps.to(g.dtype))
    step = step + 1
    size = (-lr / (1 - beta1 ** step.to(dtypes.float64))).to(param.dtype)
    return (*rounded(kind, param + mean * size / norm, mean, norm), step)
