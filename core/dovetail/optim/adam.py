"""Adam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.optim.groups import Group, check_betas, check_range, check_rate
from dovetail.optim.stepper import Stepper, check_modes
from dovetail.tensor.tensor import Tensor


class Adam(Stepper):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980), with AMSGrad (Reddi et al. 2018) on request.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adam([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.adam_step
    keys = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable, "differentiable": differentiable,
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        check_modes(defaults)
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("epsilon value", group["eps"])
        check_betas(group["betas"])
        check_range("weight_decay value", group["weight_decay"])

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The two means, the largest square of AMSGrad, the step count."""
        return "exp_avg", "exp_avg_sq", "max_exp_avg_sq" if group["amsgrad"] else None, "step"

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, both betas, eps, weight decay."""
        return group["lr"], *group["betas"], group["eps"], group["weight_decay"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Whether and how there is weight decay, and the direction of the search."""
        return {
            "decayed": bool(group["weight_decay"] != 0),
            "decoupled": bool(group["decoupled_weight_decay"]),
            "maximize": bool(group["maximize"]),
        }
