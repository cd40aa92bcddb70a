"""A multilayer perceptron 784-256-10 on batches of 64: ReLU, cross entropy and Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers import adam

Array = NDArray[np.float32]
Step = Callable[[], float]


@dataclass(frozen=True)
class Problem:
    """A batch (64, 784) with classes (64,), and weights (out, in) and biases in the order of the layers."""

    x: Array
    y: NDArray[np.int64]
    parameters: tuple[Array, ...]


def problem() -> Problem:
    """Return the initial arrays, the same ones every time, in PyTorch's default ranges."""
    rng = np.random.default_rng(0)
    parameters: list[Array] = []
    for inputs, outputs in ((784, 256), (256, 10)):
        bound = inputs**-0.5
        parameters.append(rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32))
        parameters.append(rng.uniform(-bound, bound, outputs).astype(np.float32))
    x = rng.standard_normal((64, 784), dtype=np.float32)
    return Problem(x, rng.integers(0, 10, 64), tuple(parameters))


def cross_entropy(logits: Array, y: NDArray[np.int64]) -> tuple[float, Array]:
    """Return the mean loss and its gradient with respect to the logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = float((np.log(total[:, 0]) - shifted[rows, y]).mean())
    exponentials /= total
    exponentials[rows, y] -= 1
    exponentials /= np.float32(len(y))
    return loss, exponentials


def numpy_by_hand() -> Step:
    """Gradients by hand, Adam in place."""
    start = problem()
    x, y = start.x, start.y
    parameters = [array.copy() for array in start.parameters]
    w1, b1, w2, b2 = parameters
    optimizer = adam.NumpyAdam(parameters)

    def step() -> float:
        h = x @ w1.T
        h += b1
        h_relu = np.maximum(h, 0)
        logits = h_relu @ w2.T
        logits += b2
        loss, grad = cross_entropy(logits, y)
        grad_h: Array = grad @ w2
        grad_h *= h > 0
        optimizer.step([grad_h.T @ x, grad_h.sum(axis=0), grad.T @ h_relu, grad.sum(axis=0)])
        return loss

    return step


def torch_eager() -> Step:
    """Modules and torch.optim.Adam with its defaults."""
    torch = import_module("torch")

    start = problem()
    net = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), start.parameters):
            parameter.copy_(torch.from_numpy(array))
    x, y = torch.from_numpy(start.x), torch.from_numpy(start.y)
    optimizer = torch.optim.Adam(net.parameters(), lr=adam.RATE)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_jit() -> Step:
    """The whole step in one program: parameters, moments, step count and learning rate are its arguments."""
    jnp = import_module("jax.numpy")

    start = problem()
    x, y = jnp.array(start.x), jnp.array(start.y)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = parameters
        return adam.jax_cross_entropy(jnp.maximum(x @ w1.T + b1, 0) @ w2.T + b2, y)

    return adam.jax_step(loss_of, start.parameters, x, y)


PEERS: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
}
