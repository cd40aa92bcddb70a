"""The same script on two backends: what must be equal, what must be close, and where they part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dovetail.contract.selection import use_backend
from dovetail.demo.network import FEATURES, KEEP
from dovetail.demo.training import Run, Trainer, train
from dovetail.dispatch.reading import host_values
from dovetail.ops.random import dropout_mask
from dovetail.random.generator import default_generator, fork_rng
from dovetail.random.streams import blocks

Host = np.ndarray[Any, Any]

FIRST_LOSS = 1e-6
FIRST_GRADIENT = 2e-6
EARLY_LOSS = 1e-5
EARLY_EPOCHS = 3
LATE_LOSS = 1e-2
ACCURACY = 0.01


@dataclass
class Evidence:
    """What one backend did in the first epoch, before and after its first step."""

    weights: dict[str, Host]
    batches: list[Host] = field(default_factory=list)
    masks: list[Host] = field(default_factory=list)
    loss: float = 0.0
    gradients: dict[str, Host] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One line of the comparison."""

    what: str
    found: str
    allowed: str
    holds: bool


def _copy(t: Any) -> Host:
    return np.array(host_values(t.detach()))


def gather(seed: int) -> Evidence:
    """Look at the start of a run on the default device: weights, an epoch of batches and masks, the first step."""
    trainer = Trainer(seed, compiled=False)
    seen = Evidence({name: _copy(p) for name, p in trainer.model.named_parameters()})
    for number, (images, labels) in enumerate(trainer.train):
        seen.batches += [_copy(images), _copy(labels)]
        with fork_rng():  # the mask that this step is about to draw
            seen.masks.append(_copy(dropout_mask((len(labels), FEATURES), KEEP, images.device)))
        if number == 0:
            seen.loss = float(trainer.step(images, labels))
            seen.gradients = {name: _copy(p.grad) for name, p in trainer.model.named_parameters()}
        else:
            default_generator.advance(blocks((len(labels), FEATURES), 32))
    return seen


def _bits(a: Host, b: Host) -> int:
    """How many bits differ between two arrays."""
    left, right = (np.unpackbits(np.frombuffer(np.ascontiguousarray(x).tobytes(), np.uint8)) for x in (a, b))
    return int((left != right).sum())


def _same_bits(what: str, pairs: Iterator[tuple[Host, Host]]) -> Line:
    different = sum(_bits(a, b) for a, b in pairs)
    return Line(what, f"{different} bits apart", "0 bits", different == 0)


def _first_step(a: Evidence, b: Evidence) -> list[Line]:
    loss = abs(a.loss - b.loss)
    share = max(
        float(np.abs(g - b.gradients[name]).max() / max(float(np.abs(g).max()), np.finfo(np.float32).tiny))
        for name, g in a.gradients.items()
        if np.abs(g).max() > 1e-6  # a bias before a batch norm has no gradient but rounding
    )
    return [
        Line("loss of step 1", f"{loss:.1e} apart", f"{FIRST_LOSS:.0e}", loss <= FIRST_LOSS),
        Line(
            "gradients of step 1",
            f"{share:.1e} of each tensor's largest",
            f"{FIRST_GRADIENT:.0e}",
            share <= FIRST_GRADIENT,
        ),
    ]


def _runs(a: Run, b: Run) -> list[Line]:
    relative = [abs(x - y) / abs(x) for x, y in zip(a.losses, b.losses, strict=True)]
    early, late = relative[:EARLY_EPOCHS], relative[EARLY_EPOCHS:]
    lines = [
        Line(f"loss to epoch {len(early)}", f"{max(early):.1e} relative", f"{EARLY_LOSS:.0e}", max(early) <= EARLY_LOSS)
    ]
    if late:
        lines.append(
            Line("loss of later epochs", f"{max(late):.1e} relative", f"{LATE_LOSS:.0e}", max(late) <= LATE_LOSS)
        )
    points = abs(a.accuracies[-1] - b.accuracies[-1])
    lines.append(Line("accuracy at the end", f"{100 * points:.2f} points apart", "1 point", points <= ACCURACY))
    return lines


def compare(first: str, second: str, epochs: int, seed: int = 0) -> tuple[list[Line], tuple[Run, Run]]:
    """Train on two backends and hold every line of the comparison against its bound."""
    evidence: list[Evidence] = []
    runs: list[Run] = []
    for backend in (first, second):
        with use_backend(backend):
            evidence.append(gather(seed))
            runs.append(train(epochs, seed))
    a, b = evidence
    lines = [
        _same_bits("initial weights", ((w, b.weights[name]) for name, w in a.weights.items())),
        _same_bits("batches of epoch 1", iter(zip(a.batches, b.batches, strict=True))),
        _same_bits("dropout masks of epoch 1", iter(zip(a.masks, b.masks, strict=True))),
        *_first_step(a, b),
        *_runs(*runs),
    ]
    return lines, (runs[0], runs[1])
