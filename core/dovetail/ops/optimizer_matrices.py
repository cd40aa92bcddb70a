"""Steps that see a parameter as a matrix, as ops: Adafactor's factored variance and Muon's orthogonal update."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes
from dovetail.ops.definition import op
from dovetail.ops.optimizer_steps import COUNT, NO_GRADIENT, POSITIVE, Renewal, W, numbers_of, rounded, wide
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.tensor import Tensor

_ADAFACTOR = Renewal(updates=(0, 2, 3, 4, 5), counters=(5,))
_ROWS, _COLUMNS = Arg((2, 1), low=0.1, high=2), Arg((1, 3), low=0.1, high=2)


@op(
    shape=_ADAFACTOR.shape,
    dtype=_ADAFACTOR.dtype,
    outputs=("out", "rows", "columns", "each", "count"),
    updates=_ADAFACTOR.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, _ROWS, _COLUMNS, None, COUNT, numbers_of(0.01, -0.8, 1e-7, 1e-3, 1.0, 0.0), False),
        call(W, W, None, None, POSITIVE, COUNT, numbers_of(0.1, -0.8, 1e-7, 1e-3, 1.5, 0.1), True),
    ),
    agree=Agree.running(),
)
def adafactor_step(
    param: Tensor,
    grad: Tensor,
    row_var: Tensor | None,
    col_var: Tensor | None,
    variance: Tensor | None,
    step: Tensor,
    numbers: Tensor,
    maximize: bool,
) -> Any:
    """One step of Adafactor (Shazeer and Stern 2018); numbers: learning rate, beta2 decay, eps1, eps2, d, weight decay.

    A matrix's variance is the outer product of its means over rows and over columns (of the last two dimensions);
    a vector has ``variance`` in full. The step is relative to the parameter's size and clipped at d in its root mean
    square.
    """
    kind = param.dtype
    lr, slowing, eps1, eps2, clip, decay = numbers.unbind()
    param, grad = wide(param, grad)
    own, count = param.dtype, (step + 1).to(dtypes.float64)
    g = -grad if maximize else grad
    weight = (count**slowing).to(own)
    relative = _size(param).to(dtypes.float64).maximum(eps2) * lr.minimum(1 / count.sqrt())
    param = param * (1 - lr * decay).to(own)
    squares = g * g
    if variance is not None:
        (each,) = wide(variance)
        each = each + (squares - each) * weight
        results, estimate = [each], each
    else:
        assert row_var is not None, "a matrix has both factors"
        assert col_var is not None, "a matrix has both factors"
        rows, columns = wide(row_var, col_var)
        rows = rows + (squares.mean(-1, keepdim=True) - rows) * weight
        columns = columns + (squares.mean(-2, keepdim=True) - columns) * weight
        results = [rows, columns]
        estimate = rows * columns / rows.mean(-2, keepdim=True).maximum(eps1.to(own))
    change = g * estimate.maximum((eps1 * eps1).to(own)).rsqrt()
    excess = (_size(change).to(dtypes.float64) / clip).clamp(min=1)
    param = param - change * (relative / excess).to(own)
    return (*rounded(kind, param, *results), step + 1)


def _size(x: Tensor) -> Tensor:
    """The root mean square of all elements; 0 where there are none."""
    return ((x * x).sum() / max(x.numel(), 1)).sqrt()


_MUON = Renewal(updates=(0, 2))


@op(
    shape=_MUON.shape,
    dtype=_MUON.dtype,
    outputs=("out", "buffer"),
    updates=_MUON.updates,
    internal=True,
    nondifferentiable=NO_GRADIENT,
    samples=calls(
        call(W, W, W, numbers_of(0.1, 0.1, 0.95, 1e-7, 3.4445, -4.775, 2.0315), True, 0, 1.0),
        call(W, W, W, numbers_of(0.1, 0.0, 0.9, 1e-7, 2.0, -1.5, 0.5), False, 1, 0.5),
    ),
    agree=Agree.running(),
)
def muon_step(
    param: Tensor,
    grad: Tensor,
    momentum_buffer: Tensor,
    numbers: Tensor,
    nesterov: bool,
    iterations: int,
    ratio: float,
) -> Any:
    """One step of Muon (Jordan et al. 2024); numbers: learning rate, weight decay, momentum, eps, coefficients a, b, c.

    The momentum is replaced by the nearest orthogonal matrix, nearly: X <- a X + (b A + c A^2) X with A = X X^T, a few
    times, in bfloat16. ``ratio`` multiplies the learning rate of this update but not of the decoupled weight decay.
    """
    kind = param.dtype
    lr, decay, momentum, eps, a, b, c = numbers.unbind()
    param, grad, buffer = wide(param, grad, momentum_buffer)
    own = param.dtype
    buffer = buffer + (grad - buffer) * (1 - momentum).to(own)
    change = grad + (buffer - grad) * momentum.to(own) if nesterov else buffer
    change = _orthogonal(change, eps, (a, b, c), iterations).to(own)
    param = param * (1 - lr * decay).to(own) - change * (lr * ratio).to(own)
    return tuple(rounded(kind, param, buffer))


def _orthogonal(x: Tensor, eps: Tensor, coefficients: tuple[Tensor, Tensor, Tensor], iterations: int) -> Tensor:
    """Newton-Schulz iterations; each product is summed in float32 and rounded to bfloat16, as a matrix unit does."""
    tall = x.shape[0] > x.shape[1]
    x = _coarse(x.mT if tall else x)
    a, b, c = (n.to(dtypes.float32) for n in coefficients)
    length = _coarse((x * x).sum().sqrt()).maximum(eps.to(dtypes.float32))
    x = _coarse(x / length)
    for _ in range(iterations):
        gram = _coarse(x @ x.mT)
        mixed = _coarse(gram * b + (gram @ gram) * c)
        x = _coarse(x * a + mixed @ x)
    return x.mT if tall else x


def _coarse(x: Tensor) -> Tensor:
    """Rounded to bfloat16, computed on in float32."""
    return x.to(dtypes.bfloat16).to(dtypes.float32)
