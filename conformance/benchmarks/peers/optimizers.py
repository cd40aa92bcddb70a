"""Optimizer steps on ten tensors with the same gradients at every step, written by hand for NumPy, and PyTorch's.

Formulas: the algorithms in the documentation of ``torch.optim``, with its defaults and the momentum of `MOMENTUM`.
By hand everything is in place on whole arrays, with one spare array for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Step = Callable[[], float]

TENSORS = 10
MOMENTUM = 0.9
OPTIONS: Mapping[str, dict[str, float]] = {
    "SGD": {"lr": 1e-3, "momentum": MOMENTUM},
    "Adam": {"lr": 1e-3},
    "AdamW": {"lr": 1e-3},
    "RMSprop": {"lr": 1e-2},
    "Adagrad": {"lr": 1e-2},
}
"""The optimizers, with what they are asked for."""


def problem(parameters: int) -> tuple[list[Array], list[Array]]:
    """Return tensors of that many elements together and their gradients, the same ones every time."""
    rng = np.random.default_rng(0)
    shape = (max(1, parameters // TENSORS),)
    draw = partial(rng.standard_normal, shape, dtype=np.float32)
    return [draw() for _ in range(TENSORS)], [draw() for _ in range(TENSORS)]


def _sgd(p: Array, g: Array, state: Sequence[Array], spare: Array, step: int) -> None:
    (velocity,) = state
    velocity *= MOMENTUM
    velocity += g
    np.multiply(velocity, 1e-3, out=spare)
    p -= spare


def _adam(p: Array, g: Array, state: Sequence[Array], spare: Array, step: int) -> None:
    mean, square = state
    mean *= 0.9
    np.multiply(g, 1 - 0.9, out=spare)
    mean += spare
    square *= 0.999
    np.multiply(g, g, out=spare)
    spare *= 1 - 0.999
    square += spare
    np.sqrt(square, out=spare)
    spare /= (1 - 0.999**step) ** 0.5
    spare += 1e-8
    np.divide(mean, spare, out=spare)
    spare *= 1e-3 / (1 - 0.9**step)
    p -= spare


def _adamw(p: Array, g: Array, state: Sequence[Array], spare: Array, step: int) -> None:
    p *= 1 - 1e-3 * 1e-2
    _adam(p, g, state, spare, step)


def _rmsprop(p: Array, g: Array, state: Sequence[Array], spare: Array, step: int) -> None:
    (square,) = state
    square *= 0.99
    np.multiply(g, g, out=spare)
    spare *= 1 - 0.99
    square += spare
    np.sqrt(square, out=spare)
    spare += 1e-8
    np.divide(g, spare, out=spare)
    spare *= 1e-2
    p -= spare


def _adagrad(p: Array, g: Array, state: Sequence[Array], spare: Array, step: int) -> None:
    (total,) = state
    np.multiply(g, g, out=spare)
    total += spare
    np.sqrt(total, out=spare)
    spare += 1e-10
    np.divide(g, spare, out=spare)
    spare *= 1e-2
    p -= spare


_BY_HAND: Mapping[str, tuple[Callable[..., None], int]] = {
    "SGD": (_sgd, 1),
    "Adam": (_adam, 2),
    "AdamW": (_adamw, 2),
    "RMSprop": (_rmsprop, 1),
    "Adagrad": (_adagrad, 1),
}
"""The formula and how many arrays of state it has."""


def numpy_by_hand(name: str, parameters: int) -> Step:
    """All tensors in turn; the first element tells where they are."""
    formula, count = _BY_HAND[name]
    tensors, grads = problem(parameters)
    states = [[np.zeros_like(p) for _ in range(count)] for p in tensors]
    spares = [np.empty_like(p) for p in tensors]
    steps = 0

    def step() -> float:
        nonlocal steps
        steps += 1
        for p, g, state, spare in zip(tensors, grads, states, spares):
            formula(p, g, state, spare, steps)
        return float(tensors[0][0])

    return step


def torch_eager(name: str, parameters: int) -> Step:
    """torch.optim with its own choice of implementation."""
    torch = import_module("torch")
    tensors, grads = problem(parameters)
    mine: list[Any] = [torch.from_numpy(p).requires_grad_() for p in tensors]
    for p, g in zip(mine, grads):
        p.grad = torch.from_numpy(g)
    optimizer = getattr(torch.optim, name)(mine, **OPTIONS[name])

    def step() -> float:
        optimizer.step()
        return float(mine[0][0].detach())

    return step


PEERS: Mapping[str, Callable[[str, int], Step]] = {"NumPy by hand": numpy_by_hand, "torch eager": torch_eager}
