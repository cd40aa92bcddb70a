"""The tiny GPT on 16 x 64 characters with AdamW: eager and as a captured program."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import timing
from peers import adam
from peers import gpt as peers

import dovetail
from dovetail import nn
from suite.outcome import Build, Counts, Goal, Outcome, compare


def training(device: str, captured: bool) -> timing.Step:
    """Modules and AdamW with its defaults; captured, one program does the update as well."""
    start = peers.problem()
    model = peers.network(dovetail).to(device)
    with dovetail.no_grad():
        for parameter, array in zip(model.parameters(), start.parameters, strict=True):
            parameter.copy_(dovetail.tensor(array, device=device))
    x, y = (dovetail.tensor(array, device=device) for array in (start.x, start.y))
    places = dovetail.arange(peers.LENGTH, device=device)
    optimizer = dovetail.optim.AdamW(model.parameters(), lr=adam.RATE, weight_decay=peers.DECAY)

    def update(x: dovetail.Tensor, y: dovetail.Tensor) -> dovetail.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x, places).view(-1, peers.KINDS), y.reshape(-1))
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
    Goal("dovetail on numpy, eager", "torch eager"),
    Goal("dovetail on numpy, eager", "NumPy by hand", 1.0),
    Goal("dovetail on numpy, captured", "torch eager"),
    Goal("dovetail on jax, captured", "jax.jit"),
)


def run(counts: Counts) -> Outcome:
    """Measure one training step."""
    return compare("tiny GPT, step", {**MINE, **peers.PEERS}, GOALS, counts)
