"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_betas, check_range, check_rate
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class Adamax(Stepper):
    """Adam with the infinity norm (Kingma and Ba 2015, arXiv:1412.6980, section 7.1).

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adamax([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.adamax_step
    keys = ("step", "exp_avg", "exp_inf")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("epsilon value", group["eps"])
        check_betas(group["betas"])
        check_range("weight_decay value", group["weight_decay"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The mean, the norm and the step count."""
        return "exp_avg", "exp_inf", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, both betas, eps, weight decay."""
        return group["lr"], *group["betas"], group["eps"], group["weight_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether there is weight decay, and the direction of the search."""
        return {"decayed": bool(group["weight_decay"] != 0), "maximize": bool(group["maximize"])}
