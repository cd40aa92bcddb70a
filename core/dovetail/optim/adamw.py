"""AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dovetail.optim.adam import Adam
from dovetail.tensor.tensor import Tensor


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Weight decay stays decoupled, whatever the checkpoint says."""
        super().__setstate__(saved)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
