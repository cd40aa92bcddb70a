"""Checking gradients against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dovetail.autograd.backward import grad
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentError, AutogradError
from dovetail.tensor.tensor import Tensor

Matrix = np.ndarray[Any, Any]


class GradcheckError(AutogradError):
    """A gradient that does not agree with differences of the function."""


def _tensors(value: Any) -> list[Tensor]:
    values = value if isinstance(value, tuple | list) else (value,)
    return [v for v in values if isinstance(v, Tensor) and (v.is_floating_point())]


def _analytic(output: Tensor, sources: Sequence[Tensor]) -> list[Matrix]:
    """One row per element of the output: all basis directions, none left to chance."""
    found = [np.zeros((output.numel(), x.numel())) for x in sources]
    for i in range(output.numel()):
        direction = np.zeros(output.numel())
        direction[i] = 1.0
        weight = Tensor.make(Tensor, direction.reshape(output.shape), dtype=output.dtype, device=output.device)
        gradients = grad(output, sources, weight, retain_graph=True, allow_unused=True)
        for rows, g in zip(found, gradients, strict=True):
            if g is not None:
                rows[i] = host_values(g).astype(np.float64).reshape(-1)
    return found


def _value(func: Callable[..., Any], inputs: Sequence[Any], at: int, point: Matrix, number: int) -> Matrix:
    x = inputs[at]
    moved = list(inputs)
    moved[at] = Tensor.make(Tensor, point.reshape(x.shape), dtype=x.dtype, device=x.device)
    output = _tensors(func(*moved))[number]
    return host_values(output.detach()).astype(np.float64).reshape(-1)


def _numeric(func: Callable[..., Any], inputs: Sequence[Any], at: int, number: int, size: int, eps: float) -> Matrix:
    """Central differences at eps and eps / 2, extrapolated (Richardson): the error is of fourth order in eps."""
    base = host_values(inputs[at].detach()).astype(np.float64).reshape(-1)
    found = np.zeros((size, base.size))
    for k in range(base.size):
        estimates = []
        for step in (eps, eps / 2):
            up, down = base.copy(), base.copy()
            up[k] += step
            down[k] -= step
            width = up[k] - down[k]
            difference = _value(func, inputs, at, up, number) - _value(func, inputs, at, down, number)
            estimates.append(difference / width)
        found[:, k] = (4 * estimates[1] - estimates[0]) / 3
    return found


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-4,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    raise_exception: bool = True,
) -> bool:
    """Tell whether the gradients of a function agree with extrapolated central differences, in every direction.

    ``inputs`` are float64 tensors; those with ``requires_grad`` are checked. Elements must lie at least ``eps`` away
    from kinks.

    >>> import dovetail
    >>> x = dovetail.tensor([0.5, 1.5], dtype=dovetail.float64, requires_grad=True)
    >>> dovetail.autograd.gradcheck(dovetail.tanh, (x,))
    True
    """
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    places = [i for i, x in enumerate(given) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ArgumentError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have it."
        )
    for i in places:
        if given[i].dtype.itemsize < 8:
            raise ArgumentError(f"gradcheck needs float64 inputs: input {i} is {given[i].dtype.name} (use x.double())")
    outputs = _tensors(func(*given))
    for number, output in enumerate(outputs):
        if not output.requires_grad:
            continue
        analytic = _analytic(output, [given[i] for i in places])
        for i, ours in zip(places, analytic, strict=True):
            theirs = _numeric(func, given, i, number, output.numel(), eps)
            if not np.allclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True):
                if raise_exception:
                    raise GradcheckError(
                        f"Jacobian mismatch for output {number} with respect to input {i},\nnumerical:{theirs}\n"
                        f"analytical:{ours}\nlargest difference: {np.nanmax(np.abs(ours - theirs)):.3g}"
                    )
                return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-4,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    raise_exception: bool = True,
) -> bool:
    """Tell whether second derivatives agree with differences of the first ones; random output gradients by default."""
    given = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    outputs = [o for o in _tensors(func(*given)) if o.requires_grad]
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        weights = [
            Tensor.make(Tensor, rng.uniform(0.5, 1.5, tuple(o.shape)), dtype=o.dtype, device=o.device).requires_grad_()
            for o in outputs
        ]
    else:
        weights = list(grad_outputs) if isinstance(grad_outputs, tuple | list) else [grad_outputs]
    count = len(given)

    def first(*args: Any) -> tuple[Tensor, ...]:
        xs = tuple(
            x if not isinstance(x, Tensor) or x.requires_grad else _alive(x, given[i])
            for i, x in enumerate(args[:count])
        )
        found = [o for o in _tensors(func(*xs)) if o.requires_grad]
        sources = [x for x in xs if isinstance(x, Tensor) and x.requires_grad]
        gradients = grad(found, sources, list(args[count:]), create_graph=True, allow_unused=True)
        return tuple(x.new_zeros(x.shape) if g is None else g for x, g in zip(sources, gradients, strict=True))

    return gradcheck(first, (*given, *weights), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)


def _alive(x: Tensor, like: Any) -> Tensor:
    """A moved input requires gradients as the original does."""
    return x.requires_grad_() if isinstance(like, Tensor) and like.requires_grad else x
