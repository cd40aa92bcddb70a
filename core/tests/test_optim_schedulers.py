"""Schedules of the learning rate: PyTorch's rates to the last bit, its state dicts, its warnings and errors."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import dovetail
from dovetail.errors import CaptureError
from dovetail.optim import lr_scheduler

CYCLE = {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3}


class Falling:
    """A callable object, which a state dict remembers by its attributes."""

    def __init__(self, base: float) -> None:
        self.base = base

    def __call__(self, epoch: float) -> float:
        return self.base**epoch


CASES: list[tuple[str, dict[str, Any]]] = [
    ("LambdaLR", {"lr_lambda": Falling(0.95)}),
    ("MultiplicativeLR", {"lr_lambda": Falling(0.99)}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.3, "total_iters": 4}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 0.9, "total_iters": 7}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {**CYCLE, "step_size_down": 5}),
    ("CyclicLR", {**CYCLE, "mode": "triangular2"}),
    ("CyclicLR", {**CYCLE, "mode": "exp_range", "gamma": 0.9, "cycle_momentum": False}),
    ("CyclicLR", {**CYCLE, "scale_fn": Falling(0.7), "scale_mode": "iterations", "base_momentum": 0.6}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 25}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 25, "cycle_momentum": False, "div_factor": 5.0}),
    (
        "OneCycleLR",
        {"max_lr": 1.0, "epochs": 5, "steps_per_epoch": 5, "three_phase": True, "anneal_strategy": "linear"},
    ),
    ("SWALR", {"swa_lr": 0.05}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 4, "anneal_strategy": "linear"}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
]
named = pytest.mark.parametrize(("name", "options"), CASES, ids=lambda v: v if isinstance(v, str) else ",".join(v))


def optimizer_of(xp: Any, kind: str = "SGD", groups: int = 1, tensor: bool = False) -> Any:
    """An optimizer with one or more groups of different rates, which may be tensors."""
    rates = [0.5 * (i + 1) for i in range(groups)]
    params = [
        {"params": [xp.ones(1, requires_grad=True)], "lr": xp.tensor(r, dtype=xp.float64) if tensor else r}
        for r in rates
    ]
    more = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(xp.optim, kind)(params, lr=0.5, **more)


def schedule_of(xp: Any, name: str, optimizer: Any, options: dict[str, Any]) -> Any:
    """A schedule by its name."""
    family = xp.optim.swa_utils if name == "SWALR" else xp.optim.lr_scheduler
    return getattr(family, name)(optimizer, **options)


def seen(optimizer: Any) -> list[float]:
    """What schedules change."""
    found = []
    for group in optimizer.param_groups:
        found += [float(group["lr"]), float(group.get("momentum", 0)), float(group.get("betas", (0,))[0])]
    return found


def rates(optimizer: Any, schedule: Any, epochs: Any = (None,) * 20) -> list[list[float]]:
    """Rates and momenta along a training."""
    found = []
    for epoch in epochs:
        found.append(seen(optimizer))
        assert [float(rate) for rate in schedule.get_last_lr()] == found[-1][::3]
        optimizer.step()
        schedule.step(*([] if epoch is None else [epoch]))
    return found


@pytest.fixture(scope="module")
def torch() -> Any:
    """PyTorch with its schedules."""
    found = pytest.importorskip("torch", reason="PyTorch is the oracle: ./dev test --with torch==2.13.0")
    __import__("torch.optim.swa_utils")
    return found


@pytest.mark.oracle
@named
@pytest.mark.parametrize(
    "setting",
    [{}, {"kind": "Adam", "groups": 2}, {"tensor": True}],
    ids=["one group", "two groups of Adam", "a rate that is a tensor"],
)
def test_rates_are_pytorchs_to_the_last_bit(
    torch: Any, setting: dict[str, Any], name: str, options: dict[str, Any]
) -> None:
    found = []
    for xp in (torch, dovetail):
        optimizer = optimizer_of(xp, **setting)
        schedule = schedule_of(xp, name, optimizer, options)
        found.append((rates(optimizer, schedule), set(schedule.state_dict())))
    theirs, ours = found
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1] - {"_scale_fn_ref"}
    moving = len({tuple(rate) for rate in ours[0]}) > 1
    assert moving or options.get("anneal_epochs") == 0, "a schedule that changes nothing tests nothing"


@pytest.mark.oracle
@named
def test_epochs_that_are_given_have_pytorchs_rates(torch: Any, name: str, options: dict[str, Any]) -> None:
    """In closed form where there is one; a warning says that nobody needs to give them."""
    epochs = (0, 7, 3, 3, 12, 1, 20)
    found = []
    for xp in (torch, dovetail):
        optimizer = optimizer_of(xp)
        schedule = schedule_of(xp, name, optimizer, options)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found.append((rates(optimizer, schedule, epochs), len(caught)))
    assert found[0] == found[1]


@pytest.mark.oracle
@named
def test_state_goes_from_pytorch_to_here(torch: Any, name: str, options: dict[str, Any]) -> None:
    theirs = optimizer_of(torch)
    schedule = schedule_of(torch, name, theirs, options)
    rates(theirs, schedule, (None,) * 7)
    ours = optimizer_of(dovetail)
    mine = schedule_of(dovetail, name, ours, options)
    mine.load_state_dict({k: v for k, v in schedule.state_dict().items() if k != "anneal_func"})
    ours.load_state_dict({"state": {}, "param_groups": theirs.state_dict()["param_groups"]})
    assert rates(ours, mine, (None,) * 8) == rates(theirs, schedule, (None,) * 8)


@named
def test_a_state_dict_resumes_a_schedule(name: str, options: dict[str, Any]) -> None:
    first = optimizer_of(dovetail)
    schedule = schedule_of(dovetail, name, first, options)
    rates(first, schedule, (None,) * 7)
    second = optimizer_of(dovetail)
    other = schedule_of(dovetail, name, second, options)
    other.load_state_dict(schedule.state_dict())
    second.load_state_dict(first.state_dict())
    assert rates(second, other, (None,) * 8) == rates(first, schedule, (None,) * 8)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 1, "factor": 0.5},
        {"patience": 0, "cooldown": 2, "threshold_mode": "abs", "threshold": 0.3},
        {"mode": "max", "patience": 1, "min_lr": 0.04},
        {"mode": "max", "threshold_mode": "abs", "patience": 1, "eps": 0.1},
    ],
    ids=str,
)
def test_a_plateau_is_seen_where_pytorch_sees_it(torch: Any, options: dict[str, Any]) -> None:
    losses = [3.0, 2.0, 2.0, 1.9, 1.9, 1.9, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    found = []
    for xp in (torch, dovetail):
        optimizer = optimizer_of(xp, groups=2)
        schedule = xp.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        points = []
        for i, loss in enumerate(losses):
            schedule.step(xp.tensor(loss) if i % 2 else loss)
            points.append((seen(optimizer), schedule.get_last_lr(), schedule.num_bad_epochs, schedule.in_cooldown))
        found.append((points, schedule.state_dict()))
    assert found[0] == found[1]


def composed(xp: Any, optimizer: Any, form: str) -> Any:
    """Schedules of schedules."""
    s = xp.optim.lr_scheduler
    if form == "sequence":
        parts = [s.LinearLR(optimizer, 0.1, total_iters=3), s.CosineAnnealingLR(optimizer, 8), s.StepLR(optimizer, 2)]
        return s.SequentialLR(optimizer, parts, milestones=[4, 10])
    chain = s.ChainedScheduler([s.ConstantLR(optimizer, 0.5, 4), s.ExponentialLR(optimizer, 0.9)])
    if form == "chain":
        return chain
    return s.SequentialLR(optimizer, [chain, s.ExponentialLR(optimizer, 0.5)], milestones=[12])


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Detected call")  # a chain that starts again steps its parts, in PyTorch too
@pytest.mark.parametrize("form", ["sequence", "chain", "sequence of a chain"])
def test_composed_schedules(torch: Any, form: str) -> None:
    found = []
    for xp in (torch, dovetail):
        optimizer = optimizer_of(xp, groups=2)
        schedule = composed(xp, optimizer, form)
        whole = rates(optimizer, schedule)
        again = optimizer_of(xp, groups=2)
        second = composed(xp, again, form)
        second.load_state_dict(schedule.state_dict())
        again.load_state_dict(optimizer.state_dict())
        found.append((whole, rates(again, second), set(schedule.state_dict())))
    assert found[0] == found[1]


def test_wrong_orders_are_warned_of() -> None:
    optimizer = optimizer_of(dovetail)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.9)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()  # said once
        right = optimizer_of(dovetail)
        other = lr_scheduler.ExponentialLR(right, 0.9)
        right.step()
        other.step()
    replaced = optimizer_of(dovetail)
    third = lr_scheduler.ExponentialLR(replaced, 0.9)
    replaced.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        third.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        third.get_lr()


def test_mistakes_are_refused() -> None:
    optimizer = optimizer_of(dovetail, groups=2)
    bare = dovetail.optim.Adagrad([dovetail.ones(1, requires_grad=True)])
    s = lr_scheduler
    other = s.StepLR(optimizer_of(dovetail), 1)
    cases: list[tuple[type[Exception], str, Any]] = [
        (TypeError, "is not an Optimizer", lambda: s.StepLR("SGD", 1)),
        (KeyError, "initial_lr", lambda: s.StepLR(optimizer, 1, last_epoch=3)),
        (ValueError, "Expected 2 lr_lambdas, but got 1", lambda: s.LambdaLR(optimizer, [len])),
        (TypeError, "should be a function", lambda: s.MultiplicativeLR(optimizer, 0.9)),
        (ValueError, "between 0 and 1", lambda: s.ConstantLR(optimizer, 2.0)),
        (ValueError, "greater than 0", lambda: s.LinearLR(optimizer, 0.0)),
        (ValueError, "positive integer T_0", lambda: s.CosineAnnealingWarmRestarts(optimizer, 0)),
        (ValueError, "T_mult >= 1", lambda: s.CosineAnnealingWarmRestarts(optimizer, 1, 0)),
        (ValueError, "same length", lambda: s.CyclicLR(optimizer, [0.1], 1.0)),
        (ValueError, "mode is invalid", lambda: s.CyclicLR(optimizer, 0.1, 1.0, mode="square")),
        (ValueError, "momentum or beta1", lambda: s.CyclicLR(bare, 0.1, 1.0)),
        (ValueError, "momentum or beta1", lambda: s.OneCycleLR(bare, 0.1, 10)),
        (ValueError, "total_steps OR", lambda: s.OneCycleLR(optimizer, 0.1)),
        (ValueError, "positive integer total_steps", lambda: s.OneCycleLR(optimizer, 0.1, 0)),
        (ValueError, "pct_start", lambda: s.OneCycleLR(optimizer, 0.1, 10, pct_start=2)),
        (ValueError, "anneal_strategy", lambda: s.OneCycleLR(optimizer, 0.1, 10, anneal_strategy="square")),
        (ValueError, "Factor should be", lambda: s.ReduceLROnPlateau(optimizer, factor=1.0)),
        (ValueError, "mode best is unknown", lambda: s.ReduceLROnPlateau(optimizer, mode="best")),
        (ValueError, "expected 2 min_lrs", lambda: s.ReduceLROnPlateau(optimizer, min_lr=[0.1])),
        (ValueError, "at least one", lambda: s.SequentialLR(optimizer, [], [])),
        (ValueError, "one more than", lambda: s.SequentialLR(optimizer, [s.StepLR(optimizer, 1)], [1])),
        (ValueError, "same optimizer", lambda: s.ChainedScheduler([s.StepLR(optimizer, 1), other])),
        (ValueError, "ReduceLROnPlateau", lambda: s.ChainedScheduler([s.ReduceLROnPlateau(optimizer)])),
    ]
    for kind, text, call in cases:
        with pytest.raises(kind, match=text):
            call()
    short = s.OneCycleLR(optimizer, 0.1, 2)
    for _ in range(2):
        optimizer.step()
        short.step()
    with pytest.raises(ValueError, match="specified number of total steps is 2"):
        short.step()


def test_a_schedule_cannot_be_captured() -> None:
    optimizer = optimizer_of(dovetail)
    for schedule in (lr_scheduler.StepLR(optimizer, 1), lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3)):
        before = dict(schedule.state_dict())
        with pytest.raises(CaptureError, match="after the captured function"):
            dovetail.program.capture(lambda x, schedule=schedule: schedule.step() or x, dovetail.ones(1))
        assert schedule.state_dict() == before
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(CaptureError, match="after the captured function"):
        dovetail.program.capture(lambda x: plateau.step(1.0) or x, dovetail.ones(1))


def test_a_rate_that_is_a_tensor_is_written_in_place() -> None:
    rate = dovetail.tensor(0.5)
    optimizer = dovetail.optim.SGD([dovetail.ones(1, requires_grad=True)], lr=rate)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25
    assert schedule.base_lrs[0].item() == 0.5
