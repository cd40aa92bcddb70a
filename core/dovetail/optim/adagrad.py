"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_range, check_rate
from dovetail.optim.stepper import Stepper, check_modes
from dovetail.tensor.tensor import Tensor


class Adagrad(Stepper):
    """Adagrad (Duchi et al. 2011): each element's rate falls with the sum of its squared gradients.

    Its state exists from the start.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adagrad([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.adagrad_step
    keys = ("step", "sum")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        check_modes(defaults)
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self._start(param, self.state[param], self.keys, group)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("lr_decay value", group["lr_decay"])
        check_range("weight_decay value", group["weight_decay"])
        check_range("initial_accumulator_value value", group["initial_accumulator_value"])
        check_range("epsilon value", group["eps"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The sum of squares and the step count."""
        return "sum", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, its decay, eps, weight decay."""
        return group["lr"], group["lr_decay"], group["eps"], group["weight_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether there is weight decay, and the direction of the search."""
        return {"decayed": bool(group["weight_decay"] != 0), "maximize": bool(group["maximize"])}

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """The sum starts where ``initial_accumulator_value`` says."""
        made = super().first(name, param, group)
        return made.fill_(group["initial_accumulator_value"]) if name == "sum" else made

    def share_memory(self) -> None:
        """Move the sums to memory that processes share, for training by several of them."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()
