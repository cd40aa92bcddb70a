"""Rprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.optim.groups import Group, check_rate
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class Rprop(Stepper):
    """Resilient backpropagation (Riedmiller and Braun 1993): steps by the sign of the gradient alone.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Rprop([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.rprop_step
    keys = ("step", "prev", "step_size")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        if not 0.0 < group["etas"][0] < 1.0 < group["etas"][1]:
            raise ArgumentError(f"Invalid eta values: {group['etas'][0]}, {group['etas'][1]}")

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The last gradient, the step sizes, the step count."""
        return "prev", "step_size", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, the factors of a shrinking and a growing step, the smallest and the largest step."""
        return group["lr"], *group["etas"], *group["step_sizes"]

    def flags(self, group: Group) -> dict[str, Any]:
        """The direction of the search."""
        return {"maximize": bool(group["maximize"])}

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """Steps start at the learning rate."""
        made = super().first(name, param, group)
        return made.fill_(float(group["lr"])) if name == "step_size" else made
