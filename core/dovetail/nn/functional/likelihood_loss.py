"""Losses that are likelihoods: Poisson, normal, label sequences, and a classifier's last layer with its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dovetail import dtypes, ops
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.nn.functional.loss import cross_entropy
from dovetail.nn.functional.reduction import chosen, reduced
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.nn.linear_cross_entropy import LinearCrossEntropyOptions

Lengths = Tensor | Sequence[int]


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return exp(x) - y x, or without ``log_input`` x - y log(x + eps), reduced.

    ``full`` adds Stirling's approximation of log(y!) where y is above 1.
    """
    return ops.poisson_nll_loss(input, target, log_input, full, eps, chosen(size_average, reduce, reduction))


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return (log(var) + (x - y)² / var) / 2 with a variance of at least ``eps``, reduced.

    Shapes: ``var`` has that of the input, or with a last dimension left out or one dimension of size 1; a number is
    the variance of all.

    Raises:
        ArgumentError: a negative variance, or one of another shape.
    """
    if not isinstance(var, Tensor):
        var = ops.full_like(input, var)
    return ops.gaussian_nll_loss(input, target, var, full, eps, reduction)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return minus the log-likelihood of label sequences over all alignments (Graves et al., ICML 2006), reduced.

    Shapes: log_probs (T, N, C) or (T, C), of log_softmax; targets (N, S), or all labels one after the other in one
    vector; lengths (N) or (). The mean divides each loss by the length of its target. ``zero_infinity`` makes the
    loss of a target that is too long for its input, and its gradient, zero.

    The gradient with respect to ``log_probs`` is PyTorch's: that of scores which log_softmax has normalised.

    Raises:
        ArgumentRuntimeError: a blank that is no class, or lengths that do not fit.
    """
    word = chosen(None, None, reduction)
    single = log_probs.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    elif log_probs.ndim != 3:
        raise ShapeError(f"Expected log_probs of shape (T, N, C) or (T, C), got {list(log_probs.shape)}")
    steps, spans = _lengths(input_lengths, log_probs), _lengths(target_lengths, log_probs)
    table = targets.unsqueeze(0) if single and targets.ndim == 1 else _padded(targets, spans)
    loss = ops.ctc_negative_log_likelihood(log_probs, table, steps, spans, blank)
    loss = loss + _normaliser(log_probs, steps)
    if zero_infinity:
        loss = ops.where(loss == float("inf"), ops.zeros_like(loss), loss)
    if word == "mean":
        loss = loss / spans.clamp(min=1).to(loss.dtype)
    loss = reduced(loss, word)
    return loss.squeeze(0) if single and word == "none" else loss


def _lengths(lengths: Lengths, log_probs: Tensor) -> Tensor:
    if not isinstance(lengths, Tensor):
        lengths = ops.tensor(list(lengths), dtype=dtypes.int64)
    if lengths.is_floating_point():
        raise ArgumentRuntimeError("input_lengths and target_lengths must be integral")
    return lengths.to(device=log_probs.device, dtype=dtypes.int64).reshape(-1)


def _padded(targets: Tensor, spans: Tensor) -> Tensor:
    """Labels that follow each other in one vector as the rows of a table; a table stays as it is."""
    if targets.ndim != 1:
        return targets
    counts = [int(n) for n in host_values(spans, why="ctc_loss() with the targets in one vector")]
    if sum(counts) > targets.shape[0]:
        raise ArgumentRuntimeError(
            f"Expected a target vector of at least {sum(counts)} labels, the sum of target_lengths, got "
            f"{targets.shape[0]}"
        )
    parts = targets[: sum(counts)].split(counts)
    longest = max(counts, default=0)
    return ops.stack([ops.cat([part, part.new_zeros((longest - part.shape[0],))]) for part in parts])


def _normaliser(log_probs: Tensor, steps: Tensor) -> Tensor:
    """Zeros whose gradient is exp(log_probs): what PyTorch's formula adds, as if a log_softmax came before."""
    total = log_probs.exp().sum(2)
    numbers = ops.arange(log_probs.shape[0], device=log_probs.device).unsqueeze(1)
    within: Tensor = ops.where(numbers < steps, total - total.detach(), ops.zeros_like(total))
    return within.sum(0)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: LinearCrossEntropyOptions | None = None,
) -> Tensor:
    """Return cross_entropy(linear(input, linear_weight, linear_bias), target, ...).

    Shapes: input (N, in) or (in); linear_weight (C, *d, in); linear_bias (C, *d); target (N, *d) of class indices or
    (N, C, *d) of probabilities. ``options`` say how PyTorch cuts the logits into chunks to save memory; they are
    accepted and change no value.

    Raises:
        ShapeError: sizes that do not fit each other.
        ArgumentRuntimeError: ``ignore_index`` together with probabilities.
    """
    _check_linear(input, linear_weight, linear_bias)
    sizes = linear_weight.shape[:-1]
    logits = input @ linear_weight.reshape(-1, linear_weight.shape[-1]).t()
    if linear_bias is not None:
        logits = logits + linear_bias.reshape(-1)
    logits = logits.reshape(*input.shape[:-1], *sizes)
    if tuple(target.shape) == tuple(logits.shape) and ignore_index is not None:
        raise ArgumentRuntimeError("ignore_index cannot be specified when target contains probabilities")
    return cross_entropy(
        logits,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def _check_linear(input: Tensor, linear_weight: Tensor, linear_bias: Tensor | None) -> None:
    if not 1 <= input.ndim <= 2:
        raise ShapeError(f"expected input with dimensionality 1 or 2, got {input.ndim}")
    if linear_weight.ndim < 2:
        raise ShapeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.ndim}")
    if input.shape[-1] != linear_weight.shape[-1]:
        raise ShapeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {linear_weight.shape[-1]}, respectively"
        )
    sizes = tuple(linear_weight.shape[:-1])
    if linear_bias is not None and tuple(linear_bias.shape) != sizes:
        raise ShapeError(f"expected linear_bias shape {sizes}, got {tuple(linear_bias.shape)}")
    if len(sizes) > 1 and input.ndim == 1:
        raise ShapeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {input.shape[-1]}), got unbatched input with shape {tuple(input.shape)}"
        )
