"""Hooks of optimizers: around the step, around state dicts, and around the step of an own optimizer."""

from __future__ import annotations

from typing import Any

import pytest

import dovetail
from dovetail.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


def leaf(*shape: int) -> dovetail.Tensor:
    return dovetail.ones(*shape, requires_grad=True)


def test_hooks_run_around_the_step_in_pytorchs_order() -> None:
    calls: list[str] = []

    def note(name: str) -> Any:
        return lambda *given: calls.append(name)

    w = leaf(1)
    optimizer = dovetail.optim.SGD([w], lr=0.1)
    handles = [
        register_optimizer_step_pre_hook(note("before all")),
        optimizer.register_step_pre_hook(note("before")),
        optimizer.register_step_post_hook(note("after")),
        register_optimizer_step_post_hook(note("after all")),
    ]
    optimizer.step(lambda: calls.append("step"))
    assert calls == ["before all", "before", "step", "after", "after all"]
    for handle in handles:
        handle.remove()
        handle.remove()
    optimizer.step()
    assert len(calls) == 5


def test_a_hook_may_change_the_arguments() -> None:
    w = leaf(1)
    optimizer = dovetail.optim.SGD([w], lr=0.1)
    with optimizer.register_step_pre_hook(lambda o, args, kwargs: ((*args, lambda: "loss"), kwargs)):
        assert optimizer.step() == "loss"
    assert optimizer.step() is None
    optimizer.register_step_pre_hook(lambda o, args, kwargs: "nonsense")
    with pytest.raises(RuntimeError, match="tuple of"):
        optimizer.step()


def test_hooks_around_state_dicts() -> None:
    w = leaf(1)
    optimizer = dovetail.optim.SGD([w], lr=0.1)
    calls: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: calls.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    state = optimizer.state_dict()
    assert calls == ["first", "second"]
    assert state["extra"] == 1

    def half(_: Any, given: dict[str, Any]) -> dict[str, Any]:
        groups = [{**g, "lr": g["lr"] / 2} for g in given["param_groups"]]
        return {**given, "param_groups": groups}

    optimizer.register_load_state_dict_pre_hook(half)
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.05
    assert calls[-1] == "loaded"


def test_an_own_optimizer_has_hooks_groups_and_checkpoints() -> None:
    class Descent(Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def __setstate__(self, state: dict[str, Any]) -> None:
            super().__setstate__(state)
            for group in self.param_groups:
                group.setdefault("later", True)

        @dovetail.no_grad()
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1
                    p.add_(p.grad, alpha=-group["lr"])

    w = leaf(2)
    optimizer = Descent([w], lr=0.5)
    calls: list[int] = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    w.sum().backward()
    optimizer.step()
    assert w.tolist() == [0.5, 0.5]
    assert calls == [1]
    second = Descent([w], lr=0.1)
    second.load_state_dict(optimizer.state_dict())
    assert second.state[w]["count"] == 1
    assert second.param_groups[0]["later"] is True
    with pytest.raises(NotImplementedError, match="must define step"):
        Optimizer([w], {}).step()
