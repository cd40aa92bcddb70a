"""Optimizer steps as ops: functional here, updated in place by kernels that can.

Learning rate and step count are inputs, never parameters of a plan, so that a captured step reads them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.ops.definition import op
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_NO_GRADIENT = "a step ends a graph: its result is the next step's leaf"
_W = Arg((2, 3))
_POSITIVE = Arg((2, 3), low=0.1, high=2)
_RATE = Arg((), dtype="float64", values=0.1)
_STEP = Arg((), dtype="float32", values=3.0)


def _as_param(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """State and gradient in the parameter's dtype; the 0-d rate and step as they are."""
    first = inputs[0]
    assert first is not None, "a step has a parameter"
    numbers = 2 if "beta1" in statics else 1
    tensors = len(inputs) - numbers
    return Dtypes([None if s is None or i >= tensors else first.dtype for i, s in enumerate(inputs)], [first.dtype])


@op(
    shape=lambda param, grad, momentum_buffer, lr, **statics: [param.shape] * (1 if momentum_buffer is None else 2),
    dtype=_as_param,
    outputs=("out", "buffer"),
    updates=(0, 2),
    internal=True,
    nondifferentiable=_NO_GRADIENT,
    samples=calls(
        call(_W, _W, None, _RATE, 0.0, 0.0, 0.1, False, False),
        call(_W, _W, _W, _RATE, 0.9, 0.0, 0.0, True, False),
        call(_W, _W, _W, _RATE, 0.9, 0.1, 0.1, False, True),
    ),
    agree=Agree.running(),
)
def sgd_step(
    param: Tensor,
    grad: Tensor,
    momentum_buffer: Tensor | None,
    lr: Tensor,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> Any:
    """One step of stochastic gradient descent: the new parameter, and the new momentum buffer if there is one.

    Sutskever et al. 2013, in PyTorch's form: the learning rate multiplies the velocity when it is applied.
    """
    g = -grad if maximize else grad
    if weight_decay:
        g = g + param * weight_decay
    if momentum_buffer is None:
        return param - g * lr
    buffer = momentum_buffer * momentum + g * (1 - dampening)
    g = g + buffer * momentum if nesterov else buffer
    return param - g * lr, buffer


@op(
    shape=lambda param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, lr, step, **statics: (
        [param.shape] * (3 if max_exp_avg_sq is None else 4)
    ),
    dtype=_as_param,
    outputs=("out", "mean", "square", "largest"),
    updates=(0, 2, 3, 4),
    internal=True,
    nondifferentiable=_NO_GRADIENT,
    samples=calls(
        call(_W, _W, _W, _POSITIVE, None, _RATE, _STEP, 0.9, 0.999, 1e-8, 0.0, False, False),
        call(_W, _W, _W, _POSITIVE, None, _RATE, _STEP, 0.9, 0.99, 1e-6, 0.1, True, True),
        call(_W, _W, _W, _POSITIVE, _POSITIVE, _RATE, _STEP, 0.9, 0.999, 1e-8, 0.1, False, False),
    ),
    agree=Agree.running(),
)
def adam_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    max_exp_avg_sq: Tensor | None,
    lr: Tensor,
    step: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> Any:
    """One step of Adam (Kingma and Ba 2015), or of AdamW where ``decoupled`` (Loshchilov and Hutter 2019).

    ``step`` counts from 1; ``max_exp_avg_sq`` makes it AMSGrad (Reddi et al. 2018). Returns the new parameter and
    moments. eps stands outside the root.
    """
    g = -grad if maximize else grad
    rate = lr.to(dtypes.float64)
    count = step.to(dtypes.float64)
    if weight_decay and decoupled:
        param = param * (1 - rate * weight_decay).to(param.dtype)
    elif weight_decay:
        g = g + param * weight_decay
    mean = exp_avg + (g - exp_avg) * (1 - beta1)
    square = exp_avg_sq * beta2 + g * g * (1 - beta2)
    largest = None if max_exp_avg_sq is None else max_exp_avg_sq.maximum(square)
    correction = (1 - beta2**count).sqrt()
    size = (-rate * correction / (1 - beta1**count)).to(param.dtype)
    root = (square if largest is None else largest).sqrt()
    result = param + mean * size / (root + (correction * eps).to(param.dtype))
    return (result, mean, square) if largest is None else (result, mean, square, largest)
