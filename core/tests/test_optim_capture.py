"""Optimizers in captured programs: live numbers, guarded options; and steps that write in place."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import dovetail
from dovetail.errors import CaptureError


def leaf(*shape: int) -> dovetail.Tensor:
    return dovetail.ones(*shape, requires_grad=True)


def captured_sgd(**options: Any) -> tuple[Any, Any, Any]:
    """A parameter, its optimizer, and the program of a step on its gradient."""
    w = dovetail.zeros(2, requires_grad=True)
    optimizer = dovetail.optim.SGD([w], lr=1.0, **options)

    def step(g: dovetail.Tensor) -> dovetail.Tensor:
        w.grad = g * 1
        optimizer.step()
        return g

    step(dovetail.zeros(2))
    return w, optimizer, dovetail.program.capture(step, dovetail.zeros(2))


def test_numbers_are_live_in_a_program_and_options_are_guarded() -> None:
    with dovetail.use_backend("numpy"):
        w, optimizer, program = captured_sgd(momentum=0.5)
        group = optimizer.param_groups[0]
        program(dovetail.ones(2))
        group["lr"], group["momentum"] = 0.5, 2.0
        program(dovetail.ones(2))
        assert w.tolist() == [-2.5, -2.5]
        group["maximize"] = True
        with pytest.raises(CaptureError, match="an option of SGD was changed"):
            program(dovetail.ones(2))
        group["maximize"] = False
        program(dovetail.ones(2))
        optimizer.load_state_dict(optimizer.state_dict())
        with pytest.raises(CaptureError, match="state was loaded into SGD"):
            program(dovetail.ones(2))


def test_a_compiled_step_is_captured_again_when_an_option_changes() -> None:
    with dovetail.use_backend("numpy"):
        w = dovetail.zeros(2, requires_grad=True)
        optimizer = dovetail.optim.Adam([w], lr=1.0, eps=0.0)

        @dovetail.compile  # type: ignore[untyped-decorator]
        def step(g: dovetail.Tensor) -> dovetail.Tensor:
            w.grad = g * 1
            optimizer.step()
            return g

        for _ in range(3):
            step(dovetail.ones(2))
        assert w[0].item() == pytest.approx(-3)
        optimizer.param_groups[0]["maximize"] = True
        optimizer.state.clear()
        optimizer._changes += 1
        for _ in range(3):
            step(dovetail.ones(2))
        assert w[0].item() == pytest.approx(0, abs=1e-6)
        assert "option" in step.reasons[-1] or "state" in step.reasons[-1]


def test_a_rate_that_is_a_tensor_is_live_in_a_program() -> None:
    with dovetail.use_backend("numpy"):
        rate = dovetail.tensor(1.0)
        w = dovetail.zeros(2, requires_grad=True)
        optimizer = dovetail.optim.SGD([w], lr=rate)

        def step(g: dovetail.Tensor) -> dovetail.Tensor:
            w.grad = g * 1
            optimizer.step()
            return g

        program = dovetail.program.capture(step, dovetail.ones(2))
        program(dovetail.ones(2))
        rate.fill_(0.5)
        program(dovetail.ones(2))
        assert w.tolist() == [-1.5, -1.5]


def test_the_undamped_first_step_of_sgd_cannot_be_captured() -> None:
    w = leaf(2)
    optimizer = dovetail.optim.SGD([w], lr=0.1, momentum=0.9, dampening=0.5)

    def step(g: dovetail.Tensor) -> dovetail.Tensor:
        w.grad = g * 1
        optimizer.step()
        return g

    with pytest.raises(CaptureError, match="first step of SGD is not damped"):
        dovetail.program.capture(step, dovetail.ones(2))


NAMES = ("SGD", "Adam", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "RMSprop", "ASGD")


@pytest.mark.parametrize("name", NAMES)
def test_a_step_writes_into_its_own_arrays(name: str) -> None:
    """No temporaries the size of the parameter: the arrays behind it and its state stay the same objects."""
    with dovetail.use_backend("numpy"):
        w = dovetail.ones(1000, requires_grad=True)
        options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        optimizer = getattr(dovetail.optim, name)([w], lr=0.1, **options)
        w.grad = dovetail.ones(1000)
        optimizer.step()
        mine = [w, *(v for v in optimizer.state[w].values())]
        places = [id(t._data) for t in mine]
        optimizer.step()
        assert [id(t._data) for t in mine] == places
        kept = w.detach().numpy()
        optimizer.step()
        assert kept[0] != w.detach().numpy()[0], "what somebody else holds never changes"


def test_changing_a_number_makes_no_new_plan() -> None:
    """A schedule of rate and momentum must not cost a plan (and elsewhere a compilation) per step."""
    w = leaf(3)
    optimizer = dovetail.optim.Adam([w])
    plans = dovetail.ops.adam_step.record.plans
    counts = []
    for i in range(4):
        w.grad = dovetail.ones(3)
        optimizer.param_groups[0].update(lr=0.1 / (i + 1), betas=(0.9 - i / 10, 0.99), eps=10.0**-i)
        optimizer.step()
        counts.append(len(plans))
    assert counts == [counts[0]] * 4


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (*NAMES, "AdamW", "Rprop", "Adafactor", "Muon"):
            w = leaf(2, 2)
            optimizer = getattr(dovetail.optim, name)([w])
            w.grad = dovetail.zeros(2, 2)
            optimizer.step()
            assert bool(w.isfinite().all())


@pytest.mark.parametrize(("name", "options"), [("SGD", {"momentum": 0.9}), ("Adam", {}), ("NAdam", {})])
def test_one_compiled_program_follows_a_schedule(name: str, options: dict[str, Any]) -> None:
    """A backend that compiles whole steps gets rate and momentum as inputs: one program, the eager trajectory."""
    pytest.importorskip("jax", reason="the extra `jax` is not installed")
    found = []
    with dovetail.use_backend("jax"):
        for compiled in (False, True):
            w = dovetail.tensor([1.0, -2.0, 3.0], requires_grad=True)
            optimizer = getattr(dovetail.optim, name)([w], lr=0.1, **options)
            schedule = dovetail.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=8)

            def step(pull: dovetail.Tensor, w: Any = w, optimizer: Any = optimizer) -> dovetail.Tensor:
                optimizer.zero_grad()
                loss = ((w - pull) * (w - pull)).sum()
                loss.backward()
                optimizer.step()
                return loss

            run = dovetail.compile(step) if compiled else step
            for i in range(6):
                run(dovetail.tensor(float(i)))
                schedule.step()
            found.append(w.tolist())
            if compiled:
                assert sum(map(len, run.programs.values())) == 1
    assert found[1] == pytest.approx(found[0], rel=1e-5, abs=1e-6)
