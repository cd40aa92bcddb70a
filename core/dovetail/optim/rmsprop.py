"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_range, check_rate
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class RMSprop(Stepper):
    """RMSprop (Hinton 2012), centred (Graves 2013, arXiv:1308.0850) and with momentum on request; eps outside the root.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.RMSprop([w], lr=0.01)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.rmsprop_step
    keys = ("step", "square_avg", "momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("epsilon value", group["eps"])
        check_range("momentum value", group["momentum"])
        check_range("weight_decay value", group["weight_decay"])
        check_range("alpha value", group["alpha"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The mean square, the mean of the centred form, the velocity, the step count."""
        mean = "grad_avg" if group["centered"] else None
        return "square_avg", mean, "momentum_buffer" if group["momentum"] > 0 else None, "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, alpha, eps, weight decay, momentum."""
        return group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether there is weight decay, and the direction of the search."""
        return {"decayed": bool(group["weight_decay"] != 0), "maximize": bool(group["maximize"])}
