"""An LSTM on 32 sequences of 32 steps of 64 features, 128 units, the last output classified, and Adam.

Weights and gates as PyTorch has them: rows of the weights in the order i f g o. Linear 128 -> 10; cross entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers import adam
from peers.mlp import cross_entropy

Array = NDArray[np.float32]
Step = Callable[[], float]

STEPS, BATCH, FEATURES, UNITS, CLASSES = 32, 32, 64, 128, 10


@dataclass(frozen=True)
class Problem:
    """Sequences (T, B, F) with classes (B,); weights and biases of the LSTM, then of the linear layer."""

    x: Array
    y: NDArray[np.int64]
    parameters: tuple[Array, ...]


def problem() -> Problem:
    """Return the initial arrays, the same ones every time, in PyTorch's default ranges."""
    rng = np.random.default_rng(0)
    bound = UNITS**-0.5
    shapes = ((4 * UNITS, FEATURES), (4 * UNITS, UNITS), (4 * UNITS,), (4 * UNITS,), (CLASSES, UNITS), (CLASSES,))
    parameters = tuple(rng.uniform(-bound, bound, shape).astype(np.float32) for shape in shapes)
    x = rng.standard_normal((STEPS, BATCH, FEATURES), dtype=np.float32)
    return Problem(x, rng.integers(0, CLASSES, BATCH), parameters)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def numpy_by_hand() -> Step:
    """One product for the inputs of all steps, then step by step; backward through time, Adam in place."""
    start = problem()
    x, y = start.x, start.y
    parameters = [array.copy() for array in start.parameters]
    w_ih, w_hh, b_ih, b_hh, w_out, b_out = parameters
    optimizer = adam.NumpyAdam(parameters)
    flat = x.reshape(-1, FEATURES)

    def step() -> float:
        projected = (flat @ w_ih.T + (b_ih + b_hh)).reshape(STEPS, BATCH, 4 * UNITS)
        h = np.zeros((BATCH, UNITS), np.float32)
        c = np.zeros_like(h)
        kept = []
        for t in range(STEPS):
            gates = projected[t] + h @ w_hh.T
            i, f, o = (_sigmoid(gates[:, k * UNITS : (k + 1) * UNITS]) for k in (0, 1, 3))
            g = np.tanh(gates[:, 2 * UNITS : 3 * UNITS])
            before = (h, c)
            c = f * c + i * g
            bounded = np.tanh(c)
            h = o * bounded
            kept.append((i, f, g, o, bounded, *before))
        loss, grad = cross_entropy(h @ w_out.T + b_out, y)

        along_h = grad @ w_out
        along_c = np.zeros_like(c)
        slopes = np.empty_like(projected)
        grad_hh = np.zeros_like(w_hh)
        for t in reversed(range(STEPS)):
            i, f, g, o, bounded, h_before, c_before = kept[t]
            along_c = along_c + along_h * o * (1 - bounded * bounded)
            own = slopes[t]
            own[:, :UNITS] = along_c * g * i * (1 - i)
            own[:, UNITS : 2 * UNITS] = along_c * c_before * f * (1 - f)
            own[:, 2 * UNITS : 3 * UNITS] = along_c * i * (1 - g * g)
            own[:, 3 * UNITS :] = along_h * bounded * o * (1 - o)
            grad_hh += own.T @ h_before
            along_h = own @ w_hh
            along_c = along_c * f
        rows = slopes.reshape(-1, 4 * UNITS)
        bias = rows.sum(axis=0)
        optimizer.step([rows.T @ flat, grad_hh, bias, bias, grad.T @ h, grad.sum(axis=0)])
        return loss

    return step


def torch_eager() -> Step:
    """nn.LSTM, nn.Linear and torch.optim.Adam with its defaults."""
    torch = import_module("torch")

    start = problem()
    recurrent, classify = torch.nn.LSTM(FEATURES, UNITS), torch.nn.Linear(UNITS, CLASSES)
    parameters = [*recurrent.parameters(), *classify.parameters()]
    with torch.no_grad():
        for parameter, array in zip(parameters, start.parameters):
            parameter.copy_(torch.from_numpy(array))
    x, y = torch.from_numpy(start.x), torch.from_numpy(start.y)
    optimizer = torch.optim.Adam(parameters, lr=adam.RATE)

    def step() -> float:
        optimizer.zero_grad()
        out, _ = recurrent(x)
        loss = torch.nn.functional.cross_entropy(classify(out[-1]), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_jit() -> Step:
    """The whole step in one program with a scan over the steps of the sequences."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    start = problem()
    x, y = jnp.array(start.x), jnp.array(start.y)

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        w_ih, w_hh, b_ih, b_hh, w_out, b_out = parameters

        def one(state: Any, row: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(row + h @ w_hh.T, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zeros = jnp.zeros((BATCH, UNITS), jnp.float32)
        (h, _), _ = jax.lax.scan(one, (zeros, zeros), x @ w_ih.T + (b_ih + b_hh))
        return adam.jax_cross_entropy(h @ w_out.T + b_out, y)

    return adam.jax_step(loss_of, start.parameters, x, y)


PEERS: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
}
