"""An optimizer's step on other parameters and another state than its own, for a while."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from dovetail.errors import ArgumentRuntimeError
from dovetail.optim.groups import Group
from dovetail.optim.optimizer import Optimizer
from dovetail.tensor.tensor import Tensor

_NAME: Final = "swap_in_optimizer_params_and_state"


@contextmanager
def swap_in_optimizer_params_and_state(
    optimizer: Optimizer, swapin_parameters: Mapping[str, Tensor], swapin_optim_state: Mapping[str, Any]
) -> Iterator[None]:
    """Inside the block the optimizer has these parameters, in its own order, and the state and options given.

    The state has the form of :meth:`Optimizer.state_dict`; steps write its tensors in place. Afterwards the optimizer
    has its own parameters, state and options again.

    Errors: RuntimeError for a state of another form, or other numbers of groups and parameters.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.SGD([w], lr=0.5)
    >>> other = dovetail.zeros(2, requires_grad=True)
    >>> other.grad = dovetail.ones(2)
    >>> with dovetail.optim.swap_in_optimizer_params_and_state(optimizer, {"w": other}, optimizer.state_dict()):
    ...     optimizer.step()
    >>> other.tolist(), w.tolist()
    ([-0.5, -0.5], [1.0, 1.0])
    """
    state, saved = _checked(optimizer, swapin_optim_state)
    params = list(swapin_parameters.values())
    if len(params) != sum(len(g["params"]) for g in saved):
        raise _refused(f"as many parameters as the optimizer has, got {len(params)}")
    own_state, own_groups = optimizer.state, [dict(group) for group in optimizer.param_groups]
    swapped: defaultdict[Any, Any] = defaultdict(dict)
    given = iter(params)
    try:
        for group, new in zip(optimizer.param_groups, saved, strict=True):
            group.update(new)
            group["params"] = [next(given) for _ in new["params"]]
            for param, number in zip(group["params"], new["params"], strict=True):
                swapped[param] = dict(state.get(number, {}))
        optimizer.state = swapped
        yield
    finally:
        for group, own in zip(optimizer.param_groups, own_groups, strict=True):
            group.clear()
            group.update(own)
        optimizer.state = own_state


def _refused(what: str) -> ArgumentRuntimeError:
    return ArgumentRuntimeError(f"{_NAME} requires {what}: pass optimizer.state_dict()")


def _checked(optimizer: Optimizer, given: Mapping[str, Any]) -> tuple[dict[Any, Any], list[Group]]:
    """State and groups, if they are of the form of this optimizer's state dict."""
    state, groups = given.get("state"), given.get("param_groups")
    if not isinstance(state, dict) or not all(isinstance(v, dict) for v in state.values()):
        raise _refused("a 'state' that is a dict of dicts")
    if not isinstance(groups, list) or len(groups) != len(optimizer.param_groups):
        raise _refused(f"a list of {len(optimizer.param_groups)} 'param_groups'")
    numbers: set[int] = set()
    for own, group in zip(optimizer.param_groups, groups, strict=True):
        if not isinstance(group, dict) or set(group) != set(own):
            raise _refused(f"groups with the options {sorted(own)}")
        if len(group["params"]) != len(own["params"]) or not all(isinstance(n, int) for n in group["params"]):
            raise _refused("a number for each parameter of a group")
        numbers.update(group["params"])
    if any(key not in numbers for key in state):
        raise _refused("a 'state' by the numbers of the parameters")
    return state, groups
