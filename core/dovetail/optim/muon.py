"""Muon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.optim.adafactor import at_least
from dovetail.optim.groups import Group
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor

_RATIOS = ("original", "match_rms_adamw")


class Muon(Stepper):
    """Muon (Jordan et al. 2024): momentum made orthogonal, for the matrices between the layers of a network.

    ``adjust_lr_fn`` scales the update: "original" by sqrt(max(1, rows / columns)), "match_rms_adamw" by
    0.2 sqrt(max(rows, columns)) (Liu et al. 2025, arXiv:2502.16982). The iteration runs in bfloat16.

    Errors: ValueError for a parameter that is no matrix: give vectors and embeddings to another optimizer.

    >>> import dovetail
    >>> w = dovetail.eye(2).requires_grad_()
    >>> optimizer = dovetail.optim.Muon([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.diagonal().min() < 0.95
    tensor(True)
    """

    operation = ops.muon_step
    keys = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range, and for parameters that are no matrices."""
        at_least("Learning rate", group["lr"])
        at_least("momentum", group["momentum"])
        at_least("weight decay", group["weight_decay"])
        if group["adjust_lr_fn"] not in (None, *_RATIOS):
            raise ArgumentError(f"Adjust learning rate function {group['adjust_lr_fn']} is not supported")
        if group["ns_steps"] >= 100:
            raise ArgumentError("Number of steps must be less than 100 for computational efficiency")
        if len(group["ns_coefficients"]) != 3:
            raise ArgumentError("Coefficients must be a tuple of exactly 3 values")
        for p in group["params"]:
            if p.ndim != 2:
                raise ArgumentError(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}"
                )

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, weight decay, momentum, eps, the three coefficients."""
        return group["lr"], group["weight_decay"], group["momentum"], group["eps"], *group["ns_coefficients"]

    def flags(self, group: Group) -> dict[str, Any]:
        """Nesterov's variant, the iterations, and (for :meth:`flags_of`) the rule of the ratio."""
        return {
            "nesterov": bool(group["nesterov"]),
            "iterations": int(group["ns_steps"]),
            "ratio": group["adjust_lr_fn"] or "original",
        }

    def flags_of(self, param: Tensor, flags: dict[str, Any]) -> dict[str, Any]:
        """The ratio for a matrix of this shape."""
        rows, columns = param.shape
        if flags["ratio"] == "original":
            return {**flags, "ratio": math.sqrt(max(1.0, rows / columns))}
        return {**flags, "ratio": 0.2 * math.sqrt(max(rows, columns))}
