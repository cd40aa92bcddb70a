"""Softmax, log-softmax, cross entropy and negative log-likelihood, forward and backward.

Formulas: ``torch.nn.functional.softmax``, ``log_softmax``, ``cross_entropy`` and ``nll_loss`` as documented.
The maximum is subtracted first, so nothing overflows (P. Blanchard, D. Higham and N. Higham, *Accurately
computing the log-sum-exp and softmax functions*, IMA J. Numer. Anal. 41, 2021). 16-bit floats are computed in
float32 and rounded once. Class targets are int64 and in range, or equal ``ignore_index``: whoever calls has
checked that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dovetail_numpy.precision import Array, narrow, widen, widen_optional
from dovetail_numpy.reductions import cuts, sum_over


def _maximum(wide: Array, dim: int) -> Array:
    """Return the maximum along ``dim``, kept as an axis of length 1; -inf where there is nothing."""
    maximum: Array = np.maximum.reduce(wide, axis=dim, keepdims=True, initial=-np.inf)
    return maximum


def _slices(wide: Array, dim: int) -> Iterable[slice]:
    """Cut axis 0 into blocks that stay in a cache, or not at all where the sums run along it."""
    return cuts(wide) if dim and wide.size else (slice(None),)


def _softmax(wide: Array, dim: int) -> Array:
    """Return exp(x - max) / sum(exp(x - max)) in a new array."""
    out = np.empty_like(wide)
    for cut in _slices(wide, dim):
        part = np.subtract(wide[cut], _maximum(wide[cut], dim), out=out[cut])
        np.exp(part, out=part)
        part /= sum_over(part, (dim,), keepdims=True)
    return out


@np.errstate(all="ignore")
def softmax(input: Array, *, dim: int) -> Array:
    """Return exp(x - max) / sum(exp(x - max)) along ``dim``; nan in a slice whose maximum is infinite or
    nan."""
    if input.ndim == 0:
        return softmax(input.reshape(1), dim=0).reshape(())
    return narrow(_softmax(widen(input), dim), input.dtype)


@np.errstate(all="ignore")
def softmax_backward(g: Array, output: Array, *, dim: int) -> Array:
    """Return y (g - sum(g y)) along ``dim`` for the result y of `softmax`."""
    if output.ndim == 0:
        return softmax_backward(g.reshape(1), output.reshape(1), dim=0).reshape(())
    wide, grad = widen(output), widen(g)
    inner = sum_over(grad * wide, (dim,), keepdims=True)
    out = grad - inner
    out *= wide
    return narrow(out, output.dtype)


def _log_softmax(wide: Array, dim: int) -> Array:
    """Return x - max - log(sum(exp(x - max))) in a new array."""
    out = np.empty_like(wide)
    for cut in _slices(wide, dim):
        part = np.subtract(wide[cut], _maximum(wide[cut], dim), out=out[cut])
        total = sum_over(np.exp(part), (dim,), keepdims=True)
        part -= np.log(total, out=total)
    return out


@np.errstate(all="ignore")
def log_softmax(input: Array, *, dim: int) -> Array:
    """Return the logarithm of `softmax`, also where that underflows to 0."""
    if input.ndim == 0:
        return log_softmax(input.reshape(1), dim=0).reshape(())
    return narrow(_log_softmax(widen(input), dim), input.dtype)


@np.errstate(all="ignore")
def log_softmax_backward(g: Array, output: Array, *, dim: int) -> Array:
    """Return g - exp(y) sum(g) along ``dim`` for the result y of `log_softmax`."""
    if output.ndim == 0:
        return log_softmax_backward(g.reshape(1), output.reshape(1), dim=0).reshape(())
    wide, grad = widen(output), widen(g)
    out = np.exp(wide)
    out *= sum_over(grad, (dim,), keepdims=True)
    np.subtract(grad, out, out=out)
    return narrow(out, output.dtype)


class _Targets:
    """Class targets of a batch, flattened: which rows count, their classes, and their weights.

    Logits of shape (N, C, d1, ...) are rows of C classes at N d1 ... places; those of shape (C,) are one row.
    """

    __slots__ = ("classes", "counted", "place", "weights")

    def __init__(self, target: Array, weight: Array | None, ignore_index: int, dtype: np.dtype[Any]) -> None:
        flat = target.reshape(-1)
        ignored = flat == ignore_index
        # Most batches ignore nothing; a row that is ignored reads class 0 with weight 0.
        self.counted: Array | None = ~ignored if ignored.any() else None
        self.classes: Array = flat if self.counted is None else np.where(ignored, 0, flat)
        self.place: Array = np.arange(flat.size)
        self.weights: Array | None = None
        if weight is not None:
            self.weights = weight.astype(dtype, copy=False)[self.classes]
            if self.counted is not None:
                self.weights *= self.counted
        elif self.counted is not None:
            self.weights = self.counted.astype(dtype)

    def pick(self, rows: Array) -> Array:
        """Return each row's number for its class."""
        return rows[self.place, self.classes]

    def total_weight(self) -> float:
        """Return what a mean is divided by."""
        if self.weights is None:
            return float(self.place.size)
        return float(np.add.reduce(self.weights, dtype=np.float64))


def _to_rows(scores: Array) -> Array:
    """View or copy scores with the classes in dimension 1 (or 0) as an array (rows, classes)."""
    if scores.ndim == 1:
        return scores.reshape(1, -1)
    if scores.ndim == 2:
        return scores
    return np.moveaxis(scores, 1, -1).reshape(-1, scores.shape[1])


def _from_rows(rows: Array, shape: tuple[int, ...]) -> Array:
    """Undo `_to_rows`."""
    if len(shape) <= 2:
        return rows if rows.shape == shape else rows.reshape(shape)
    return np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _reduce(losses: Array, targets: _Targets, shape: tuple[int, ...], reduction: str) -> Array:
    """Reduce the losses of rows: not at all, to their sum, or to their mean by weight."""
    if reduction == "none":
        return losses.reshape(shape)
    total = sum_over(losses, (0,))
    if reduction == "mean":
        total /= np.float64(targets.total_weight())
    return total


def _row_grads(g: Array, targets: _Targets, reduction: str) -> Array:
    """Return the gradient of each row's loss, shape (rows, 1) or (1, 1)."""
    if reduction == "mean":
        return (g / np.float64(targets.total_weight())).astype(g.dtype).reshape(1, 1)
    return g.reshape(-1, 1)


@np.errstate(all="ignore")
def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[Array, Array]:
    """Return the cross entropy of logits and class targets, and the log-probabilities for the backward pass.

    ``input`` is (N, C, d1, ...) or (C,), ``target`` int64 (N, d1, ...) or (), ``weight`` (C,) or None. With
    smoothing s a row's loss is -(1 - s) w[y] log p[y] - s / C sum_c w[c] log p[c]. A mean is divided by the
    sum of w[y] over the rows that are not ignored, and is nan where there are none. The log-probabilities
    have the input's shape and the dtype in which the kernel computes.
    """
    wide = widen(input)
    rows = _log_softmax(_to_rows(wide), 1)
    weight = widen_optional(weight)
    targets = _Targets(target, weight, ignore_index, wide.dtype)
    losses = -targets.pick(rows)
    if targets.weights is not None:
        losses *= targets.weights
    if label_smoothing:
        losses *= 1 - label_smoothing
        smooth = sum_over(rows if weight is None else rows * weight, (1,))
        if targets.counted is not None:
            smooth *= targets.counted
        smooth *= label_smoothing / rows.shape[1]
        losses -= smooth
    loss = _reduce(_without_ignored(losses, targets), targets, target.shape, reduction)
    return narrow(loss, input.dtype), _from_rows(rows, input.shape)


def _without_ignored(losses: Array, targets: _Targets) -> Array:
    """Set the loss of ignored rows to 0, also where their logits are not finite."""
    return losses if targets.counted is None else np.where(targets.counted, losses, losses.dtype.type(0))


@np.errstate(all="ignore")
def cross_entropy_backward(
    g: Array,
    log_probs: Array,
    target: Array,
    weight: Array | None,
    *,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> Array:
    """Return the gradient of the logits, in the shape of ``log_probs`` and the dtype of ``g``.

    With b[c] = s w[c] / C and a = (1 - s) w[y], a row's gradient is ((a + sum b) p - b - a onehot(y)) times
    its g. ``g`` has the shape of the target for the reduction "none", otherwise ().
    """
    rows = _to_rows(log_probs)
    dtype = rows.dtype
    weight = None if weight is None else weight.astype(dtype, copy=False)
    targets = _Targets(target, weight, ignore_index, dtype)
    out = np.exp(rows)
    hit: Array | float = 1 - label_smoothing
    if targets.weights is not None:
        hit = targets.weights * hit
    if label_smoothing:
        smooth = np.full(rows.shape[1], label_smoothing / rows.shape[1], dtype)
        if weight is not None:
            smooth *= weight
        out *= np.reshape(hit + sum_over(smooth, (0,)), (-1, 1))
        out -= smooth
    elif targets.weights is not None:
        out *= targets.weights[:, None]
    out[targets.place, targets.classes] -= hit
    out *= _row_grads(widen(g), targets, reduction)
    if targets.counted is not None:
        out[~targets.counted] = 0
    return narrow(_from_rows(out, log_probs.shape), g.dtype)


@np.errstate(all="ignore")
def nll_loss(input: Array, target: Array, weight: Array | None, *, reduction: str, ignore_index: int) -> Array:
    """Return -w[y] log p[y] for log-probabilities: shapes and reductions as `cross_entropy`."""
    rows = _to_rows(widen(input))
    targets = _Targets(target, weight, ignore_index, rows.dtype)
    losses = -targets.pick(rows)
    if targets.weights is not None:
        losses *= targets.weights
    loss = _reduce(_without_ignored(losses, targets), targets, target.shape, reduction)
    return narrow(loss, input.dtype)


@np.errstate(all="ignore")
def nll_loss_backward(
    g: Array,
    target: Array,
    weight: Array | None,
    *,
    input_shape: tuple[int, ...],
    reduction: str,
    ignore_index: int,
) -> Array:
    """Return the gradient of the log-probabilities: -w[y] times the row's gradient at the class, 0
    elsewhere."""
    grad = widen(g)
    count = max(target.size, 1)
    classes = input_shape[0] if len(input_shape) == 1 else input_shape[1]
    targets = _Targets(target, weight, ignore_index, grad.dtype)
    values: Array = -_row_grads(grad, targets, reduction)[:, 0]
    if targets.weights is not None:
        values = values * targets.weights
    if targets.counted is not None:
        values = np.where(targets.counted, values, values.dtype.type(0))
    out = np.zeros((count if target.size else 0, classes), grad.dtype)
    out[targets.place, targets.classes] = values
    return narrow(_from_rows(out, input_shape), g.dtype)
