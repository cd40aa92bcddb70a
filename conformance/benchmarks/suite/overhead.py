"""What an op costs beside its arithmetic: the graph of 11 ops on shape (4,), per op."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import timing
from peers import overhead as peers

import dovetail
from suite.outcome import Build, Counts, Goal, Outcome, compare, joined


def forward(device: str, requires_grad: bool) -> timing.Step:
    """The graph op by op; reading the number waits for all of it."""
    x, y = (dovetail.tensor(array, device=device, requires_grad=requires_grad) for array in peers.problem())
    return lambda: peers.graph(x, y).item()


def forward_backward(device: str) -> timing.Step:
    """The graph and its gradients."""
    x, y = (dovetail.tensor(array, device=device, requires_grad=True) for array in peers.problem())

    def step() -> object:
        x.grad = y.grad = None
        loss = peers.graph(x, y)
        loss.backward()
        return loss.item()

    def blocking() -> object:
        loss = step()
        # A backend may still be at work on the gradients when the loss is there: reading them waits.
        for leaf in (x, y):
            assert leaf.grad is not None
            leaf.grad.numpy()
        return loss

    return step if device == "numpy" else blocking


FORWARD: Mapping[str, Build] = {
    "dovetail on numpy, no graph": partial(forward, "numpy", False),
    "dovetail on numpy, graph": partial(forward, "numpy", True),
    "dovetail on jax, no graph": partial(forward, "jax", False),
    "dovetail on jax, graph": partial(forward, "jax", True),
}
FORWARD_BACKWARD: Mapping[str, Build] = {
    "dovetail on numpy": partial(forward_backward, "numpy"),
    "dovetail on jax": partial(forward_backward, "jax"),
}
MINE: Mapping[str, Build] = {**FORWARD, **FORWARD_BACKWARD}

FORWARD_GOALS = (
    Goal("dovetail on numpy, no graph", "torch, no graph"),
    Goal("dovetail on numpy, no graph", "NumPy"),
    Goal("dovetail on numpy, graph", "torch, graph", 0.5),
    Goal("dovetail on jax, no graph", "jax eager", 1.4),
    Goal("dovetail on jax, graph", "jax eager", 1.4),
)
FORWARD_BACKWARD_GOALS = (
    Goal("dovetail on numpy", "torch", 0.65),
    Goal("dovetail on numpy", "NumPy by hand"),
    Goal("dovetail on jax", "jax eager grad", 0.1),
)


def run(counts: Counts) -> Outcome:
    """Measure forward alone, and forward with backward."""
    return joined(
        compare(f"op on (4,), {title}", {**mine, **theirs}, goals, counts, per=peers.OPS)
        for title, mine, theirs, goals in (
            ("forward", FORWARD, peers.FORWARD, FORWARD_GOALS),
            ("forward and backward", FORWARD_BACKWARD, peers.FORWARD_BACKWARD, FORWARD_BACKWARD_GOALS),
        )
    )
