"""Normalisation of channels by the statistics of a batch, of single samples, or by running ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail.dispatch.update import update
from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.ops.definition import Number, front, op
from dovetail.ops.normalization import (
    SIGNS,
    Shape,
    affine,
    centre,
    channel_dims,
    check_channels,
    computed,
    per_channel,
)
from dovetail.ops.precision import wider
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


@op(
    shape=lambda grad, input, *others, **statics: [input.shape, (input.shape[1],), (input.shape[1],)],
    dtype=computed("batch_norm", False, True, True),
    outputs=("input_grad", "weight_grad", "bias_grad"),
    internal=True,
    samples=calls(
        call(
            Arg((2, 2, 4)),
            SIGNS,
            Arg((2,), low=0.5),
            Arg((2,), values=[0, 0]),
            Arg((2,), values=[1, 1]),
            0.0,
            grad=False,
        ),
        call(Arg((2, 2, 4)), SIGNS, None, Arg((2,), values=[0, 0]), Arg((2,), values=[1, 1]), 0.0, grad=False),
    ),
    agree=Agree.running(),
)
def batch_norm_backward(
    grad: Tensor, input: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of input, weight and bias of a normalisation with the statistics of the batch.

    ``w r (g - mean(g) - n mean(g n))`` with the normalised input n; ``sum(g n)``; ``sum(g)``.
    """
    dims = channel_dims(input.ndim)
    wide = wider(input.dtype)
    x, g = input.to(wide), grad.to(wide)
    _, centred = centre(x, dims)
    scale = (centred * centred).mean(dims, True).add(eps).rsqrt()
    normal = centred * scale
    product = g * normal
    slope = g - g.mean(dims, True) - normal * product.mean(dims, True)
    if weight is not None:
        scale = scale * per_channel(weight.to(wide), input.ndim)
    return (slope * scale).to(input.dtype), product.sum(dims), g.sum(dims)


def _batch_shapes(input: Spec, weight: Spec | None, bias: Spec | None, *, eps: float) -> list[Shape]:
    check_channels("batch_norm", input, weight=weight, bias=bias)
    channels = (input.shape[1],)
    return [input.shape, channels, channels, channels]


@op(
    shape=_batch_shapes,
    dtype=computed("batch_norm", False, True, True, True),
    outputs=("out", "mean", "var", "rstd"),
    hidden=1,
    internal=True,
    samples=calls(
        call(Arg((3, 2)), Arg((2,)), Arg((2,)), 1e-5),
        call(Arg((3, 2, 4)), None, None, 1e-3),
        call(Arg((2, 3, 2, 2)), Arg((3,)), Arg((3,)), 1e-5),
        errors=(
            error(RuntimeError, "weight should contain 3 elements not 2", Arg((2, 3, 4)), Arg((2,)), None, 1e-5),
            error(
                RuntimeError,
                "\"batch_norm\" not implemented for 'Long'",
                Arg((2, 3), dtype="int64"),
                None,
                None,
                1e-5,
            ),
        ),
    ),
    agree=Agree.running(),
    backward_name="NativeBatchNormBackward0",
)
def batch_norm_by_batch(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Each channel normalised by its own mean and variance, and these two as running statistics want them.

    So the variance that is returned divides by n - 1; the one that normalises divides by n.
    """
    dims = channel_dims(input.ndim)
    x = input.to(wider(input.dtype))
    mean, centred = centre(x, dims)
    squares = (centred * centred).sum(dims)
    count = math.prod(input.shape[d] for d in dims)
    var = squares / count
    out = affine(centred * per_channel((var + eps).rsqrt(), input.ndim), weight, bias)
    return out.to(input.dtype), mean.reshape(-1), squares / (count - 1)


@batch_norm_by_batch.vjp
def _batch_gradient(
    g: Sequence[Tensor | None],
    input: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    rstd: Tensor,
    *,
    specs: Any,
    eps: float,
) -> Any:
    grad, mean_grad, var_grad = g[:3]
    found: list[Tensor | None] = [None, None, None]
    if grad is not None:
        left, middle, right = batch_norm_backward(grad, input, weight, mean, rstd, eps)
        found = [left, middle.reshape(specs[1].shape) if specs[1] else None, right if specs[2] else None]
    if mean_grad is not None or var_grad is not None:
        through = _through_statistics(input, mean_grad, var_grad)
        found[0] = through if found[0] is None else found[0] + through
    return tuple(found)


def _through_statistics(input: Tensor, mean_grad: Tensor | None, var_grad: Tensor | None) -> Tensor:
    """The gradient that reaches the input through the mean and the variance that were returned."""
    dims = channel_dims(input.ndim)
    x = input.to(wider(input.dtype))
    count = math.prod(input.shape[d] for d in dims)
    total = x.new_zeros(())
    if mean_grad is not None:
        total = total + per_channel(mean_grad, input.ndim) / count
    if var_grad is not None:
        total = total + centre(x, dims)[1] * per_channel(var_grad, input.ndim) * (2 / (count - 1))
    return total.expand(input.shape).to(input.dtype)


def _fixed_shape(
    input: Spec, running_mean: Spec, running_var: Spec, weight: Spec | None, bias: Spec | None, *, eps: float
) -> Shape:
    check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    return input.shape


@op(
    shape=_fixed_shape,
    dtype=computed("batch_norm", False),
    internal=True,
    samples=calls(
        call(Arg((3, 2)), Arg((2,)), Arg((2,), low=0.5), Arg((2,)), Arg((2,)), 1e-5),
        call(Arg((3, 2, 4)), Arg((2,)), Arg((2,), low=0.5), None, None, 1e-3),
    ),
    agree=Agree.running(),
    backward_name="NativeBatchNormBackward0",
)
def batch_norm_by_statistics(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    """Each channel normalised by a given mean and variance."""
    wide = wider(input.dtype)
    centred = input.to(wide) - per_channel(running_mean.to(wide), input.ndim)
    normal = centred * per_channel((running_var.to(wide) + eps).rsqrt(), input.ndim)
    return affine(normal, weight, bias).to(input.dtype)


def _as_running(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """The results in the types of the running statistics, which the batch's are converted to."""
    mean, var = inputs[:2]
    assert mean is not None, "there are running statistics"
    assert var is not None, "there are running statistics"
    return Dtypes([None, None, mean.dtype, var.dtype, None], [mean.dtype, var.dtype])


@op(
    shape=lambda running_mean, running_var, *others, **statics: [running_mean.shape, running_var.shape],
    dtype=_as_running,
    outputs=("moved_mean", "moved_var"),
    updates=(0, 1),
    nondifferentiable="running statistics are no part of a graph",
    internal=True,
    samples=calls(
        call(Arg((3,)), Arg((3,)), Arg((3,)), Arg((3,)), 0.1),
        call(Arg((3,)), Arg((3,)), Arg((3,)), Arg((3,)), Arg((), values=0.25)),
    ),
    agree=Agree.running(),
)
def move_statistics(
    running_mean: Tensor, running_var: Tensor, mean: Tensor, var: Tensor, momentum: Tensor | Number
) -> tuple[Tensor, Tensor]:
    """Running statistics, moved towards those of a batch: ``(1 - momentum) * running + momentum * batch``."""
    kept = 1 - momentum
    return running_mean * kept + mean * momentum, running_var * kept + var * momentum


@front(method=False)
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel (arXiv:1502.03167).

    Shapes: input (N, C, ...), all others (C). In training mean and variance are the batch's, and the running
    ones, if given, move towards them by ``momentum``, written in place, the variance with n - 1 in its
    denominator; otherwise the running ones are used. ``momentum`` may be a 0-d tensor.
    """
    if not training:
        for word, vector in (("running_mean", running_mean), ("running_var", running_var)):
            if vector is None:
                raise ArgumentRuntimeError(f"{word} must be defined in evaluation mode")
        assert running_mean is not None, "checked above"
        assert running_var is not None, "checked above"
        return batch_norm_by_statistics(input, running_mean, running_var, weight, bias, eps)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("running_mean and running_var must either both be None or neither be None")
    check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var)
    count = input.numel() // max(input.shape[1], 1)
    if count == 1:
        raise ArgumentError(
            f"Expected more than 1 value per channel when training, got input size {input.shape} (use a "
            "larger batch, "
            "drop_last=True in the DataLoader, or model.eval())"
        )
    out, mean, var = batch_norm_by_batch(input, weight, bias, eps)
    if running_mean is not None and running_var is not None:
        update(move_statistics.record, running_mean, running_var, mean, var, momentum)
    return out


@op(
    samples=calls(
        call(Arg((2, 3, 4))),
        call(Arg((2, 3, 2, 2)), None, None, Arg((3,)), Arg((3,)), eps=1e-3),
        call(
            Arg((2, 3, 4)), Arg((3,), grad=False), Arg((3,), low=0.5, grad=False), Arg((3,)), Arg((3,)),
            use_input_stats=False,
        ),
        errors=(
            error(ValueError, "Expected more than 1 spatial element when training", Arg((2, 3))),
            error(
                RuntimeError,
                "Expected running_mean and running_var to be defined when use_input_stats is false",
                Arg((2, 3, 4)), use_input_stats=False,
            ),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Batch normalisation of each channel of each sample by itself (arXiv:1607.08022).

    The running statistics, if given, move towards the means of those of the samples.
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ArgumentRuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ArgumentError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    batch, channels = input.shape[:2]
    rows = input.reshape((1, batch * channels, *input.shape[2:]))
    out, mean, var = batch_norm_by_batch(rows, None, None, eps)
    if running_mean is not None and running_var is not None:
        found = (v.detach().reshape((batch, channels)).mean(0) for v in (mean, var))
        update(move_statistics.record, running_mean, running_var, *found, momentum)
    return affine(out.reshape(input.shape), weight, bias)
