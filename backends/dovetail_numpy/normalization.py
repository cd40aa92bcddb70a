"""Batch and layer normalisation, forward and backward.

Statistics are two-pass: the mean by sums of bounded depth, then the squares of the centred numbers, corrected
by their own sum (T. Chan, G. Golub and R. LeVeque, 1983, see `reductions.variance_over`). What is centred
with the rounded mean is off by the same tiny number everywhere; the correction is known, and goes into the
shift that follows anyway. Per-channel statistics are finished in float64, which costs nothing as they are
few.

Formulas: S. Ioffe and C. Szegedy, *Batch Normalization*, arXiv:1502.03167; J. Ba, J. Kiros and G. Hinton,
*Layer Normalization*, arXiv:1607.06450; running statistics as ``torch.nn.BatchNorm2d`` documents them.
"""

from __future__ import annotations

import math

import numpy as np

from dovetail_numpy.precision import Array, narrow, wide_dtype, widen, widen_optional
from dovetail_numpy.reductions import Axes, cuts, dot_over, row_sums, sum_blocks, sum_over


def _channel_axes(array: Array) -> Axes:
    """Return all axes but that of the channels."""
    return (0, *range(2, array.ndim))


def _per_channel(vector: Array, like: Array) -> Array:
    """Shape a vector for broadcasting against ``like``, whose axis 1 it belongs to.

    For channels-last memory it is repeated along the last spatial axis, so that the inner loop runs over a
    whole line of pixels: 2 to 3 times as fast with 16 channels.
    """
    vector = vector.astype(like.dtype, copy=False)
    if like.ndim > 2 and like.strides[1] == like.itemsize and like.shape[1] > 1:
        line = np.empty((like.shape[-1], vector.size), like.dtype)
        line[...] = vector
        return line.T.reshape(vector.size, *(1,) * (like.ndim - 3), like.shape[-1])
    return vector.reshape(vector.size, *(1,) * (like.ndim - 2))


def _affine(weight: Array | None, bias: Array | None, channels: int) -> tuple[Array, Array]:
    """Return weight and bias as float64 vectors, 1 and 0 where they are missing."""
    scale = np.ones(channels) if weight is None else weight.astype(np.float64)
    shift = np.zeros(channels) if bias is None else bias.astype(np.float64)
    return scale, shift


@np.errstate(all="ignore")
def batch_norm_stats(input: Array) -> tuple[Array, Array]:
    """Return mean and biased variance of each channel, in float64 whatever the input's dtype."""
    _, _, mean, variance = _centre(widen(input))
    return mean, variance


def _centre(wide: Array) -> tuple[Array, Array, Array, Array]:
    """Return the input minus its rounded mean, the mean of that, and the input's mean and biased variance.

    The mean of what is centred is what the rounded mean is off by, the same number within a channel. The
    three statistics are float64.
    """
    axes = _channel_axes(wide)
    count = np.float64(wide.size // max(wide.shape[1], 1))
    rounded = (sum_over(wide, axes) / count).astype(wide.dtype)
    centred = wide - _per_channel(rounded, wide)
    drift = sum_over(centred, axes) / count
    squares = dot_over(centred, centred, axes) / count
    return centred, drift, rounded + drift, np.maximum(squares - drift * drift, 0)


@np.errstate(all="ignore")
def batch_norm(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    *,
    training: bool,
    eps: float,
) -> tuple[Array, Array, Array]:
    """Normalise each channel of (N, C, ...); return the result, and the mean and 1 / sqrt(var + eps) that it
    used.

    With ``training`` these are the batch's, otherwise the running ones. Both have shape (C,) and the dtype in
    which the kernel computes: float32 for 16-bit inputs.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm without training statistics needs running_mean and running_var")
        mean, variance = running_mean.astype(np.float64), running_var.astype(np.float64)
        return _normalise_fixed(input, weight, bias, mean, variance, eps)
    out, mean, rstd, _ = _normalise_batch(input, weight, bias, eps)
    return out, mean, rstd


@np.errstate(all="ignore")
def batch_norm_train(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    running_mean: Array | None,
    running_var: Array | None,
    *,
    momentum: float,
    eps: float,
) -> tuple[Array, Array, Array, Array | None, Array | None]:
    """Normalise with the batch's statistics; return what `batch_norm` does, and the new running statistics.

    New arrays in the running ones' dtype, nothing is updated in place:
    ``(1 - momentum) * running + momentum * batch``, with the unbiased variance.
    """
    out, mean, rstd, variance = _normalise_batch(input, weight, bias, eps)
    count = input.size // max(input.shape[1], 1)
    unbiased = variance * (count / (count - 1)) if count > 1 else variance * np.inf
    return (
        out,
        mean,
        rstd,
        _moved(running_mean, mean, momentum),
        _moved(running_var, unbiased, momentum),
    )


def _moved(running: Array | None, batch: Array, momentum: float) -> Array | None:
    """Move a running statistic towards that of the batch, rounded once."""
    if running is None:
        return None
    moved: Array = running.astype(np.float64) * (1 - momentum) + batch * momentum
    return moved.astype(running.dtype)


def _normalise_batch(
    input: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array, Array]:
    """Normalise with the batch's statistics; return also its biased variance in float64."""
    wide = widen(input)
    centred, drift, mean, variance = _centre(wide)
    rstd = 1 / np.sqrt(variance + eps)
    scale, shift = _affine(weight, bias, wide.shape[1])
    factor = scale * rstd
    centred *= _per_channel(factor, wide)
    centred += _per_channel(shift - drift * factor, wide)
    return narrow(centred, input.dtype), mean.astype(wide.dtype), rstd.astype(wide.dtype), variance


def _normalise_fixed(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Normalise with given float64 statistics: in float64 no digit is lost in one multiply-add per
    element."""
    wide = widen(input)
    rstd = 1 / np.sqrt(variance + eps)
    scale, shift = _affine(weight, bias, wide.shape[1])
    rounded = mean.astype(wide.dtype)
    factor = scale * rstd
    out = wide - _per_channel(rounded, wide)
    out *= _per_channel(factor, wide)
    out += _per_channel(shift + (rounded - mean) * factor, wide)
    return narrow(out, input.dtype), rounded, rstd.astype(wide.dtype)


@np.errstate(all="ignore")
def batch_norm_backward(
    g: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, *, training: bool
) -> tuple[Array, Array, Array]:
    """Return the gradients of input, weight and bias; ``mean`` and ``rstd`` are what `batch_norm` returned.

    With ``training`` the mean and the variance depend on the input:
    gx = w rstd (g - mean(g) - (x - m) rstd^2 mean(g (x - m))). The gradients of weight and bias have shape
    (C,) and are computed also where the weight is None.
    """
    wide, grad = widen(input), widen(g)
    axes = _channel_axes(wide)
    count = np.float64(wide.size // max(wide.shape[1], 1))
    centre = _per_channel(mean, wide)
    grad_sum = sum_over(grad, axes)
    products = _dot_centred(grad, wide, centre, axes).astype(np.float64)
    wide_rstd = rstd.astype(np.float64)
    factor = wide_rstd if weight is None else weight * wide_rstd
    along_grad = _per_channel(factor, wide)
    if training:
        along_input = _per_channel(-factor * wide_rstd * wide_rstd * products / count, wide)
        constant = _per_channel(-factor * grad_sum / count, wide)
        out = np.empty_like(wide)
        for cut in cuts(wide):
            part = np.subtract(wide[cut], centre, out=out[cut])
            part *= along_input
            part += constant
            part += grad[cut] * along_grad
    else:
        out = grad * along_grad
    dtype = input.dtype
    return narrow(out, dtype), (products * wide_rstd).astype(dtype), narrow(grad_sum, dtype)


def _dot_centred(grad: Array, wide: Array, centre: Array, axes: Axes) -> Array:
    """Sum ``grad * (wide - centre)`` over ``axes``, block by block."""
    if not wide.size:
        return sum_over(wide, axes)

    def product(cut: slice) -> Array:
        part = wide[cut] - centre
        part *= grad[cut]
        return part

    return sum_blocks(map(product, cuts(wide)), axes)


# Up to so many elements the number of calls decides: in float64 nothing has to be corrected afterwards.
_FEW = 4096


def _few(array: Array) -> bool:
    """Whether an array is small, not empty and of less than 64 bits."""
    return 0 < array.size <= _FEW and array.itemsize < 8


def _small_layer_norm(
    input: Array, weight: Array | None, bias: Array | None, length: int, eps: float
) -> tuple[Array, Array, Array]:
    """`layer_norm` of few elements as rows, in float64."""
    rows = input.astype(np.float64).reshape(-1, length)
    mean = np.add.reduce(rows, axis=1, keepdims=True)
    mean /= length
    rows -= mean
    rstd = np.add.reduce(rows * rows, axis=1, keepdims=True)
    rstd /= length
    rstd += eps
    np.divide(1, np.sqrt(rstd, out=rstd), out=rstd)
    rows *= rstd
    if weight is not None:
        rows *= widen(weight).reshape(-1)
    if bias is not None:
        rows += widen(bias).reshape(-1)
    return rows, mean, rstd


def _small_layer_norm_backward(
    g: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, length: int
) -> tuple[Array, Array, Array]:
    """`layer_norm_backward` of few elements as rows, in float64."""
    grad = g.astype(np.float64).reshape(-1, length)
    normal = input.astype(np.float64).reshape(-1, length)
    scale = rstd.reshape(-1, 1)
    normal -= mean.reshape(-1, 1)
    normal *= scale
    product = grad * normal
    weight_grad, bias_grad = np.add.reduce(product, axis=0), np.add.reduce(grad, axis=0)
    if weight is not None:
        wide = widen(weight).reshape(-1)
        product *= wide
        grad *= wide  # a copy: astype has made it
    normal *= np.add.reduce(product, axis=1, keepdims=True) / length
    grad -= np.add.reduce(grad, axis=1, keepdims=True) / length
    grad -= normal
    grad *= scale
    return grad, weight_grad, bias_grad


def _rows(array: Array, length: int) -> Array:
    """View or copy an array as contiguous rows of the normalised elements."""
    return np.ascontiguousarray(array).reshape(-1, length)


@np.errstate(all="ignore")
def layer_norm(
    input: Array, weight: Array | None, bias: Array | None, *, normalized_shape: tuple[int, ...], eps: float
) -> tuple[Array, Array, Array]:
    """Normalise over the trailing dimensions; return the result, and each row's mean and 1 / sqrt(var + eps).

    ``weight`` and ``bias`` have ``normalized_shape`` or are None. Mean and rstd have the leading dimensions
    and 1 for each normalised one, and the dtype in which the kernel computes: float32 for 16-bit inputs.
    """
    length = math.prod(normalized_shape)
    kept = input.shape[: input.ndim - len(normalized_shape)] + (1,) * len(normalized_shape)
    if _few(input):
        rows, centre, spread = _small_layer_norm(input, weight, bias, length, eps)
        kind = wide_dtype(input.dtype)
        centre, spread = centre.astype(kind).reshape(kept), spread.astype(kind).reshape(kept)
        return rows.astype(input.dtype).reshape(input.shape), centre, spread
    wide = _rows(widen(input), length)
    scale, shift = _flat(weight), _flat(bias)
    result = np.empty(input.shape, wide.dtype)
    out = result.reshape(wide.shape)
    mean = np.empty((wide.shape[0], 1), wide.dtype)
    rstd = np.empty_like(mean)
    for cut in cuts(wide) if wide.size else ():
        part = out[cut]
        rounded = row_sums(wide[cut]) / length
        np.subtract(wide[cut], rounded, out=part)
        drift = row_sums(part) / length
        part -= drift
        variance = row_sums(part * part) / length
        mean[cut] = rounded + drift
        rstd[cut] = 1 / np.sqrt(variance + eps)
        part *= rstd[cut]
        if scale is not None:
            part *= scale
        if shift is not None:
            part += shift
    return narrow(result, input.dtype), mean.reshape(kept), rstd.reshape(kept)


def _flat(vector: Array | None) -> Array | None:
    """Flatten a weight or bias and widen it."""
    wide = widen_optional(vector)
    return None if wide is None else wide.reshape(-1)


@np.errstate(all="ignore")
def layer_norm_backward(
    g: Array,
    input: Array,
    weight: Array | None,
    mean: Array,
    rstd: Array,
    *,
    normalized_shape: tuple[int, ...],
) -> tuple[Array, Array, Array]:
    """Return the gradients of input, weight and bias; ``mean`` and ``rstd`` are what `layer_norm` returned.

    With h = g w and y = (x - m) rstd: gx = rstd (h - mean(h) - y mean(h y)). The gradients of weight and bias
    have ``normalized_shape`` and are computed also where the weight is None.
    """
    length = math.prod(normalized_shape)
    dtype = input.dtype
    if _few(input):
        slope, *sums = _small_layer_norm_backward(g, input, weight, mean, rstd, length)
        first, second = (total.astype(dtype).reshape(normalized_shape) for total in sums)
        return slope.astype(dtype).reshape(input.shape), first, second
    wide, grad = _rows(widen(input), length), _rows(widen(g), length)
    scale = _flat(weight)
    means, rstds = mean.reshape(-1, 1), rstd.reshape(-1, 1)
    result = np.empty(input.shape, wide.dtype)
    out = result.reshape(wide.shape)
    weight_sums: list[Array] = []
    for cut in cuts(wide) if wide.size else ():
        normal = (wide[cut] - means[cut]) * rstds[cut]
        product = grad[cut] * normal
        weight_sums.append(sum_over(product, (0,)))
        part = out[cut]
        if scale is None:
            part[...] = grad[cut]
        else:
            np.multiply(grad[cut], scale, out=part)
            product *= scale
        normal *= row_sums(product) / length
        part -= row_sums(part) / length
        part -= normal
        part *= rstds[cut]
    if len(weight_sums) == 1:
        weight_grad = weight_sums[0]
    else:
        weight_grad = sum_over(np.stack(weight_sums), (0,)) if weight_sums else np.zeros(length, wide.dtype)
    bias_grad = sum_over(grad, (0,))
    return (
        narrow(result, dtype),
        narrow(weight_grad, dtype).reshape(normalized_shape),
        narrow(bias_grad, dtype).reshape(normalized_shape),
    )
