"""Activations: element by element, each with PyTorch's ``inplace`` where PyTorch has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def finish(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """Return the result, or with ``inplace`` the input with the result written into it, part of the graph."""
    return input.copy_(result) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return max(x, 0); the gradient at 0 is 0.

    >>> import dovetail
    >>> dovetail.nn.functional.relu(dovetail.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return finish(input, ops.relu(input), inplace)


def relu_(input: Tensor) -> Tensor:
    """Write max(x, 0) into the tensor."""
    return relu(input, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """Return min(max(x, 0), 6)."""
    return finish(input, ops.relu6(input), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """Return x where it is positive, negative_slope * x elsewhere."""
    return finish(input, ops.leaky_relu(input, negative_slope=negative_slope), inplace)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Write leaky_relu of the tensor into it."""
    return leaky_relu(input, negative_slope, inplace=True)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Return x where it is positive, weight * x elsewhere; one weight, or one per channel (dimension 1)."""
    return ops.prelu(input, weight)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """Return leaky_relu with a slope drawn for every element in training, with the mean slope otherwise.

    Source: Xu et al. 2015, arXiv:1505.00853.
    """
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    with no_grad():
        slope = ops.empty_like(input).uniform_(lower, upper)
    return finish(input, ops.where(input >= 0, input, input * slope), inplace)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """Write rrelu of the tensor into it."""
    return rrelu(input, lower, upper, training, inplace=True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x where it is positive, alpha * (exp(x) - 1) elsewhere (arXiv:1511.07289)."""
    return finish(input, ops.elu(input, alpha=alpha), inplace)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write elu of the tensor into it."""
    return elu(input, alpha, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return max(x, 0) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017, arXiv:1704.07483)."""
    return finish(input, ops.celu(input, alpha=alpha), inplace)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Write celu of the tensor into it."""
    return celu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return scale * elu(x, alpha) with the self-normalising constants (arXiv:1706.02515)."""
    return finish(input, ops.selu(input), inplace)


def selu_(input: Tensor) -> Tensor:
    """Write selu of the tensor into it."""
    return selu(input, inplace=True)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return x times the normal distribution function of x; "tanh" approximates it (arXiv:1606.08415)."""
    return ops.gelu(input, approximate=approximate)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * sigmoid(x)."""
    return finish(input, ops.silu(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * tanh(softplus(x)) (Misra 2019, arXiv:1908.08681)."""
    return finish(input, ops.mish(input), inplace)


def sigmoid(input: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-x))."""
    return ops.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """Return the hyperbolic tangent."""
    return ops.tanh(input)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """Return x limited to [min_val, max_val]; the gradient at both edges is 0.

    Raises:
        ArgumentError: min_val is greater than max_val.
    """
    if min_val > max_val:
        raise ArgumentError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    return finish(input, ops.hardtanh(input, min_val=min_val, max_val=max_val), inplace)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Write hardtanh of the tensor into it."""
    return hardtanh(input, min_val, max_val, inplace=True)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """Return (x + 3) / 6 limited to [0, 1]."""
    return finish(input, ops.hardsigmoid(input), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return x * hardsigmoid(x) (Howard et al. 2019, arXiv:1905.02244)."""
    return finish(input, ops.hardswish(input), inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + exp(beta * x)) / beta, and x itself where beta * x is above the threshold."""
    return ops.softplus(input, beta=beta, threshold=threshold)


def softsign(input: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """Return x - tanh(x)."""
    return input - input.tanh()


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x where |x| is above lambd, 0 elsewhere."""
    return ops.hardshrink(input, lambd=lambd)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Return x moved towards 0 by lambd, and 0 where it would pass it."""
    return ops.softshrink(input, lambd=lambd)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """Return x where it is above the threshold, ``value`` elsewhere."""
    return finish(input, ops.threshold(input, threshold=threshold, value=value), inplace)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """Write threshold of the tensor into it."""
    return finish(input, ops.threshold(input, threshold=threshold, value=value), inplace=True)


def logsigmoid(input: Tensor) -> Tensor:
    """Return log(sigmoid(x)), without overflow."""
    return ops.logsigmoid(input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return a * sigmoid(b) for the two halves a, b of the tensor along ``dim``.

    Raises:
        DovetailError: the size of ``dim`` is odd.
    """
    return ops.glu(input, dim=dim)
