"""State dicts of optimizers, in PyTorch's form: parameters are numbers, in the order of the groups."""

from __future__ import annotations

import numbers
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any, Final

from dovetail import dtypes, settings
from dovetail.errors import ArgumentError
from dovetail.optim.groups import Group
from dovetail.tensor.tensor import Tensor

LATER: Final[dict[str, Any]] = {
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
    "decoupled_weight_decay": False,
    "nesterov": False,
    "momentum": 0,
    "centered": False,
}
"""Options that older checkpoints lack, with the value that had their behaviour."""


def packed(state: Mapping[Any, Any], groups: Sequence[Group]) -> dict[str, Any]:
    """State and options, with a number for each parameter."""
    places: dict[int, int] = {}
    for i, p in enumerate(chain.from_iterable(g["params"] for g in groups)):
        places.setdefault(id(p), i)
    options = [
        {**{k: v for k, v in g.items() if k != "params"}, "params": [places[id(p)] for p in g["params"]]}
        for g in groups
    ]
    named: dict[Any, Any] = {}
    for key, values in state.items():
        if not isinstance(key, Tensor):
            named[key] = values
        elif values and id(key) in places:
            named[places[id(key)]] = dict(values)
    return {"state": named, "param_groups": options}


def check_groups(saved: Sequence[Group], own: Sequence[Group]) -> None:
    """Raise where the groups are not of the same number and sizes."""
    if len(saved) != len(own):
        raise ArgumentError(
            f"loaded state dict has a different number of parameter groups ({len(saved)}, this optimizer has "
            f"{len(own)})"
        )
    for i, (new, old) in enumerate(zip(saved, own, strict=True)):
        if len(new["params"]) != len(old["params"]):
            raise ArgumentError(
                f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group "
                f"(group {i}: {len(new['params'])} and {len(old['params'])} parameters)"
            )


def unpacked(
    state_dict: Mapping[str, Any], groups: Sequence[Group], own_dtype: frozenset[str]
) -> defaultdict[Any, Any]:
    """The state by parameter: copies, on the parameters' devices and in their dtypes."""
    params = dict(
        zip(
            chain.from_iterable(g["params"] for g in state_dict["param_groups"]),
            chain.from_iterable(g["params"] for g in groups),
            strict=True,
        )
    )
    state: defaultdict[Any, Any] = defaultdict(dict)
    for key, values in state_dict["state"].items():
        if key in params:
            state[params[key]] = {name: _placed(v, params[key], name, own_dtype) for name, v in values.items()}
        else:
            state[key] = values
    return state


def take_options(saved: Sequence[Group], own: Sequence[Group], defaults: Group) -> None:
    """Put saved options into the groups; what an older checkpoint lacks gets the value that it meant."""
    for new, group in zip(saved, own, strict=True):
        params, names = group["params"], group.get("param_names")
        group.clear()
        group.update({k: deepcopy(v) for k, v in new.items() if k != "params"})
        group["params"] = params
        if names is not None:
            group.setdefault("param_names", names)
        for name, default in defaults.items():
            group.setdefault(name, LATER.get(name, default))


def _placed(value: Any, param: Tensor, name: str, own_dtype: frozenset[str]) -> Any:
    """A loaded value on its parameter's device, floating state in its dtype; running numbers keep their own."""
    if isinstance(value, list | tuple):
        return type(value)(_placed(v, param, name, own_dtype) for v in value)
    if isinstance(value, dict):
        return {k: _placed(v, param, k, own_dtype) for k, v in value.items()}
    if name in own_dtype and isinstance(value, numbers.Real):
        return param.new_zeros((), dtype=counter_dtype()).fill_(float(value))
    if not isinstance(value, Tensor):
        return deepcopy(value)
    kind = param.dtype if param.is_floating_point() and name not in own_dtype else value.dtype
    return value.detach().to(device=param.device, dtype=kind).clone()


def counter_dtype() -> dtypes.dtype:
    """The dtype of step counts and other running numbers: float32, or float64 where that is the default dtype."""
    return dtypes.float64 if settings.current.default_dtype is dtypes.float64 else dtypes.float32
