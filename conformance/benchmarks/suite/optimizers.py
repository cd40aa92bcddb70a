"""Optimizer steps on ten million parameters in ten tensors: beside NumPy by hand, in place, and PyTorch."""

from __future__ import annotations

from functools import partial

import timing
from peers import optimizers as peers

import dovetail
from suite.outcome import Build, Counts, Goal, Outcome, compare, joined

MINE = "dovetail on numpy"
GOALS = (Goal(MINE, "NumPy by hand", 1.5), Goal(MINE, "torch eager"))


def stepping(name: str, parameters: int) -> timing.Step:
    """The peers' step: the optimizer with the options that they have, on the same numbers."""
    tensors, grads = peers.problem(parameters)
    params = [dovetail.tensor(p, device="numpy", requires_grad=True) for p in tensors]
    for p, g in zip(params, grads, strict=True):
        p.grad = dovetail.tensor(g, device="numpy")
    optimizer = getattr(dovetail.optim, name)(params, **peers.OPTIONS[name])

    def step() -> float:
        optimizer.step()
        return float(params[0].detach()[0])

    return step


def contenders(name: str, parameters: int) -> dict[str, Build]:
    """Who takes part, for one optimizer."""
    others = {peer: partial(build, name, parameters) for peer, build in peers.PEERS.items()}
    return {MINE: partial(stepping, name, parameters), **others}


def run(counts: Counts) -> Outcome:
    """Measure one step of each optimizer."""
    many = counts.parameters
    return joined(
        compare(f"{name}, {many:,} parameters", contenders(name, many), GOALS, counts) for name in peers.OPTIONS
    )
