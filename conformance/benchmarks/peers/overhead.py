"""A graph of 11 small ops on tensors of shape (4,): what a framework costs beside the arithmetic.

`graph` is written in operators, so the same function runs on arrays and tensors of every library. Times are to
be divided by `OPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Step = Callable[[], float]

OPS = 11


def problem() -> tuple[Array, Array]:
    """Return the two inputs, the same ones every time."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.5, 1, (2, 4)).astype(np.float32)
    return x, y


def graph(x: Any, y: Any) -> Any:
    """Return the sum of a polynomial: five products, three sums, two differences and a reduction."""
    a = x * y
    b = a + x
    c = b * y
    d = c - a
    e = d * b
    f = e + c
    g = f * x
    h = g - d
    i = h * y
    j = i + f
    return j.sum()


def numpy_forward() -> Step:
    """The graph on NumPy arrays."""
    x, y = problem()
    return lambda: float(graph(x, y))


def gradients(x: Array, y: Array) -> tuple[float, Array, Array]:
    """Return the value of `graph` and its two gradients, written out by hand."""
    a = x * y
    b = a + x
    c = b * y
    d = c - a
    e = d * b
    f = e + c
    h = f * x - d
    total = (h * y + f).sum()
    grad_f = 1 + y * x
    grad_d = grad_f * b - y
    grad_c = grad_f + grad_d
    grad_b = grad_f * d + grad_c * y
    grad_a = grad_b - grad_d
    return float(total), y * f + grad_b + grad_a * y, h + grad_c * b + grad_a * x


def numpy_by_hand() -> Step:
    """The graph and its gradients on NumPy arrays."""
    x, y = problem()
    return lambda: gradients(x, y)[0]


def torch_no_graph() -> Step:
    """The graph on tensors that need no gradient."""
    torch = import_module("torch")

    x, y = map(torch.from_numpy, problem())
    return lambda: float(graph(x, y).item())


def torch_forward() -> Step:
    """The graph on tensors that need gradients, which are not asked for."""
    torch = import_module("torch")

    x, y = (torch.tensor(array, requires_grad=True) for array in problem())
    return lambda: float(graph(x, y).item())


def torch_forward_backward() -> Step:
    """The graph and its gradients."""
    torch = import_module("torch")

    x, y = (torch.tensor(array, requires_grad=True) for array in problem())

    def step() -> float:
        x.grad = y.grad = None
        loss = graph(x, y)
        loss.backward()
        return float(loss.item())

    return step


def jax_eager_forward() -> Step:
    """The graph op by op on JAX arrays."""
    jnp = import_module("jax.numpy")

    x, y = map(jnp.array, problem())
    return lambda: float(graph(x, y))


def jax_eager_grad() -> Step:
    """jax.value_and_grad without jit: it traces the graph anew in every call."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    x, y = map(jnp.array, problem())
    both = jax.value_and_grad(graph, argnums=(0, 1))

    def step() -> float:
        loss, grads = both(x, y)
        jax.block_until_ready(grads)
        return float(loss)

    return step


def jax_jit() -> Step:
    """The graph and its gradients in one program."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    x, y = map(jnp.array, problem())
    both = jax.jit(jax.value_and_grad(graph, argnums=(0, 1)))

    def step() -> float:
        loss, grads = both(x, y)
        jax.block_until_ready(grads)
        return float(loss)

    return step


FORWARD: Mapping[str, Callable[[], Step]] = {
    "NumPy": numpy_forward,
    "torch, no graph": torch_no_graph,
    "torch, graph": torch_forward,
    "jax eager": jax_eager_forward,
}
FORWARD_BACKWARD: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch": torch_forward_backward,
    "jax.jit": jax_jit,
    "jax eager grad": jax_eager_grad,
}
