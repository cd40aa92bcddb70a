"""Training: initial weights, dropout masks and batches are the same bits as on the host; losses are compared.

Native arithmetic rounds differently on two devices, and training magnifies that: only the beginning can be equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.nn import functional
from dovetail.utils.data import DataLoader, TensorDataset
from dovetail_conformance.calls import array
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

STEPS: Final = 30
FULL: Final = 300
SAMPLES, FEATURES, CLASSES, BATCH = 240, 20, 5, 40


def _model() -> Any:
    """A network with the layers whose initial values are drawn in different ways."""
    nn = dovetail.nn
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.LayerNorm(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, CLASSES))


def _data() -> tuple[Host, Host]:
    """Points around the centres of classes: a task that can be learnt."""
    rng = np.random.default_rng(8)
    labels = rng.integers(0, CLASSES, SAMPLES)
    centres = rng.standard_normal((CLASSES, FEATURES))
    return (centres[labels] + 0.7 * rng.standard_normal((SAMPLES, FEATURES))).astype(np.float32), labels


def _loader() -> Any:
    points, labels = _data()
    data = TensorDataset(dovetail.tensor(points), dovetail.tensor(labels))
    return DataLoader(data, batch_size=BATCH, shuffle=True, generator=dovetail.Generator().manual_seed(9))


def _weights() -> list[Host]:
    layers = [
        _model(),
        dovetail.nn.Conv2d(3, 4, 3),
        dovetail.nn.Embedding(7, 5),
        dovetail.nn.BatchNorm2d(4),
    ]
    return [array(v) for layer in layers for v in layer.state_dict().values()]


def _masks() -> list[Host]:
    ones = dovetail.ones(64, 33)
    return [array(functional.dropout(ones, p)) for p in (0.1, 0.5, 0.9)]


def _batches() -> list[Host]:
    return [array(part) for points, labels in _loader() for part in (points, labels)]


def _losses(device: Any, steps: int) -> list[Host]:
    """The losses of a run; the device is the default, so that everything is made there."""
    model = _model()
    optimizer = dovetail.optim.Adam(model.parameters(), lr=0.01)
    losses: list[Host] = []
    while len(losses) < steps:
        for points, labels in _loader():
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(points.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            losses.append(array(loss))
            if len(losses) == steps:
                break
    return losses


def training(session: Session) -> list[Row]:
    """One row each for weights, masks and batches, which are judged, and one for the losses, which are reported."""
    steps = FULL if session.full else STEPS
    rows = [
        _same(session, "initial weights", _weights),
        _same(session, "dropout masks", _masks),
        _same(session, "batches", _batches),
    ]
    row = Row("losses", "float32", "training", kind="reported", cases=1)
    try:
        ours = _drawn(session.device, lambda: _losses(session.device, steps))
        theirs = _drawn(session.second, lambda: _losses(session.second, steps))
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"training: {type(error).__name__}: {error}")
        return [*rows, row]
    row.tested = steps
    _report(row, [float(x) for x in ours], [float(x) for x in theirs])
    return [*rows, row]


def _report(row: Row, ours: list[float], theirs: list[float]) -> None:
    """How far losses are apart after some steps; a run that does not learn, or has no number, fails."""
    apart = [abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)]
    marks = [n for n in (1, 3, 10, 30, 100, 300) if n <= len(ours)]
    row.facts = {
        "steps": len(ours),
        "loss_first": ours[0],
        "loss_last": ours[-1],
        "first_difference": next((i + 1 for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), None),
        "relative_difference_by_step": {str(n): max(apart[:n]) for n in marks},
    }
    if not all(map(math.isfinite, ours)) or not ours[-1] < ours[0]:
        row.fail(f"the loss went from {ours[0]} to {ours[-1]} in {len(ours)} steps", expected="less")


def _drawn(device: Any, function: Callable[[], list[Host]]) -> list[Host]:
    """What a function gives on a device from the beginning of one seed's stream."""
    state = dovetail.get_rng_state()
    try:
        with quiet(), dovetail.use_backend(device):
            dovetail.manual_seed(2024)
            return function()
    finally:
        dovetail.set_rng_state(state)


def _same(session: Session, name: str, function: Callable[[], list[Host]]) -> Row:
    row = Row(name, "float32", "training", kind="S")
    try:
        ours, theirs = (_drawn(place, function) for place in (session.device, session.second))
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{name}: {type(error).__name__}: {error}")
        return row
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        row.cases += 1
        row.tested += a.size
        if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
            row.fail(f"{name}, number {number}: not the same bits as on {session.second}", expected=b, got=a)
    return row
