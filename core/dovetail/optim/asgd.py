"""ASGD."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_range, check_rate
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class ASGD(Stepper):
    """Averaged stochastic gradient descent (Polyak and Juditsky 1992); the average is the entry "ax" of the state.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.ASGD([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.asgd_step
    keys = ("step", "eta", "mu", "ax")
    own_dtype = frozenset({"step", "eta", "mu"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("weight_decay value", group["weight_decay"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The average, the rate, the average's weight of the next point, the step count."""
        return "ax", "eta", "mu", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, lambda, alpha, t0, weight decay."""
        return group["lr"], group["lambd"], group["alpha"], group["t0"], group["weight_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether there is weight decay, and the direction of the search."""
        return {"decayed": bool(group["weight_decay"] != 0), "maximize": bool(group["maximize"])}

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """The rate starts as the learning rate, the weight at 1: the average is the point itself until t0."""
        made = super().first(name, param, group)
        if name == "eta":
            return made.fill_(float(group["lr"]))
        return made.fill_(1) if name == "mu" else made
