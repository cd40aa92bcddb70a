"""Long chains of ops on shape (4,), forward and backward: does the cost per op grow with the length?

A chain multiplies and adds in turns, with constants that need no gradient. Times are to be divided by the
length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Step = Callable[[], float]

LENGTHS = (1_000, 10_000, 100_000)
# jax.grad traces for minutes beyond this.
LONGEST_JAX = 1_000


def problem() -> tuple[Array, Array, Array]:
    """Return the start of the chain, the factor and the addend."""
    return (
        np.linspace(0.5, 1, 4, dtype=np.float32),
        np.full(4, 0.999, np.float32),
        np.full(4, 0.001, np.float32),
    )


def chain(x: Any, factor: Any, addend: Any, length: int) -> Any:
    """Return the sum of what ``length`` ops make of x, in operators that every library has."""
    for _ in range(length // 2):
        x = x * factor
        x = x + addend
    return x.sum()


def numpy_by_hand(length: int) -> Step:
    """Forward, and the product of all factors backward."""
    x, factor, addend = problem()

    def step() -> float:
        total = chain(x, factor, addend, length)
        grad = np.ones_like(x)
        for _ in range(length // 2):
            grad = grad * factor
        return float(total) + 0 * float(grad[0])

    return step


def torch_eager(length: int) -> Step:
    """Forward and backward on tensors."""
    build = torch_graph(length)

    def step() -> float:
        x, total = build()
        total.backward()
        x.grad = None
        return float(total.item())

    return step


def torch_graph(length: int) -> Callable[[], Any]:
    """Return what builds the graph and holds it: the leaf and the result, to measure the memory of a graph."""
    torch = import_module("torch")

    start, factor, addend = problem()
    x = torch.tensor(start, requires_grad=True)
    constants = torch.from_numpy(factor), torch.from_numpy(addend)
    return lambda: (x, chain(x, *constants, length))


def jax_eager_grad(length: int) -> Step:
    """jax.value_and_grad without jit."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    if length > LONGEST_JAX:
        raise ValueError(f"jax.grad traces a chain of {length} ops for minutes; at most {LONGEST_JAX} are run")
    arrays = tuple(map(jnp.array, problem()))
    both = jax.value_and_grad(chain)

    def step() -> float:
        total, grad = both(*arrays, length)
        jax.block_until_ready(grad)
        return float(total)

    return step


PEERS: Mapping[str, Callable[[int], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax eager grad": jax_eager_grad,
}
