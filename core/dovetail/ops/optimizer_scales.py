"""Steps that divide each element of the gradient by its accumulated size, as ops: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.ops.definition import op
from dovetail.ops.optimizer_steps import COUNT, NO_GRADIENT, POSITIVE, Renewal, W, ascent, numbers_of, rounded, wide
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.tensor import Tensor

_ADAGRAD = Renewal(updates=(0, 2, 3), counters=(3,))


@op(
    shape=_ADAGRAD.shape,
    dtype=_ADAGRAD.dtype,
    outputs=("out", "total", "count"),
    updates=_ADAGRAD.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, POSITIVE, COUNT, numbers_of(0.1, 0.0, 1e-10, 0.0), False, False),
        call(W, W, POSITIVE, COUNT, numbers_of(0.1, 0.1, 1e-6, 0.1), True, True),
    ),
    agree=Agree.running(),
)
def adagrad_step(
    param: Tensor, grad: Tensor, sum: Tensor, step: Tensor, numbers: Tensor, decayed: bool, maximize: bool
) -> Any:
    """One step of Adagrad (Duchi et al. 2011); numbers: learning rate, its decay, eps, weight decay."""
    kind = param.dtype
    lr, slowing, eps, decay = numbers.unbind()
    param, grad, total = wide(param, grad, sum)
    g = ascent(grad, param, decay if decayed else None, maximize)
    total = total + g * g
    rate = (-lr / (1 + step.to(dtypes.float64) * slowing)).to(param.dtype)
    param = param + g * rate / (total.sqrt() + eps.to(param.dtype))
    return (*rounded(kind, param, total), step + 1)


_ADADELTA = Renewal(updates=(0, 2, 3, 4), counters=(4,))


@op(
    shape=_ADADELTA.shape,
    dtype=_ADADELTA.dtype,
    outputs=("out", "square", "moved", "count"),
    updates=_ADADELTA.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, POSITIVE, POSITIVE, COUNT, numbers_of(1.0, 0.9, 1e-6, 0.0), False, False),
        call(W, W, POSITIVE, POSITIVE, COUNT, numbers_of(0.5, 0.8, 1e-3, 0.1), True, True),
    ),
    agree=Agree.running(),
)
def adadelta_step(
    param: Tensor,
    grad: Tensor,
    square_avg: Tensor,
    acc_delta: Tensor,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    maximize: bool,
) -> Any:
    """One step of Adadelta (Zeiler 2012); numbers: learning rate, rho, eps (inside the roots), weight decay."""
    kind = param.dtype
    lr, rho, eps, decay = numbers.unbind()
    param, grad, square, moved = wide(param, grad, square_avg, acc_delta)
    g = ascent(grad, param, decay if decayed else None, maximize)
    kept, new, least = rho.to(g.dtype), (1 - rho).to(g.dtype), eps.to(g.dtype)
    square = square * kept + g * g * new
    delta = (moved + least).sqrt() / (square + least).sqrt() * g
    moved = moved * kept + delta * delta * new
    return (*rounded(kind, param - delta * lr.to(g.dtype), square, moved), step + 1)


_RMSPROP = Renewal(updates=(0, 2, 3, 4, 5), counters=(5,))
_SMALL = Arg((2, 3), low=-0.2, high=0.2)


@op(
    shape=_RMSPROP.shape,
    dtype=_RMSPROP.dtype,
    outputs=("out", "square", "mean", "buffer", "count"),
    updates=_RMSPROP.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, POSITIVE, None, None, COUNT, numbers_of(0.1, 0.99, 1e-8, 0.0, 0.0), False, False),
        call(W, W, POSITIVE, None, W, COUNT, numbers_of(0.1, 0.9, 1e-6, 0.1, 0.9), True, True),
        call(W, W, POSITIVE, _SMALL, W, COUNT, numbers_of(0.1, 0.9, 1e-6, 0.1, 0.9), True, False),
    ),
    agree=Agree.running(),
)
def rmsprop_step(
    param: Tensor,
    grad: Tensor,
    square_avg: Tensor,
    grad_avg: Tensor | None,
    momentum_buffer: Tensor | None,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    maximize: bool,
) -> Any:
    """One step of RMSprop (Hinton 2012); numbers: learning rate, alpha, eps, weight decay, momentum.

    ``grad_avg`` makes it the centred form (Graves 2013, arXiv:1308.0850), with eps outside the root.
    """
    kind = param.dtype
    lr, alpha, eps, decay, momentum = numbers.unbind()
    param, grad, square = wide(param, grad, square_avg)
    g = ascent(grad, param, decay if decayed else None, maximize)
    new, rate = (1 - alpha).to(g.dtype), lr.to(g.dtype)
    square = square * alpha.to(g.dtype) + g * g * new
    results, size = [square], square
    if grad_avg is not None:
        (mean,) = wide(grad_avg)
        mean = mean + (g - mean) * new
        results, size = [square, mean], square - mean * mean
    root = size.sqrt() + eps.to(g.dtype)
    if momentum_buffer is None:
        return (*rounded(kind, param - g * rate / root, *results), step + 1)
    (buffer,) = wide(momentum_buffer)
    buffer = buffer * momentum.to(g.dtype) + g / root
    return (*rounded(kind, param - buffer * rate, *results, buffer), step + 1)
