"""The two-layer net 64 x 1000-100-10 with plain gradient descent: eager and as a captured program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import timing
from peers import two_layer as peers

import dovetail
from suite.outcome import Build, Counts, Goal, Outcome, compare


def training(device: str, captured: bool) -> timing.Step:
    """The peers' step on tensors; captured, it is one program that updates the weights as well."""
    start = peers.problem()
    x, y = (dovetail.tensor(array, device=device) for array in (start.x, start.y))
    weights = [dovetail.tensor(array, device=device, requires_grad=True) for array in (start.w1, start.w2)]
    w1, w2 = weights

    def update(x: dovetail.Tensor, y: dovetail.Tensor) -> dovetail.Tensor:
        prediction = x.mm(w1).clamp(min=0).mm(w2)
        loss = (prediction - y).pow(2).sum()
        loss.backward()
        with dovetail.no_grad():
            for weight in weights:
                assert weight.grad is not None
                weight -= peers.LEARNING_RATE * weight.grad
                weight.grad = None
        return loss

    # A program's results are ready together, so reading the loss waits for the weights as well.
    whole = dovetail.compile(update) if captured else update
    return lambda: whole(x, y).item()


MINE: Mapping[str, Build] = {
    "dovetail on numpy, eager": partial(training, "numpy", False),
    "dovetail on numpy, captured": partial(training, "numpy", True),
    "dovetail on jax, captured": partial(training, "jax", True),
}
GOALS = (
    Goal("dovetail on numpy, eager", "NumPy by hand", 1.45),
    Goal("dovetail on numpy, eager", "torch eager"),
    Goal("dovetail on numpy, captured", "NumPy by hand", 1.15),
    Goal("dovetail on numpy, captured", "torch eager"),
    Goal("dovetail on jax, captured", "jax.jit", 1.1),
)


def run(counts: Counts) -> Outcome:
    """Measure one training step."""
    return compare("two-layer net, step", {**MINE, **peers.PEERS}, GOALS, counts)
