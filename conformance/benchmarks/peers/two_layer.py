"""Two layers, 64 x 1000-100-10, squared errors and plain gradient descent: the tutorials' first net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Step = Callable[[], float]

LEARNING_RATE = 1e-6


@dataclass(frozen=True)
class Problem:
    """Inputs (64, 1000), targets (64, 10), and the weights (1000, 100) and (100, 10) to start from."""

    x: Array
    y: Array
    w1: Array
    w2: Array


def problem() -> Problem:
    """Return the initial arrays, the same ones every time."""
    rng = np.random.default_rng(0)
    shapes = ((64, 1000), (64, 10), (1000, 100), (100, 10))
    return Problem(*(rng.standard_normal(shape, dtype=np.float32) for shape in shapes))


def numpy_by_hand() -> Step:
    """Gradients by hand, weights updated in place."""
    start = problem()
    x, y, w1, w2 = start.x, start.y, start.w1.copy(), start.w2.copy()
    rate = np.float32(LEARNING_RATE)

    def step() -> float:
        h = x @ w1
        h_relu = np.maximum(h, 0)
        difference = h_relu @ w2
        difference -= y
        loss = float(np.square(difference).sum())
        grad_y = 2 * difference
        grad_w2 = h_relu.T @ grad_y
        grad_h = grad_y @ w2.T
        grad_h *= h > 0
        grad_w1 = x.T @ grad_h
        grad_w1 *= rate
        grad_w2 *= rate
        np.subtract(w1, grad_w1, out=w1)
        np.subtract(w2, grad_w2, out=w2)
        return loss

    return step


def torch_eager() -> Step:
    """Autograd on tensors, as the tutorial has it."""
    torch = import_module("torch")

    start = problem()
    x, y = torch.from_numpy(start.x), torch.from_numpy(start.y)
    w1 = torch.tensor(start.w1, requires_grad=True)
    w2 = torch.tensor(start.w2, requires_grad=True)

    def step() -> float:
        prediction = x.mm(w1).clamp(min=0).mm(w2)
        loss = (prediction - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for weight in (w1, w2):
                weight -= LEARNING_RATE * weight.grad
                weight.grad = None
        return float(loss.item())

    return step


def jax_jit() -> Step:
    """The whole step in one program, the weights donated to it."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    start = problem()
    x, y = jnp.array(start.x), jnp.array(start.y)
    weights = (jnp.array(start.w1), jnp.array(start.w2))

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        w1, w2 = weights
        return jnp.square(jnp.maximum(x @ w1, 0) @ w2 - y).sum()

    def update(weights: Any, x: Any, y: Any, rate: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(weights, x, y)
        return tuple(w - rate * g for w, g in zip(weights, grads)), loss

    program = jax.jit(update, donate_argnums=0)
    rate = jnp.float32(LEARNING_RATE)

    def step() -> float:
        nonlocal weights
        weights, loss = program(weights, x, y, rate)
        jax.block_until_ready(weights)
        return float(loss)

    return step


PEERS: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
}
