"""Losses that are likelihoods, as modules: Poisson, normal, label sequences."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from dovetail.nn import functional as F
from dovetail.nn.loss import Loss, NLLLoss

if TYPE_CHECKING:
    from dovetail.nn.functional.likelihood_loss import Lengths
    from dovetail.tensor.tensor import Tensor


class PoissonNLLLoss(Loss):
    """exp(x) - y x, or without ``log_input`` x - y log(x + eps), reduced; ``full`` adds Stirling's formula."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """Return poisson_nll_loss(log_input, target)."""
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(Loss):
    """(log(var) + (x - y)² / var) / 2 with a variance of at least ``eps``, reduced; ``full`` adds log(2 pi) / 2."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """Return gaussian_nll_loss(input, target, var)."""
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CTCLoss(Loss):
    """Minus the log-likelihood of label sequences over all alignments (Graves et al., ICML 2006), reduced.

    >>> import dovetail
    >>> scores = dovetail.zeros(3, 1, 2).log_softmax(2)
    >>> dovetail.nn.CTCLoss()(scores, dovetail.tensor([[1]]), (3,), (1,))
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths) -> Tensor:
        """Return ctc_loss(log_probs, targets, input_lengths, target_lengths)."""
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )


class NLLLoss2d(NLLLoss):
    """:class:`NLLLoss` under the name that it had for images."""

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        warnings.warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in replacement.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(weight, size_average, ignore_index, reduce, reduction)
