"""A whole training step as a program: equal to eager bit for bit when interpreted, to rounding under one compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.errors import CaptureError
from dovetail.nn import functional as F  # as everybody writes it

IMAGES = np.random.default_rng(0).normal(size=(5, 16, 1, 8, 8)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 10, (5, 16))


class Net(nn.Module):
    """Convolution, batch norm, dropout: everything whose state a step moves."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.3)
        self.last = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.last(self.dropout(x.flatten(1)))


def train(captured: bool) -> tuple[list[float], dict[str, Any]]:
    """Five steps of Adam with the rate changed after the second; captured on batch 1, run on 2 to 5."""
    dovetail.manual_seed(0)
    net = Net()
    optimizer = dovetail.optim.Adam(net.parameters(), lr=1e-2, eps=1e-4)

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    run: Callable[..., Any] = step
    losses = []
    for number, (images, labels) in enumerate(zip(IMAGES, LABELS, strict=True)):
        batch = dovetail.tensor(images), dovetail.tensor(labels)
        if number == 1 and captured:
            run = dovetail.program.capture(step, *batch)
        if number == 2:
            optimizer.param_groups[0]["lr"] = 3e-3
        losses.append(float(run(*batch)))
    state = {name: np.array(value.numpy()) for name, value in net.state_dict().items()}
    for name, p in net.named_parameters():
        state[f"{name} gradient"] = np.array(p.grad.numpy())
        for key, value in optimizer.state[p].items():
            state[f"{name} {key}"] = np.array(value.numpy())
    state["offset"] = np.array(dovetail.get_rng_state().numpy())
    return losses, state


def test_an_interpreted_step_is_the_eager_one_bit_for_bit() -> None:
    with dovetail.use_backend("numpy"):
        eager, program = train(False), train(True)
    assert eager[0] == program[0]
    for name, value in eager[1].items():
        np.testing.assert_array_equal(value, program[1][name], err_msg=name)


def test_a_compiled_step_is_the_eager_one_to_rounding() -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    with dovetail.use_backend("numpy"):
        losses, state = train(False)
    with dovetail.use_backend("jax"):
        found, compiled = train(True)
    np.testing.assert_allclose(found, losses, rtol=2e-5)
    for name in ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "offset"):
        np.testing.assert_allclose(compiled[name], state[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_capture_by_itself_changes_nothing() -> None:
    with dovetail.use_backend("numpy"):
        w = dovetail.ones(3, requires_grad=True)
        view = w.detach().view(3)

        def step(x: Any) -> Any:
            loss = (w * x).sum()
            loss.backward()
            with dovetail.no_grad():
                w.sub_(w.grad)
            return loss

        program = dovetail.program.capture(step, dovetail.ones(3))
        assert w.grad is None
        assert w.tolist() == [1, 1, 1]
        assert view.tolist() == [1, 1, 1]
        program(dovetail.ones(3))
        assert w.tolist() == [0, 0, 0]
        assert view.tolist() == [0, 0, 0], "an alias from before the capture sees every run"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lambda x: x.sum().item(), "item"),
        (lambda x: x if x.sum() > 0 else -x, "bool"),
        (lambda x: x.numpy(), "numpy"),
        (lambda x: x.nonzero(), "depends on values"),
        (lambda x: x[x > 0], "depends on values"),
        (lambda x: float(x.sum()), "float"),
        (str, "read"),
    ],
    ids=["item", "bool", "numpy", "nonzero", "mask", "float", "print"],
)
def test_what_needs_a_value_is_refused_with_the_line(body: Callable[[Any], Any], why: str) -> None:
    with pytest.raises(CaptureError, match=why) as caught:
        dovetail.program.capture(body, dovetail.ones(3))
    assert "test_capture.py" in str(caught.value)


def test_a_failed_capture_leaves_everything_as_it_was() -> None:
    w = dovetail.ones(2, requires_grad=True)
    before = w._data

    def step(x: Any) -> Any:
        (w * x).sum().backward()
        return w.sum().item()

    with pytest.raises(CaptureError):
        dovetail.program.capture(step, dovetail.ones(2))
    assert w._data is before
    assert w.grad is None
    assert (w * 2).tolist() == [2, 2]


def test_a_tensor_that_outlives_the_capture_is_refused() -> None:
    kept: list[Any] = []
    with pytest.raises(CaptureError, match="still held"):
        dovetail.program.capture(lambda x: kept.append(x * 2) or x, dovetail.ones(2))


def test_a_graph_from_before_the_capture_is_refused() -> None:
    w = dovetail.ones(2, requires_grad=True)
    old = (w * w).sum()

    def step(x: Any) -> Any:
        old.backward()
        return x

    with pytest.raises(CaptureError, match="before the capture began"):
        dovetail.program.capture(step, dovetail.ones(2))


def test_another_shape_does_not_fit_and_compile_captures_again() -> None:
    program = dovetail.program.capture(lambda x: x * 2, dovetail.ones(2))
    with pytest.raises(CaptureError, match="capture again"):
        program(dovetail.ones(3))
    twice = dovetail.compile(lambda x: x * 2)
    for size in (2, 2, 3, 3, 2):
        assert twice(dovetail.ones(size)).tolist() == [2.0] * size


def test_a_value_check_in_a_program_is_raised_at_the_end_of_the_run() -> None:
    program = dovetail.program.capture(lambda x, i: x[i], dovetail.ones(3), dovetail.tensor([0, 2]))
    assert program(dovetail.ones(3), dovetail.tensor([1, 1])).tolist() == [1, 1]
    with pytest.raises((CaptureError, IndexError), match=r"index|value"):
        program(dovetail.ones(3), dovetail.tensor([0, 7]))


def test_a_compiled_program_stays_on_its_device() -> None:
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    with dovetail.use_backend("jax"), pytest.raises(CaptureError, match="runs on one device"):
        dovetail.program.capture(lambda x: (x * 2).to("numpy"), dovetail.ones(2))
