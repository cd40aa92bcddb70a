"""Adam and cross entropy written by hand for NumPy and for JAX, shared by the programs that train with them.

Formulas: D. Kingma and J. Ba, arXiv:1412.6980, with PyTorch's defaults and its eps outside the root.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


class NumpyAdam:
    """Adam as somebody in a hurry for speed writes it: in place where that is easy."""

    def __init__(self, parameters: Sequence[Array]) -> None:
        self.parameters = parameters
        self.means = [np.zeros_like(array) for array in parameters]
        self.squares = [np.zeros_like(array) for array in parameters]
        self.steps = 0

    def step(self, grads: Sequence[Array]) -> None:
        """Update all parameters."""
        self.steps += 1
        rate = RATE / (1 - BETA1**self.steps)
        root = (1 - BETA2**self.steps) ** 0.5
        for array, grad, mean, square in zip(self.parameters, grads, self.means, self.squares):
            mean *= BETA1
            mean += (1 - BETA1) * grad
            square *= BETA2
            square += (1 - BETA2) * grad * grad
            array -= rate * mean / (np.sqrt(square) / root + EPS)


def jax_cross_entropy(logits: Any, y: Any) -> Any:
    """Return the mean cross entropy of logits and classes."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    rows = jax.nn.log_softmax(logits, axis=1)
    return -jnp.take_along_axis(rows, y[:, None], axis=1).mean()


def jax_step(
    loss_of: Callable[..., Any], start: Sequence[Array], x: Any, y: Any, decay: float = 0.0
) -> Callable[[], float]:
    """Jit a whole step of Adam, or with ``decay`` of AdamW; the state is donated, the learning rate an argument."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    def update(state: Any, x: Any, y: Any, rate: Any) -> Any:
        parameters, means, squares, steps = state
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        steps = steps + 1
        means = tuple(BETA1 * m + (1 - BETA1) * g for m, g in zip(means, grads))
        squares = tuple(BETA2 * v + (1 - BETA2) * g * g for v, g in zip(squares, grads))
        size = rate / (1 - BETA1**steps)
        root = jnp.sqrt(1 - BETA2**steps)
        kept = 1 - rate * decay
        parameters = tuple(
            p * kept - size * m / (jnp.sqrt(v) / root + EPS) for p, m, v in zip(parameters, means, squares)
        )
        return (parameters, means, squares, steps), loss

    program = jax.jit(update, donate_argnums=0)
    parameters = tuple(jnp.array(array) for array in start)
    zeros = [tuple(jnp.zeros_like(array) for array in parameters) for _ in range(2)]
    state = (parameters, *zeros, jnp.float32(0))
    rate = jnp.float32(RATE)

    def step() -> float:
        nonlocal state
        state, loss = program(state, x, y, rate)
        jax.block_until_ready(state)
        return float(loss)

    return step
