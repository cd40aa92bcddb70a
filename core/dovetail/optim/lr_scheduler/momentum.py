"""Momentum that a schedule moves against the rate: "momentum" of some optimizers, the first beta of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentError
from dovetail.optim.groups import Group
from dovetail.optim.lr_scheduler.base import per_group
from dovetail.optim.optimizer import Optimizer


def uses_beta(optimizer: Optimizer) -> bool:
    """Whether the momentum of an optimizer is its first beta; ValueError where it has neither."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise ArgumentError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
    return "betas" in optimizer.defaults


def set_momentum(group: Group, value: Any, beta: bool) -> None:
    """Give a group its momentum."""
    if beta:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def start(optimizer: Optimizer, base: Any, largest: Any, first: bool) -> tuple[Sequence[Any], Sequence[Any]]:
    """The least and the largest momentum of each group; the largest is set where the schedule is at its start."""
    most = per_group("max_momentum", optimizer, largest)
    least = per_group("base_momentum", optimizer, base)
    if first:
        for high, low, group in zip(most, least, optimizer.param_groups, strict=True):
            set_momentum(group, high, "betas" in optimizer.defaults)
            group["max_momentum"] = high
            group["base_momentum"] = low
    return least, most
