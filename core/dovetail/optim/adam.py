"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from dovetail import dtypes, ops
from dovetail.dispatch.constants import constant
from dovetail.dispatch.update import update
from dovetail.optim.optimizer import Group, Optimizer, check_range
from dovetail.tensor.tensor import Tensor


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, arXiv:1412.6980), with AMSGrad (Reddi et al. 2018) on request.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adam([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    decoupled: ClassVar[bool] = False
    """Whether weight decay is taken from the parameter and not added to the gradient."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
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
            "fused": fused, "decoupled_weight_decay": decoupled_weight_decay or self.decoupled,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_range("learning rate", group["lr"], 0.0)
        check_range("epsilon value", group["eps"], 0.0)
        check_range("beta parameter at index 0", group["betas"][0], 0.0, 1.0)
        check_range("beta parameter at index 1", group["betas"][1], 0.0, 1.0)
        check_range("weight_decay value", group["weight_decay"], 0.0)

    def make_state(self, param: Tensor, group: Group) -> dict[str, Any]:
        """Step count and moments, zero."""
        state = {
            "step": param.new_zeros((), dtype=dtypes.float32),
            "exp_avg": param.new_zeros(param.shape),
            "exp_avg_sq": param.new_zeros(param.shape),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = param.new_zeros(param.shape)
        return state

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: Group, lr: Tensor) -> None:
        """Move one parameter and its moments."""
        state["step"].add_(constant(1.0, dtypes.float32, param.device))
        update(
            ops.adam_step.record,
            param,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            state.get("max_exp_avg_sq"),
            lr,
            state["step"],
            beta1=float(group["betas"][0]),
            beta2=float(group["betas"][1]),
            eps=float(group["eps"]),
            weight_decay=float(group["weight_decay"]),
            decoupled=bool(group["decoupled_weight_decay"]),
            maximize=bool(group["maximize"]),
        )


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)
