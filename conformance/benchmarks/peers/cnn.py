"""A small convolutional network on 64 x 1 x 28 x 28: two 3 x 3 convolutions with pooling, and Adam.

Convolution 1 -> 16 with padding 1, ReLU, 2 x 2 max pooling; convolution 16 -> 32 with padding 1, ReLU, 2 x 2
max pooling; linear 1568 -> 10; cross entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from peers import adam
from peers.mlp import cross_entropy

Array = NDArray[np.float32]
Step = Callable[[], float]


@dataclass(frozen=True)
class Problem:
    """A batch (64, 1, 28, 28) with classes (64,), and weights (OIHW, out x in) and biases in order."""

    x: Array
    y: NDArray[np.int64]
    parameters: tuple[Array, ...]


def problem() -> Problem:
    """Return the initial arrays, the same ones every time, in PyTorch's default ranges."""
    rng = np.random.default_rng(0)
    parameters: list[Array] = []
    for shape in ((16, 1, 3, 3), (32, 16, 3, 3), (10, 32 * 7 * 7)):
        bound = float(np.prod(shape[1:])) ** -0.5
        parameters.append(rng.uniform(-bound, bound, shape).astype(np.float32))
        parameters.append(rng.uniform(-bound, bound, shape[0]).astype(np.float32))
    x = rng.standard_normal((64, 1, 28, 28), dtype=np.float32)
    return Problem(x, rng.integers(0, 10, 64), tuple(parameters))


def _columns(x: Array) -> Array:
    """Copy all 3 x 3 windows of padded (N, H, W, C) images into rows, (N H W, 9 C)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(-1, 9 * x.shape[3])


def _columns_back(columns: Array, shape: tuple[int, ...]) -> Array:
    """Add the gradients of windows up in (N, H, W, C) images."""
    batch, height, width, channels = shape
    padded = np.zeros((batch, height + 2, width + 2, channels), np.float32)
    taps = columns.reshape(batch, height, width, 3, 3, channels)
    for i in range(3):
        for j in range(3):
            padded[:, i : i + height, j : j + width] += taps[:, :, :, i, j]
    return padded[:, 1:-1, 1:-1]


def _pool(x: Array) -> Array:
    """Return the maximum of each 2 x 2 window of (N, H, W, C) images."""
    batch, height, width, channels = x.shape
    return np.asarray(x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4)))


def _pool_back(grad: Array, x: Array, pooled: Array) -> Array:
    """Give the gradient to the maxima. Ties occur where ReLU gave 0, and there its gradient is 0 anyway."""
    spread = grad.repeat(2, axis=1).repeat(2, axis=2)
    return np.asarray(spread * (x == pooled.repeat(2, axis=1).repeat(2, axis=2)))


def numpy_by_hand() -> Step:
    """Images as (N, H, W, C), a convolution as windows copied into rows and one product."""
    start = problem()
    x, y = start.x.transpose(0, 2, 3, 1), start.y
    parameters = [array.copy() for array in start.parameters]
    w1, b1, w2, b2, w3, b3 = parameters
    optimizer = adam.NumpyAdam(parameters)

    def step() -> float:
        m1, m2 = (w.transpose(2, 3, 1, 0).reshape(-1, w.shape[0]) for w in (w1, w2))
        columns1 = _columns(x)
        a1 = np.maximum(columns1 @ m1 + b1, 0).reshape(64, 28, 28, 16)
        p1 = _pool(a1)
        columns2 = _columns(p1)
        a2 = np.maximum(columns2 @ m2 + b2, 0).reshape(64, 14, 14, 32)
        p2 = _pool(a2)
        flat = p2.transpose(0, 3, 1, 2).reshape(64, -1)
        loss, grad = cross_entropy(flat @ w3.T + b3, y)

        grad_p2 = (grad @ w3).reshape(64, 32, 7, 7).transpose(0, 2, 3, 1)
        grad_a2 = (_pool_back(grad_p2, a2, p2) * (a2 > 0)).reshape(-1, 32)
        grad_p1 = _columns_back(grad_a2 @ m2.T, p1.shape)
        grad_a1 = (_pool_back(grad_p1, a1, p1) * (a1 > 0)).reshape(-1, 16)
        grad_m1, grad_m2 = columns1.T @ grad_a1, columns2.T @ grad_a2
        optimizer.step(
            [
                grad_m1.reshape(3, 3, 1, 16).transpose(3, 2, 0, 1),
                grad_a1.sum(axis=0),
                grad_m2.reshape(3, 3, 16, 32).transpose(3, 2, 0, 1),
                grad_a2.sum(axis=0),
                grad.T @ flat,
                grad.sum(axis=0),
            ]
        )
        return loss

    return step


def torch_eager() -> Step:
    """Modules and torch.optim.Adam with its defaults."""
    torch = import_module("torch")
    nn = torch.nn

    start = problem()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip
    with torch.no_grad():
        for parameter, array in zip(net.parameters(), start.parameters):
            parameter.copy_(torch.from_numpy(array))
    x, y = torch.from_numpy(start.x), torch.from_numpy(start.y)
    optimizer = torch.optim.Adam(net.parameters(), lr=adam.RATE)

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_jit() -> Step:
    """The whole step in one program: parameters, moments, step count and learning rate are its arguments."""
    jnp = import_module("jax.numpy")
    lax = import_module("jax.lax")

    start = problem()
    x, y = jnp.array(start.x), jnp.array(start.y)

    def convolve(x: Any, w: Any, b: Any) -> Any:
        return lax.conv(x, w, (1, 1), "SAME") + b[:, None, None]

    def pool(x: Any) -> Any:
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = parameters
        h = pool(jnp.maximum(convolve(x, w1, b1), 0))
        h = pool(jnp.maximum(convolve(h, w2, b2), 0))
        return adam.jax_cross_entropy(h.reshape(len(h), -1) @ w3.T + b3, y)

    return adam.jax_step(loss_of, start.parameters, x, y)


PEERS: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
}
