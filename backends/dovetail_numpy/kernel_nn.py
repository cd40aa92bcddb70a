"""Kernels of neural networks: fused functions bound to their ops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Array, Call, KernelTable, dtypes, ops
from dovetail_numpy import activations, convolution, losses, normalization, pooling
from dovetail_numpy.binding import HALF, Kernel, enter
from dovetail_numpy.precision import narrow, wide_dtype, widen
from dovetail_numpy.reductions import sum_over

table: Final = KernelTable()

CHECKED: Final = frozenset({"cross_entropy", "embedding", "nll_loss"})
"""Ops whose kernels raise IndexError by themselves."""

# ------------------------------------------------------------------------------------------ activations


@table.binder(ops.relu, out=True)
def _relu(call: Call) -> Kernel:
    zero = np.zeros((), call.output.dtype.host)

    def kernel(x: Array, out: Any = ...) -> Array:
        return np.maximum(x, zero, out=out)

    return kernel


table(ops.relu_backward)(activations.relu_backward)


@table.binder(ops.leaky_relu)
def _leaky_relu(call: Call) -> Kernel | None:
    slope = call.statics["negative_slope"]
    if not 0 < slope <= 1 or call.output.dtype not in (dtypes.float32, dtypes.float64):
        return None  # elsewhere the larger of the two is not the answer, or two roundings are one too many
    factor = np.array(slope, call.output.dtype.host)
    return lambda x: np.maximum(x, x * factor, out=...)


@table.binder(ops.leaky_relu_backward)
def _leaky_relu_backward(call: Call) -> Kernel | None:
    slope = call.statics["negative_slope"]
    if not 0 <= slope <= 1 or call.output.dtype not in (dtypes.float32, dtypes.float64):
        return None
    return lambda g, x: activations.leaky_relu_backward(g, x, negative_slope=slope)


@table.binder(ops.hardtanh)
def _hardtanh(call: Call) -> Kernel:
    host = call.output.dtype.host
    low, high = (np.array(call.statics[name], host) for name in ("min_val", "max_val"))
    return lambda x: np.minimum(np.maximum(x, low), high, out=...)


def _single_only(function: Callable[..., Array]) -> Callable[[Call], Kernel | None]:
    """Bind a function that computes in float64 and is exact enough for narrower types."""

    def bind(call: Call) -> Kernel | None:
        if call.output.dtype is dtypes.float64:
            return None
        statics = call.statics
        return lambda *arrays: function(*arrays, **statics)

    return bind


enter(
    table,
    {
        ops.gelu: activations.gelu,
        ops.gelu_backward: activations.gelu_backward,
        ops.silu: activations.silu,
        ops.silu_backward: activations.silu_backward,
    },
    _single_only,
    out=False,
)

# ------------------------------------------------------------------------------------------ linear


@table.binder(ops.linear)
def _linear(call: Call) -> Kernel | None:
    host = call.output.dtype.host
    if call.inputs[1].ndim != 2 or call.output.dtype not in (*HALF, dtypes.float32, dtypes.float64):
        return None
    kind, shape = wide_dtype(host), tuple(call.output.shape)
    features, rows = call.inputs[0].shape[-1], (math.prod(shape[:-1]), shape[-1])

    def kernel(x: Array, weight: Array, bias: Array | None) -> Array:
        result = np.empty(shape, kind)
        np.matmul(widen(x).reshape(rows[0], features), widen(weight).T, out=result.reshape(rows))
        if bias is not None:
            result += bias
        return narrow(result, host)

    return kernel


# ------------------------------------------------------------------------------------------ softmax


def _along(function: Callable[..., Array]) -> Callable[[Call], Kernel]:
    """Bind a function along one dimension; the input has the result's type already."""

    def bind(call: Call) -> Kernel:
        dim = call.statics["dim"]
        return lambda *arrays: function(*arrays, dim=dim)

    return bind


enter(
    table,
    {
        ops.softmax: losses.softmax,
        ops.softmax_backward: losses.softmax_backward,
        ops.log_softmax: losses.log_softmax,
        ops.log_softmax_backward: losses.log_softmax_backward,
    },
    _along,
    out=False,
)

# ------------------------------------------------------------------------------------------ losses


@table.binder(ops.mse_loss)
def _mse_loss(call: Call) -> Kernel:
    reduction = call.statics["reduction"]
    host = call.output.dtype.host

    def kernel(x: Array, y: Array) -> Array:
        squares = np.subtract(widen(x), widen(y), out=...)
        np.square(squares, out=squares)
        if reduction == "none":
            return narrow(squares, host)
        total = sum_over(squares, tuple(range(squares.ndim)))
        if reduction == "mean":
            total /= squares.size
        return narrow(total, host)

    return kernel


@table.binder(ops.mse_loss_backward)
def _mse_loss_backward(call: Call) -> Kernel:
    size = call.output.size
    host = call.output.dtype.host
    scale = np.array(2 / size if call.statics["reduction"] == "mean" and size else 2.0, wide_dtype(host))

    def kernel(g: Array, x: Array, y: Array) -> Array:
        difference = np.subtract(widen(x), widen(y), out=...)
        difference *= widen(g) * scale
        return narrow(difference, host)

    return kernel


def _refuse_outside(target: Array, classes: int, ignore_index: int) -> None:
    """Raise IndexError for a class that does not exist; the core finds out which."""
    if not target.size:
        return
    low, high = target.min(), target.max()
    if low >= 0 and high < classes:
        return
    if (((target < 0) | (target >= classes)) & (target != ignore_index)).any():
        raise IndexError("a class index is out of range")


def _classes(call: Call, position: int) -> int:
    """How many classes the scores have."""
    shape = call.inputs[position].shape
    return int(shape[0] if len(shape) == 1 else shape[1])


def _single(call: Call, position: int) -> bool:
    """Whether the scores are those of one sample, so that the target has one element and no dimension."""
    return call.inputs[position].ndim == 1


@table.binder(ops.cross_entropy)
def _cross_entropy(call: Call) -> Kernel | None:
    if call.inputs[1].dtype.is_floating_point:
        return None
    statics = call.statics
    classes, single, ignored = _classes(call, 0), _single(call, 0), statics["ignore_index"]

    def kernel(scores: Array, target: Array, weight: Array | None) -> tuple[Array, Array]:
        _refuse_outside(target, classes, ignored)
        return losses.cross_entropy(scores, target.reshape(()) if single else target, weight, **statics)

    return kernel


@table.binder(ops.cross_entropy_backward)
def _cross_entropy_backward(call: Call) -> Kernel:
    statics = call.statics
    single = _single(call, 1)

    def kernel(g: Array, scores: Array, log_probs: Array, target: Array, weight: Array | None) -> Array:
        place = target.reshape(()) if single else target
        return losses.cross_entropy_backward(g, log_probs, place, weight, **statics)

    return kernel


@table.binder(ops.nll_loss)
def _nll_loss(call: Call) -> Kernel:
    statics = call.statics
    classes, single, ignored = _classes(call, 0), _single(call, 0), statics["ignore_index"]

    def kernel(scores: Array, target: Array, weight: Array | None) -> Array:
        _refuse_outside(target, classes, ignored)
        return losses.nll_loss(scores, target.reshape(()) if single else target, weight, **statics)

    return kernel


@table.binder(ops.nll_loss_backward)
def _nll_loss_backward(call: Call) -> Kernel:
    statics = call.statics
    single = len(statics["input_shape"]) == 1

    def kernel(g: Array, target: Array, weight: Array | None) -> Array:
        return losses.nll_loss_backward(g, target.reshape(()) if single else target, weight, **statics)

    return kernel


# -------------------------------------------------------------------------------- convolution and pooling


def _of_batches(function: Callable[..., Any]) -> Callable[[Call], Kernel | None]:
    """Bind a function of batches of images with the same padding on both sides."""

    def bind(call: Call) -> Kernel | None:
        if call.inputs[0].ndim != 4 or len(call.statics["padding"]) != 2:
            return None
        statics = call.statics
        return lambda *arrays: function(*arrays, **statics)

    return bind


enter(
    table,
    {
        ops.conv2d: convolution.conv2d,
        ops.conv2d_input_grad: convolution.conv2d_input_grad,
        ops.conv2d_weight_grad: convolution.conv2d_weight_grad,
        ops.max_pool2d: pooling.max_pool2d_values,
        ops.max_pool2d_with_indices: pooling.max_pool2d,
        ops.max_pool2d_backward: pooling.max_pool2d_backward,
        ops.avg_pool2d: pooling.avg_pool2d,
        ops.avg_pool2d_backward: pooling.avg_pool2d_backward,
    },
    _of_batches,
    out=False,
)

# ------------------------------------------------------------------------------------------ normalisation


@table.binder(ops.batch_norm_by_batch)
def _batch_norm_by_batch(call: Call) -> Kernel:
    channels = call.output.shape[1]
    eps = call.statics["eps"]
    kind = call.outputs[1].dtype.host

    def kernel(x: Array, weight: Array | None, bias: Array | None) -> tuple[Array, ...]:
        # Statistics that move all the way towards the batch's are the batch's.
        start = np.zeros(channels, kind)
        out, _, rstd, moved, spread = normalization.batch_norm_train(
            x, weight, bias, start, start, momentum=1.0, eps=eps
        )
        assert moved is not None, "running statistics were given"
        assert spread is not None, "running statistics were given"
        return out, moved, spread, rstd

    return kernel


@table.binder(ops.batch_norm_backward)
def _batch_norm_backward(call: Call) -> Kernel:
    host = call.output.dtype.host

    def kernel(g: Array, x: Array, weight: Array | None, mean: Array, rstd: Array) -> tuple[Array, ...]:
        found = normalization.batch_norm_backward(widen(g), widen(x), weight, mean, rstd, training=True)
        return (narrow(found[0], host), *found[1:])

    return kernel


@table.binder(ops.batch_norm_by_statistics)
def _batch_norm_by_statistics(call: Call) -> Kernel:
    eps = call.statics["eps"]

    def kernel(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None) -> Array:
        return normalization.batch_norm(x, weight, bias, mean, var, training=False, eps=eps)[0]

    return kernel


@table(ops.move_statistics, out=True)
def _move_statistics(
    running_mean: Array,
    running_var: Array,
    mean: Array,
    var: Array,
    momentum: Array,
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    kept = 1 - momentum
    moved_mean, moved_var = out or (None, None)
    moved_mean = np.multiply(running_mean, kept, out=moved_mean, dtype=running_mean.dtype)
    moved_mean += mean * momentum
    moved_var = np.multiply(running_var, kept, out=moved_var, dtype=running_var.dtype)
    moved_var += var * momentum
    return moved_mean, moved_var


@table.binder(ops.layer_norm)
def _layer_norm(call: Call) -> Kernel:
    statics = call.statics

    def kernel(x: Array, weight: Array | None, bias: Array | None) -> tuple[Array, ...]:
        return normalization.layer_norm(x, weight, bias, **statics)

    return kernel


@table.binder(ops.layer_norm_backward)
def _layer_norm_backward(call: Call) -> Kernel:
    sizes = call.statics["normalized_shape"]
    host = call.output.dtype.host

    def kernel(g: Array, x: Array, weight: Array | None, mean: Array, rstd: Array) -> tuple[Array, ...]:
        found = normalization.layer_norm_backward(widen(g), widen(x), weight, mean, rstd, normalized_shape=sizes)
        return (narrow(found[0], host), *found[1:])

    return kernel


# ------------------------------------------------------------------------------------------ looking up


@table(ops.embedding)
def _embedding(indices: Array, weight: Array, padding_idx: int | None) -> Array:
    if indices.size and indices.min() < 0:
        raise IndexError("a negative index")
    return weight.take(indices, axis=0)


@table(ops.embedding_backward)
def _embedding_backward(g: Array, indices: Array, num_weights: int, padding_idx: int | None) -> Array:
    """Sort the places by row and add each run: `numpy.add.at` takes ten times as long."""
    places = indices.reshape(-1)
    out = np.zeros((num_weights, g.shape[-1]), g.dtype)
    if not places.size:
        return out
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    rows = widen(g).reshape(-1, g.shape[-1])[order]
    out[ordered[first]] = np.add.reduceat(rows, first, axis=0)
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


@table.binder(ops.masked_scale)
def _masked_scale(call: Call) -> Kernel | None:
    if call.output.dtype not in (dtypes.float32, dtypes.float64):
        return None
    scale = np.array(call.statics["scale"], call.output.dtype.host)

    def kernel(x: Array, mask: Array) -> Array:
        return np.multiply(x, np.multiply(mask, scale), out=...)

    return kernel
