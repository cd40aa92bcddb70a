"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.dispatch.state import tracing
from dovetail.dispatch.update import update
from dovetail.errors import ArgumentError, CaptureError
from dovetail.optim.optimizer import Group, Optimizer, check_range
from dovetail.program.live import outside_capture
from dovetail.tensor.tensor import Tensor


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, Nesterov's variant and weight decay (Sutskever et al. 2013).

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.SGD([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach, "differentiable": differentiable,
            "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_range("learning rate", group["lr"], 0.0)
        check_range("momentum value", group["momentum"], 0.0)
        check_range("weight_decay value", group["weight_decay"], 0.0)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError("Nesterov momentum requires a momentum and zero dampening")

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: Group, lr: Tensor) -> None:
        """Move one parameter; the momentum buffer starts as the first gradient, not damped."""
        buffer = None
        momentum, dampening = group["momentum"], group["dampening"]
        if momentum:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                with outside_capture():
                    buffer = state["momentum_buffer"] = param.new_zeros(param.shape)
                if dampening and tracing.get() is not None:
                    raise CaptureError("the first step of SGD is not damped: take it before the capture")
                dampening = 0  # 0 * momentum + g: the buffer becomes the gradient itself
        update(
            ops.sgd_step.record,
            param,
            grad,
            buffer,
            lr,
            momentum=float(momentum),
            dampening=float(dampening),
            weight_decay=float(group["weight_decay"]),
            nesterov=bool(group["nesterov"]),
            maximize=bool(group["maximize"]),
        )
