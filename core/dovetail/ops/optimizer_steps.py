"""Optimizer steps as ops: functional here, updated in place by kernels that can. This file: those that follow a slope.

A step is ``step(param, grad, *state, numbers, *flags)``: it returns the new parameter and the new state, in the order
in which ``updates`` numbers them. ``numbers`` is a 1-d float64 tensor of everything that a schedule may change, the
learning rate first; being an input and never a parameter of a plan, it costs no new plan and no new program when it
changes. Step counts and other running numbers of the state are 0-d tensors with a dtype of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dovetail import dtypes
from dovetail.ops.comparison import where
from dovetail.ops.definition import op
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

NO_GRADIENT = "a step ends a graph: its result is the next step's leaf"
W = Arg((2, 3))
POSITIVE = Arg((2, 3), low=0.1, high=2)
COUNT = Arg((), dtype="float32", values=2.0)


def numbers_of(*values: float) -> Arg:
    """The numbers of a sample call."""
    return Arg((len(values),), dtype="float64", values=list(values))


@dataclass(frozen=True)
class Renewal:
    """Shape and dtype rule of a step: each result is the new value of an input.

    ``updates`` are the positions of these inputs (absent ones have no result), ``counters`` those of running numbers.
    The last input is the numbers; all others come in the parameter's dtype.
    """

    updates: tuple[int, ...]
    counters: tuple[int, ...] = ()

    def shape(self, *inputs: Any, **statics: Any) -> list[tuple[int, ...]]:
        """The shapes of the inputs that are present."""
        return [tuple(inputs[i].shape) for i in self.updates if inputs[i] is not None]

    def dtype(self, inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        """The parameter's dtype for all but running numbers."""
        param = inputs[0]
        assert param is not None, "a step has a parameter"
        own = {*self.counters, len(inputs) - 1}
        casts = [None if s is None or i in own else param.dtype for i, s in enumerate(inputs)]
        present = ((i, s) for i in self.updates if (s := inputs[i]) is not None)
        return Dtypes(casts, [s.dtype if i in own else param.dtype for i, s in present])


def wide(*tensors: Tensor) -> list[Tensor]:
    """16-bit tensors in float32, all others as they are."""
    return [t.to(dtypes.float32) if t.dtype.itemsize == 2 else t for t in tensors]


def rounded(kind: dtypes.dtype, *tensors: Tensor) -> list[Tensor]:
    """Results in the dtype of the parameter: rounded once where it has 16 bits."""
    return [t.to(kind) for t in tensors]


def ascent(grad: Tensor, param: Tensor, decay: Tensor | None, maximize: bool) -> Tensor:
    """The gradient with the sign of the search, and weight decay joined to it."""
    g = -grad if maximize else grad
    return g if decay is None else g + param * decay.to(param.dtype)


# ------------------------------------------------------------------------------------------ gradient descent

_SGD = Renewal(updates=(0, 2))


@op(
    shape=_SGD.shape,
    dtype=_SGD.dtype,
    outputs=("out", "buffer"),
    updates=_SGD.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, None, numbers_of(0.1, 0.0, 0.0, 0.1), False, True, False),
        call(W, W, W, numbers_of(0.1, 0.9, 0.0, 0.0), True, False, False),
        call(W, W, W, numbers_of(0.1, 0.9, 0.1, 0.1), False, True, True),
    ),
    agree=Agree.running(),
)
def sgd_step(
    param: Tensor,
    grad: Tensor,
    momentum_buffer: Tensor | None,
    numbers: Tensor,
    nesterov: bool,
    decayed: bool,
    maximize: bool,
) -> Any:
    """One step of stochastic gradient descent; numbers: learning rate, momentum, dampening, weight decay.

    Sutskever et al. 2013, in PyTorch's form: the learning rate multiplies the velocity when it is applied.
    """
    kind = param.dtype
    lr, momentum, dampening, decay = numbers.unbind()
    param, grad = wide(param, grad)
    g = ascent(grad, param, decay if decayed else None, maximize)
    rate = lr.to(param.dtype)
    if momentum_buffer is None:
        return rounded(kind, param - g * rate)[0]
    (buffer,) = wide(momentum_buffer)
    kept = momentum.to(param.dtype)
    buffer = buffer * kept + g * (1 - dampening).to(param.dtype)
    g = g + buffer * kept if nesterov else buffer
    return tuple(rounded(kind, param - g * rate, buffer))


_ASGD = Renewal(updates=(0, 2, 3, 4, 5), counters=(3, 4, 5))
_ETA, _ONE, _HALF = (Arg((), dtype="float32", values=value) for value in (0.1, 1.0, 0.5))


@op(
    shape=_ASGD.shape,
    dtype=_ASGD.dtype,
    outputs=("out", "average", "rate", "weight", "count"),
    updates=_ASGD.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, _ETA, _ONE, COUNT, numbers_of(0.1, 1e-4, 0.75, 1e6, 0.0), False, False),
        call(W, W, W, _ETA, _HALF, COUNT, numbers_of(0.1, 1e-2, 0.75, 1.0, 0.1), True, True),
    ),
    agree=Agree.running(),
)
def asgd_step(
    param: Tensor,
    grad: Tensor,
    ax: Tensor,
    eta: Tensor,
    mu: Tensor,
    step: Tensor,
    numbers: Tensor,
    decayed: bool,
    maximize: bool,
) -> Any:
    """One step of averaged gradient descent; numbers: learning rate, lambda, alpha, t0, weight decay.

    Polyak and Juditsky 1992, with the schedule of Bottou's SGD: eta = lr / (1 + lambda lr t)^alpha, and the average's
    weight is mu = 1 / max(1, t - t0).
    """
    kind = param.dtype
    lr, lambd, alpha, t0, decay = numbers.unbind()
    param, grad, ax = wide(param, grad, ax)
    g = ascent(grad, param, decay if decayed else None, maximize)
    rate = eta.to(dtypes.float64)
    param = param * (1 - lambd * rate).to(param.dtype) - g * rate.to(param.dtype)
    ax = where(mu == 1, param, ax + (param - ax) * mu.to(param.dtype))
    step = step + 1
    count = step.to(dtypes.float64)
    rate = (lr / (1 + lambd * lr * count) ** alpha).to(eta.dtype)
    weight = (1 / (count - t0).clamp(min=1)).to(mu.dtype)
    return (*rounded(kind, param, ax), rate, weight, step)


_RPROP = Renewal(updates=(0, 2, 3, 4), counters=(4,))


@op(
    shape=_RPROP.shape,
    dtype=_RPROP.dtype,
    outputs=("out", "last", "size", "count"),
    updates=_RPROP.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, POSITIVE, COUNT, numbers_of(0.1, 0.5, 1.2, 1e-6, 50.0), False),
        call(W, W, W, POSITIVE, COUNT, numbers_of(0.1, 0.5, 1.2, 0.5, 1.0), True),
    ),
    agree=Agree.running(),
)
def rprop_step(
    param: Tensor, grad: Tensor, prev: Tensor, step_size: Tensor, step: Tensor, numbers: Tensor, maximize: bool
) -> Any:
    """One step of resilient backpropagation; numbers: learning rate (unused), eta-, eta+, smallest and largest size.

    Riedmiller and Braun 1993: each element's step grows while its gradient keeps its sign and shrinks when it turns;
    an element that has turned waits for one step.
    """
    kind = param.dtype
    param, grad, prev, step_size = wide(param, grad, prev, step_size)
    _, shrink, grow, smallest, largest = (n.to(param.dtype) for n in numbers.unbind())
    g = -grad if maximize else grad
    product = g * prev
    factor = where(product > 0, grow, where(product < 0, shrink, product.new_ones(())))
    factor = where(product.isnan(), product, factor)
    size = (step_size * factor).maximum(smallest).minimum(largest)
    g = where(product < 0, g.new_zeros(()), g)
    return (*rounded(kind, param - g.sign() * size, g, size), step + 1)
