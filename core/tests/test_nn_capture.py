"""A training step with layers runs as a captured program and gives what it gives eagerly, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn


def train(momentum: float | None, compiled: bool) -> tuple[list[float], dict[str, Any]]:
    dovetail.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=momentum), nn.ReLU(), nn.Dropout(0.3), nn.Linear(3, 2)
    )

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        with dovetail.no_grad():
            for parameter in model.parameters():
                parameter.sub_(parameter.grad * 0.1)
        return loss

    run = dovetail.compile(step) if compiled else step
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(5):
        x = dovetail.tensor(rng.standard_normal((6, 4)).astype("float32"))
        losses.append(run(x, dovetail.tensor(rng.integers(0, 2, 6))).item())
    return losses, {name: value.tolist() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_counters_and_masks_are_live(momentum: float | None) -> None:
    eager, program = train(momentum, compiled=False), train(momentum, compiled=True)
    assert program == eager
    assert program[1]["1.num_batches_tracked"] == 5
    assert len(set(program[0])) == 5


def test_train_and_eval_are_told_apart() -> None:
    dovetail.manual_seed(0)
    layer = nn.Dropout(0.5)
    run = dovetail.compile(lambda x: layer(x) * 1)
    x = dovetail.ones(64)
    for _ in range(3):
        assert set(run(x).tolist()) == {0.0, 2.0}
    layer.eval()
    for _ in range(3):
        assert run(x).tolist() == x.tolist()
