"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_betas, check_range, check_rate
from dovetail.optim.state_dicts import counter_dtype
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class NAdam(Stepper):
    """Adam with Nesterov momentum (Dozat 2016).

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.NAdam([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.8944, 0.8944], requires_grad=True)
    """

    operation = ops.nadam_step
    keys = ("step", "mu_product", "exp_avg", "exp_avg_sq")
    own_dtype = frozenset({"step", "mu_product"})

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("epsilon value", group["eps"])
        check_betas(group["betas"])
        check_range("weight_decay value", group["weight_decay"])
        check_range("momentum_decay value", group["momentum_decay"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The two means, the product of the momenta so far, the step count."""
        return "exp_avg", "exp_avg_sq", "mu_product", "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, both betas, eps, weight decay, momentum decay."""
        return group["lr"], *group["betas"], group["eps"], group["weight_decay"], group["momentum_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether and how there is weight decay, and the direction of the search."""
        return {
            "decayed": bool(group["weight_decay"] != 0),
            "decoupled": bool(group["decoupled_weight_decay"]),
            "maximize": bool(group["maximize"]),
        }

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """The product of no momenta is 1, in a dtype of its own; all else starts at 0."""
        if name == "mu_product":
            return param.new_ones((), dtype=counter_dtype())
        return super().first(name, param, group)
