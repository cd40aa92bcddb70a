"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dovetail import ops
from dovetail.dispatch.state import tracing
from dovetail.errors import ArgumentError, CaptureError
from dovetail.optim.groups import Group, check_range, check_rate
from dovetail.optim.stepper import Stepper, check_modes
from dovetail.tensor.tensor import Tensor


class SGD(Stepper):
    """Stochastic gradient descent with momentum, Nesterov's variant and weight decay (Sutskever et al. 2013).

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer = dovetail.optim.SGD([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.9000, 0.9000], requires_grad=True)
    """

    operation = ops.sgd_step
    keys = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
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
        check_modes(defaults)
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        check_rate(group["lr"])
        check_range("momentum value", group["momentum"])
        check_range("weight_decay value", group["weight_decay"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError("Nesterov momentum requires a momentum and zero dampening")

    def names(self, group: Group) -> tuple[str | None, ...]:
        """The velocity, if there is momentum."""
        return ("momentum_buffer" if group["momentum"] != 0 else None,)

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, momentum, dampening, weight decay."""
        return group["lr"], group["momentum"], group["dampening"], group["weight_decay"]

    def values(self, group: Group, param: Tensor, fresh: bool) -> Sequence[Any]:
        """At a parameter's first step nothing is damped: 0 * momentum + g makes the buffer the gradient itself."""
        lr, momentum, dampening, decay = self.numbers(group)
        if not (fresh and dampening):
            return lr, momentum, dampening, decay
        if tracing.get() is not None:
            raise CaptureError("the first step of SGD is not damped: take it before the capture")
        return lr, momentum, 0.0, decay

    def flags(self, group: Group) -> dict[str, Any]:
        """The variant, whether there is weight decay, and the direction of the search."""
        return {
            "nesterov": bool(group["nesterov"]),
            "decayed": bool(group["weight_decay"] != 0),
            "maximize": bool(group["maximize"]),
        }
