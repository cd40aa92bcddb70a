"""The LSTM on 32 x 32 x 64 with Adam: eager and as a captured program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import timing
from peers import adam
from peers import lstm as peers

import dovetail
from dovetail import nn
from suite.outcome import Build, Counts, Goal, Outcome, compare


def training(device: str, captured: bool) -> timing.Step:
    """nn.LSTM, nn.Linear and Adam with its defaults; captured, one program does the update as well."""
    start = peers.problem()
    recurrent = nn.LSTM(peers.FEATURES, peers.UNITS).to(device)
    classify = nn.Linear(peers.UNITS, peers.CLASSES).to(device)
    parameters = [*recurrent.parameters(), *classify.parameters()]
    with dovetail.no_grad():
        for parameter, array in zip(parameters, start.parameters, strict=True):
            parameter.copy_(dovetail.tensor(array, device=device))
    x, y = (dovetail.tensor(array, device=device) for array in (start.x, start.y))
    optimizer = dovetail.optim.Adam(parameters, lr=adam.RATE)

    def update(x: dovetail.Tensor, y: dovetail.Tensor) -> dovetail.Tensor:
        optimizer.zero_grad()
        out, _ = recurrent(x)
        loss = nn.functional.cross_entropy(classify(out[-1]), y)
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
    Goal("dovetail on numpy, eager", "torch eager", 1.3),
    Goal("dovetail on numpy, eager", "NumPy by hand", 1.0),
    Goal("dovetail on numpy, captured", "torch eager"),
    Goal("dovetail on jax, captured", "jax.jit"),
)


def run(counts: Counts) -> Outcome:
    """Measure one training step."""
    return compare("LSTM, step", {**MINE, **peers.PEERS}, GOALS, counts)
