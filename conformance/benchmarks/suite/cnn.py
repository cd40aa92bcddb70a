"""The convolutional network on 64 x 1 x 28 x 28 with Adam: eager and as a captured program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import timing
from peers import adam
from peers import cnn as peers

import dovetail
from dovetail import nn
from suite.outcome import Build, Counts, Goal, Outcome, compare


def network(device: str) -> nn.Module:
    """The peers' network with their initial weights."""
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    ).to(device)  # fmt: skip
    with dovetail.no_grad():
        for parameter, array in zip(net.parameters(), peers.problem().parameters, strict=True):
            parameter.copy_(dovetail.tensor(array, device=device))
    return net


def training(device: str, captured: bool) -> timing.Step:
    """Modules and Adam with its defaults; captured, one program does the update as well."""
    start = peers.problem()
    net = network(device)
    x, y = (dovetail.tensor(array, device=device) for array in (start.x, start.y))
    optimizer = dovetail.optim.Adam(net.parameters(), lr=adam.RATE)

    def update(x: dovetail.Tensor, y: dovetail.Tensor) -> dovetail.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
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
    Goal("dovetail on numpy, eager", "torch eager", 2.0),
    Goal("dovetail on numpy, eager", "NumPy by hand", 1.0),
    Goal("dovetail on numpy, captured", "torch eager"),
    Goal("dovetail on jax, captured", "jax.jit"),
)


def run(counts: Counts) -> Outcome:
    """Measure one training step."""
    return compare("CNN, step", {**MINE, **peers.PEERS}, GOALS, counts)
