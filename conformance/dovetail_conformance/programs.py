"""Random programs of views, in-place writes and gradients, written once and run by any PyTorch-shaped module.

Each step is drawn from a seed alone, so that the same program runs twice. A step that is refused leaves everything as
it was, and both sides must refuse the same steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

Pool = list[Any]
Step = Callable[[Any, Pool, random.Random], Any]


def _pick(pool: Pool, rng: random.Random) -> Any:
    return pool[rng.randrange(len(pool))]


def unary(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A new tensor from one."""
    x = _pick(pool, rng)
    kind = rng.randrange(4)
    if kind == 0:
        return (x * 0.5).contiguous()  # results of dovetail always are; PyTorch's keep the layout of the operands
    if kind == 1:
        return x.tanh().contiguous()
    if kind == 2:
        return (-x).contiguous()
    return (x * x).contiguous()


def binary(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A new tensor from two."""
    x, y = _pick(pool, rng), _pick(pool, rng)
    kind = rng.randrange(3)
    return (x + y if kind == 0 else x - y if kind == 1 else x * y).contiguous()


def slicing(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A view by an index."""
    x = _pick(pool, rng)
    kind = rng.randrange(5)
    if kind == 0:
        return x[rng.randrange(-2, 3)]
    if kind == 1:
        return x[rng.randrange(0, 2) :: rng.randrange(1, 3)]
    if kind == 2:
        return x[..., : rng.randrange(1, 4)]
    if kind == 3:
        return x[:, rng.randrange(0, 2)]
    return x[None, ..., 0]


def reshaping(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A view of another shape."""
    x = _pick(pool, rng)
    kind = rng.randrange(6)
    if kind == 0:
        return x.view(-1)
    if kind == 1:
        return x.reshape(-1)
    if kind == 2:
        return x.transpose(0, -1)
    if kind == 3:
        return x.unsqueeze(rng.randrange(0, 2))
    if kind == 4:
        return x.squeeze()
    return x.view(2, -1)


def expanding(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A view that repeats elements."""
    x = _pick(pool, rng)
    return x.expand(2, *x.shape) if rng.randrange(2) else x.unsqueeze(0).expand(2, *x.shape)[rng.randrange(2)]


def detaching(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """An alias or copy outside the graph."""
    x = _pick(pool, rng)
    kind = rng.randrange(3)
    return x.detach() if kind == 0 else x.clone().contiguous() if kind == 1 else x.data


def writing(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """An in-place op."""
    x, y = _pick(pool, rng), _pick(pool, rng)
    y = y if y is x else y.clone()  # PyTorch computes nonsense where operands overlap in ways that it does not detect
    kind = rng.randrange(8)
    if kind == 0:
        x.mul_(0.7)
    elif kind == 1:
        x.add_(y)
    elif kind == 2:
        x.mul_(y)
    elif kind == 3:
        x.zero_()
    elif kind == 4:
        x.fill_(0.3)
    elif kind == 5:
        x.copy_(y)
    elif kind == 6:
        x.sub_(y * 0.5)
    else:
        x += 1.0
    return None


def assigning(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """An assignment to an index."""
    x, y = _pick(pool, rng), _pick(pool, rng)
    kind = rng.randrange(5)
    if kind == 0:
        x[rng.randrange(0, 2)] = 0.25
    elif kind == 1:
        x[0] = y
    elif kind == 2:
        x[..., 0] = y
    elif kind == 3:
        x[1:] = x[:-1].clone()  # without the copy PyTorch refuses some overlaps and gets others wrong
    else:
        x[:, 1] *= 2.0
    return None


def unrecorded(xp: Any, pool: Pool, rng: random.Random) -> Any:
    """A write that the graph does not see."""
    with xp.no_grad():
        return writing(xp, pool, rng) if rng.randrange(2) else assigning(xp, pool, rng)


STEPS: list[Step] = [
    unary,
    binary,
    slicing,
    slicing,
    reshaping,
    reshaping,
    expanding,
    detaching,
    writing,
    writing,
    assigning,
    unrecorded,
]


class Outcome:
    """What a program did: refusals by step, values, gradients and second gradients."""

    def __init__(self) -> None:
        self.refused: list[int] = []
        self.shapes: list[tuple[int, ...]] = []
        self.requires: list[bool] = []
        self.values: list[np.ndarray] = []
        self.grads: list[np.ndarray | None] = []
        self.second: list[np.ndarray | None] = []
        self.backward_error: str | None = None
        self.incomparable: str | None = None


def run(xp: Any, seed: int, *, steps: int = 14, second: bool = False) -> Outcome:
    """Run the program of a seed with a PyTorch-shaped module."""
    rng = random.Random(seed)
    made = np.random.default_rng(seed)
    leaves = [xp.tensor(made.uniform(-1, 1, s), requires_grad=True) for s in ((4,), (2, 3), (2, 2))]
    pool: Pool = [leaf * 1.0 for leaf in leaves] + [leaves[1], xp.tensor(made.uniform(-1, 1, (2, 3)))]
    outcome = Outcome()
    for number in range(steps):
        step = rng.choice(STEPS)
        mark = rng.getstate()
        try:
            result = step(xp, pool, rng)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            if "some elements of the input tensor and the written-to tensor" in str(error):
                outcome.incomparable = str(error)  # we copy the source first, and write what the line says
                return outcome
            outcome.refused.append(number)
            rng.setstate(mark)
            rng.random()
            continue
        rng.setstate(mark)
        rng.random()
        if result is not None and 0 < len(result.shape) < 4:
            pool.append(result)
        for t in pool:
            t.grad_fn  # noqa: B018  # PyTorch regenerates a view's edge when it is asked for
    outcome.shapes = [tuple(t.shape) for t in pool]
    outcome.requires = [bool(t.requires_grad) for t in pool]
    outcome.values = [np.array(t.detach().numpy()) for t in pool]
    _differentiate(xp, pool, leaves, outcome, second)
    return outcome


def _differentiate(xp: Any, pool: Pool, leaves: list[Any], outcome: Outcome, second: bool) -> None:
    loss = None
    for i, t in enumerate(pool):
        part = (t * t * (0.1 * (i + 1)) + t).sum()
        loss = part if loss is None else loss + part
    if loss is None or not loss.requires_grad:
        return
    try:
        grads = xp.autograd.grad(loss, leaves, create_graph=second, allow_unused=True)
    except RuntimeError as error:
        outcome.backward_error = str(error)
        return
    outcome.grads = [None if g is None else np.array(g.detach().numpy()) for g in grads]
    if second:
        total = None
        for g in grads:
            if g is not None and g.requires_grad:
                part = (g * g).sum()
                total = part if total is None else total + part
        if total is not None:
            twice = xp.autograd.grad(total, leaves, allow_unused=True)
            outcome.second = [None if g is None else np.array(g.detach().numpy()) for g in twice]


def differences(ours: Outcome, theirs: Outcome) -> list[str]:
    """What differs between two outcomes, nothing if they agree."""
    found: list[str] = []
    for name in ("refused", "shapes", "requires"):
        if getattr(ours, name) != getattr(theirs, name):
            found.append(f"{name}: {getattr(ours, name)} and {getattr(theirs, name)}")
    if found:
        return found
    for name in ("values", "grads", "second"):
        for i, (a, b) in enumerate(zip(getattr(ours, name), getattr(theirs, name), strict=True)):
            if (a is None) != (b is None):
                zero = a if a is not None else b
                if name == "second" and not np.any(zero):
                    continue  # PyTorch says None where it knows that a second derivative is zero, and zeros else
                found.append(f"{name}[{i}]: {a} and {b}")
            elif a is not None and not np.allclose(a, b, rtol=1e-9, atol=1e-11):
                found.append(f"{name}[{i}]: {a} and {b}")
    return found
