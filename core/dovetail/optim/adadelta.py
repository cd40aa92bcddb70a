"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.optim.groups import Group, check_range, check_rate
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class Adadelta(Stepper):
    """Adadelta (Zeiler 2012, arXiv:1212.5701): steps in the units of the parameter.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adadelta([w], lr=100.0)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.6838, 0.6838], requires_grad=True)
    """

    operation = ops.adadelta_step
    keys = ("step", "square_avg", "acc_delta")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        if not 0.0 <= group["rho"] <= 1.0:
            raise ArgumentError(f"Invalid rho value: {group['rho']}")
        check_range("epsilon value", group["eps"])
        check_range("weight_decay value", group["weight_decay"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The mean squares of gradients and of steps, and the step count."""
        return "square_avg", "acc_delta", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, rho, eps, weight decay."""
        return group["lr"], group["rho"], group["eps"], group["weight_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether there is weight decay, and the direction of the search."""
        return {"decayed": bool(group["weight_decay"] != 0), "maximize": bool(group["maximize"])}
