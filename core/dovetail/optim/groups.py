"""Parameter groups: dicts of parameters and the options that hold for them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.tensor.tensor import Tensor

Group = dict[str, Any]


class _Required:
    """Stands for an option without a default."""

    def __repr__(self) -> str:
        return "<required parameter>"


required: Final = _Required()
"""As the default of an option: every group must give it."""


def complete(group: Any, defaults: Group) -> None:
    """Check a new group, name its parameters where they come in pairs, and give it the defaults of its options."""
    if not isinstance(group, dict):
        raise ArgumentTypeError(f"param_group must be a dict, but got {type(group)}")
    params = group["params"]
    if isinstance(params, set):
        raise ArgumentTypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs: use a list"
        )
    entries = [params] if isinstance(params, Tensor) else list(params)
    group["params"] = [entry[1] if isinstance(entry, tuple) else entry for entry in entries]
    names = [entry[0] for entry in entries if isinstance(entry, tuple)]
    if names and len(names) != len(entries):
        raise ArgumentError("all optimizer params should be with/without names. Some param names are missing")
    if names:
        group["param_names"] = names
    _check_params(group["params"], bool(defaults.get("differentiable")))
    for name, default in defaults.items():
        if default is required and name not in group:
            raise ArgumentError(f"parameter group didn't specify a value of required optimization parameter {name}")
        group.setdefault(name, default)


def _check_params(params: Sequence[Any], differentiable: bool) -> None:
    for p in params:
        if not isinstance(p, Tensor):
            raise ArgumentTypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
        if not (differentiable or p.is_leaf or getattr(p, "retains_grad", False)):
            raise ArgumentError(
                f"can't optimize a non-leaf Tensor (shape {list(p.shape)}): it was computed from others"
            )
    if len({id(p) for p in params}) != len(params):
        warnings.warn(
            "optimizer contains a parameter group with duplicate parameters: each is updated as often as it is there",
            UserWarning,
            stacklevel=5,
        )


def check_disjoint(group: Group, others: Sequence[Group]) -> None:
    """Raise where a parameter is in another group already, or where only some groups have names."""
    known: set[int] = set()
    for other in others:
        known.update(id(p) for p in other["params"])
        if ("param_names" in group) != ("param_names" in other):
            form = "with" if "param_names" in group else "without"
            raise ArgumentError(
                "all optimizer param groups should be with/without names. cannot add param group "
                f"{form} names to the optimizer"
            )
    if any(id(p) in known for p in group["params"]):
        raise ArgumentError("some parameters appear in more than one parameter group")


def check_range(name: str, value: Any, low: float = 0.0, high: float | None = None) -> None:
    """Raise for an option outside ``[low, high)``, in PyTorch's words."""
    number = value.item() if isinstance(value, Tensor) else value
    if not number >= low or (high is not None and not number < high):
        raise ArgumentError(f"Invalid {name}: {value}")


def check_rate(value: Any, name: str = "learning rate") -> None:
    """Raise for a learning rate that is negative or a tensor of several elements."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ArgumentError("Tensor lr must be 1-element")
    check_range(name, value)


def check_betas(betas: Sequence[Any]) -> None:
    """Raise for coefficients of running means outside [0, 1)."""
    for i, beta in enumerate(betas[:2]):
        if isinstance(beta, Tensor) and beta.numel() != 1:
            raise ArgumentError(f"Tensor betas[{i}] must be 1-element")
        check_range(f"beta parameter at index {i}", beta, 0.0, 1.0)
