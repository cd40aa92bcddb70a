"""Normalisation over channels, trailing dimensions and groups, and running statistics.

The gradients are fused ops that take mean and 1 / sqrt(var + eps) from the forward pass. Their decompositions compute
both anew from the input, on which they depend: so a second derivative is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError, DtypeError, ShapeError
from dovetail.ops.definition import front, op
from dovetail.ops.precision import wider
from dovetail.record.agree import Agree
from dovetail.record.rules import DtypeRule, Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]

# ------------------------------------------------------------------------------------------ what goes with an input


def _computed(name: str, *outputs: bool) -> DtypeRule:
    """The input's type, which must be floating and that of all parameters, 16-bit inputs excepted.

    ``outputs`` says of each result whether it is a statistic, which has at least the type float32.
    """

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        kind = first.dtype
        if not kind.is_floating_point:
            raise DtypeError(
                f"\"{name}\" not implemented for '{kind.legacy_name}' (convert first: x.float())"
            )
        for other in inputs[1:]:
            if other is not None and other.dtype not in (kind, wider(kind)):
                raise DtypeError(
                    f"mixed dtype (CPU): all inputs must share same datatype. ({name}: {kind.name} and "
                    f"{other.dtype.name}; convert one of them, as in x.to({other.dtype!r}))"
                )
        return Dtypes([None] * len(inputs), [wider(kind) if statistic else kind for statistic in outputs])

    return rule


def _check_channels(name: str, input: Spec | Tensor, **vectors: Spec | Tensor | None) -> None:
    if len(input.shape) < 2:
        raise ShapeError(
            f"Expected at least 2 dimensions for input tensor but received {len(input.shape)} ({name}: dimension 1 has the "
            "channels)"
        )
    for word, vector in vectors.items():
        if vector is not None and math.prod(vector.shape) != input.shape[1]:
            raise ShapeError(
                f"{word} should contain {input.shape[1]} elements not {math.prod(vector.shape)} ({name}: input "
                f"{list(input.shape)}, {word} {list(vector.shape)})"
            )


def _channel_dims(ndim: int) -> Shape:
    """All dimensions but that of the channels."""
    return (0, *range(2, ndim))


def _per_channel(vector: Tensor, ndim: int) -> Tensor:
    """A vector of one number per channel, broadcastable to an input of so many dimensions."""
    return vector.reshape((vector.shape[0], *(1,) * (ndim - 2)))


# Numbers whose mean is 0 and whose variance is 1 along every dimension that is normalised: samples of a gradient
# need statistics that are those of their input.
_SIGNS = Arg((2, 2, 4), values=[[[1, -1, 1, -1], [1, 1, -1, -1]], [[-1, 1, 1, -1], [-1, -1, 1, 1]]])

# ------------------------------------------------------------------------------------------ batch normalisation


@op(
    shape=lambda grad, input, *others, **statics: [input.shape, (input.shape[1],), (input.shape[1],)],
    dtype=_computed("batch_norm", False, True, True),
    outputs=("input_grad", "weight_grad", "bias_grad"),
    internal=True,
    samples=calls(
        call(
            Arg((2, 2, 4)),
            _SIGNS,
            Arg((2,), low=0.5),
            Arg((2,), values=[0, 0]),
            Arg((2,), values=[1, 1]),
            0.0,
            grad=False,
        ),
        call(
            Arg((2, 2, 4)), _SIGNS, None, Arg((2,), values=[0, 0]), Arg((2,), values=[1, 1]), 0.0, grad=False
        ),
    ),
    agree=Agree.running(),
)
def batch_norm_backward(
    grad: Tensor, input: Tensor, weight: Tensor | None, mean: Tensor, rstd: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of input, weight and bias of a normalisation with the statistics of the batch.

    ``w r (g - mean(g) - n mean(g n))`` with the normalised input n; ``sum(g n)``; ``sum(g)``.
    """
    dims = _channel_dims(input.ndim)
    wide = wider(input.dtype)
    x, g = input.to(wide), grad.to(wide)
    centred = x - x.mean(dims, True)
    scale = (centred * centred).mean(dims, True).add(eps).rsqrt()
    normal = centred * scale
    product = g * normal
    slope = g - g.mean(dims, True) - normal * product.mean(dims, True)
    if weight is not None:
        scale = scale * _per_channel(weight.to(wide), input.ndim)
    return (slope * scale).to(input.dtype), product.sum(dims), g.sum(dims)


def _batch_shapes(input: Spec, weight: Spec | None, bias: Spec | None, *, eps: float) -> list[Shape]:
    _check_channels("batch_norm", input, weight=weight, bias=bias)
    channels = (input.shape[1],)
    return [input.shape, channels, channels, channels]


@op(
    shape=_batch_shapes,
    dtype=_computed("batch_norm", False, True, True, True),
    outputs=("out", "mean", "var", "rstd"),
    hidden=1,
    internal=True,
    samples=calls(
        call(Arg((3, 2)), Arg((2,)), Arg((2,)), 1e-5),
        call(Arg((3, 2, 4)), None, None, 1e-3),
        call(Arg((2, 3, 2, 2)), Arg((3,)), Arg((3,)), 1e-5),
        errors=(
            error(
                RuntimeError, "weight should contain 3 elements not 2", Arg((2, 3, 4)), Arg((2,)), None, 1e-5
            ),
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
)
def batch_norm_by_batch(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Each channel normalised by its own mean and variance, and these two as running statistics want them.

    So the variance that is returned divides by n - 1; the one that normalises divides by n.
    """
    dims = _channel_dims(input.ndim)
    x = input.to(wider(input.dtype))
    mean = x.mean(dims)
    centred = x - _per_channel(mean, input.ndim)
    squares = (centred * centred).sum(dims)
    count = math.prod(input.shape[d] for d in dims)
    var = squares / count
    out = _affine(centred * _per_channel((var + eps).rsqrt(), input.ndim), weight, bias)
    return out.to(input.dtype), mean, squares / (count - 1)


def _affine(normal: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Scale and shift per channel, computed in the type of what is scaled."""
    if weight is not None:
        normal = normal * _per_channel(weight.to(normal.dtype), normal.ndim)
    return normal if bias is None else normal + _per_channel(bias.to(normal.dtype), normal.ndim)


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
    dims = _channel_dims(input.ndim)
    x = input.to(wider(input.dtype))
    count = math.prod(input.shape[d] for d in dims)
    total = x.new_zeros(())
    if mean_grad is not None:
        total = total + _per_channel(mean_grad, input.ndim) / count
    if var_grad is not None:
        total = total + (x - x.mean(dims, True)) * _per_channel(var_grad, input.ndim) * (2 / (count - 1))
    return total.expand(input.shape).to(input.dtype)


def _fixed_shape(
    input: Spec, running_mean: Spec, running_var: Spec, weight: Spec | None, bias: Spec | None, *, eps: float
) -> Shape:
    _check_channels(
        "batch_norm", input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    return input.shape


@op(
    shape=_fixed_shape,
    dtype=_computed("batch_norm", False),
    internal=True,
    samples=calls(
        call(Arg((3, 2)), Arg((2,)), Arg((2,), low=0.5), Arg((2,)), Arg((2,)), 1e-5),
        call(Arg((3, 2, 4)), Arg((2,)), Arg((2,), low=0.5), None, None, 1e-3),
    ),
    agree=Agree.running(),
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
    centred = input.to(wide) - _per_channel(running_mean.to(wide), input.ndim)
    normal = centred * _per_channel((running_var.to(wide) + eps).rsqrt(), input.ndim)
    return _affine(normal, weight, bias).to(input.dtype)


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

    Shapes: input (N, C, ...), all others (C). In training mean and variance are the batch's, and the running ones, if
    given, move towards them by ``momentum``, written in place, the variance with n - 1 in its denominator; otherwise
    the running ones are used. ``momentum`` may be a 0-d tensor.
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
    _check_channels("batch_norm", input, running_mean=running_mean, running_var=running_var)
    count = input.numel() // max(input.shape[1], 1)
    if count == 1:
        raise ArgumentError(
            f"Expected more than 1 value per channel when training, got input size {input.shape} (use a larger batch, "
            "drop_last=True in the DataLoader, or model.eval())"
        )
    out, mean, var = batch_norm_by_batch(input, weight, bias, eps)
    if running_mean is not None and running_var is not None:
        with no_grad():
            _move(running_mean, mean, momentum)
            _move(running_var, var, momentum)
    return out


def _move(running: Tensor, batch: Tensor, momentum: float | Tensor) -> None:
    """Move a running statistic towards the batch's, in place."""
    running.mul_(1 - momentum)
    running.add_((batch * momentum).to(running.dtype))


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
                RuntimeError, "Expected running_mean and running_var to be defined when use_input_stats is false",
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
        raise ArgumentError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    batch, channels = input.shape[:2]
    rows = input.reshape((1, batch * channels, *input.shape[2:]))
    out, mean, var = batch_norm_by_batch(rows, None, None, eps)
    if running_mean is not None and running_var is not None:
        with no_grad():
            _move(running_mean, mean.reshape((batch, channels)).mean(0), momentum)
            _move(running_var, var.reshape((batch, channels)).mean(0), momentum)
    return _affine(out.reshape(input.shape), weight, bias)


# ------------------------------------------------------------------------------------------ trailing dimensions


def _trailing(name: str, input: Spec, normalized_shape: Any, pattern: str) -> Shape:
    """The sizes that are normalised, checked against the end of the input's shape."""
    if isinstance(normalized_shape, int):
        raise ArgumentTypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int (write "
            f"({normalized_shape},))"
        )
    sizes = tuple(int(n) for n in normalized_shape)
    if not sizes:
        raise ShapeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    if tuple(input.shape[-len(sizes) :]) != sizes:
        words = ", ".join(map(str, sizes))
        raise ShapeError(
            f"Given normalized_shape=[{words}], expected input with shape [{pattern}{words}], but got input of size"
            f"{list(input.shape)}"
        )
    return sizes


def _check_parameters(sizes: Shape, **parameters: Spec | None) -> None:
    for word, parameter in parameters.items():
        if parameter is not None and tuple(parameter.shape) != sizes:
            raise ShapeError(
                f"Expected {word} to be of same shape as normalized_shape, but got {word} of shape "
                f"{list(parameter.shape)} and normalized_shape = {list(sizes)}"
            )


def _rows(shape: Shape) -> tuple[Arg, Arg]:
    """Mean and 1 / sqrt(var) of the signs."""
    count = math.prod(shape)
    return Arg(shape, values=[0] * count), Arg(shape, values=[1] * count)


def _last(count: int) -> Shape:
    """The last dimensions, as negative numbers."""
    return tuple(range(-count, 0))


@op(
    shape=lambda grad, input, *others, normalized_shape, **statics: [
        input.shape,
        tuple(normalized_shape),
        tuple(normalized_shape),
    ],
    dtype=_computed("layer_norm", False, True, True),
    outputs=("input_grad", "weight_grad", "bias_grad"),
    internal=True,
    samples=calls(
        call(Arg((2, 2, 4)), _SIGNS, Arg((4,)), *_rows((2, 2, 1)), (4,), 0.0, grad=False),
        call(Arg((2, 2, 4)), _SIGNS, None, *_rows((2, 1, 1)), (2, 4), 0.0, grad=False),
    ),
    agree=Agree.running(),
)
def layer_norm_backward(
    grad: Tensor,
    input: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    rstd: Tensor,
    normalized_shape: Sequence[int],
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of input, weight and bias of a layer normalisation.

    ``r (h - mean(h) - n mean(h n))`` with h = g w and the normalised input n; ``sum(g n)``; ``sum(g)``.
    """
    dims = _last(len(normalized_shape))
    wide = wider(input.dtype)
    x, g = input.to(wide), grad.to(wide)
    centred = x - x.mean(dims, True)
    scale = (centred * centred).mean(dims, True).add(eps).rsqrt()
    normal = centred * scale
    h = g if weight is None else g * weight.to(wide)
    slope = h - h.mean(dims, True) - normal * (h * normal).mean(dims, True)
    slope = (slope * scale).to(input.dtype)
    lead = tuple(range(input.ndim - len(dims)))
    if not lead:
        return slope, g * normal, g
    return slope, (g * normal).sum(lead), g.sum(lead)


def _layer_canon(input: Spec, *others: Spec | None, normalized_shape: Any, eps: float) -> dict[str, Any]:
    return {"normalized_shape": _trailing("layer_norm", input, normalized_shape, "*, "), "eps": float(eps)}


def _layer_shapes(
    input: Spec, weight: Spec | None, bias: Spec | None, *, normalized_shape: Shape, eps: float
) -> list[Shape]:
    _check_parameters(normalized_shape, weight=weight, bias=bias)
    count = len(normalized_shape)
    rows = (*input.shape[: input.ndim - count], *(1,) * count)
    return [input.shape, rows, rows]


@op(
    shape=_layer_shapes,
    dtype=_computed("layer_norm", False, True, True),
    canon=_layer_canon,
    outputs=("out", "mean", "rstd"),
    hidden=2,
    samples=calls(
        call(Arg((2, 3, 4)), (4,)),
        call(Arg((2, 3, 4)), (3, 4), Arg((3, 4)), Arg((3, 4)), 1e-3),
        call(Arg((2, 3)), (3,), Arg((3,))),
        call(Arg((2, 3)), (3,), None, Arg((3,))),
        call(Arg((4,)), (4,), Arg((4,)), Arg((4,))),
        errors=(
            error(
                RuntimeError,
                "Given normalized_shape=[3], expected input with shape [*, 3], but got input of size[2, 3, 4]",
                Arg((2, 3, 4)), (3,),
            ),
            error(RuntimeError, "Expected normalized_shape to be at least 1-dimensional", Arg((2, 3, 4)), ()),
            error(
                RuntimeError, "Expected weight to be of same shape as normalized_shape, but got weight of shape [3]",
                Arg((2, 3, 4)), (4,), Arg((3,)),
            ),
            error(RuntimeError, "\"layer_norm\" not implemented for 'Long'", Arg((2, 3), dtype="int64"), (3,)),
            error(TypeError, "must be tuple of ints, not int", Arg((2, 3)), 3),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions (arXiv:1607.06450).

    Shapes: input (..., normalized_shape), weight and bias normalized_shape.
    """
    dims = _last(len(normalized_shape))
    x = input.to(wider(input.dtype))
    centred = x - x.mean(dims, True)
    out = centred * (centred * centred).mean(dims, True).add(eps).rsqrt()
    if weight is not None:
        out = out * weight.to(out.dtype)
    if bias is not None:
        out = out + bias.to(out.dtype)
    return out.to(input.dtype)


@layer_norm.vjp
def _layer_gradient(
    g: Tensor,
    input: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    rstd: Tensor,
    *,
    normalized_shape: Shape,
    eps: float,
    specs: Any,
) -> Any:
    left, middle, right = layer_norm_backward(g, input, weight, mean, rstd, normalized_shape, eps)
    return left, middle if specs[1] else None, right if specs[2] else None


@op(
    samples=calls(
        call(Arg((2, 3, 4)), (4,)),
        call(Arg((2, 3, 4)), (3, 4), Arg((3, 4)), 1e-3),
        errors=(
            error(
                RuntimeError,
                "Given normalized_shape=[3], expected input with shape [*3]",
                Arg((2, 3, 4)),
                (3,),
            ),
        ),
    ),
    agree=Agree.running(),
)
def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last dimensions (arXiv:1910.07467).

    Without ``eps`` it is the distance of 1 to the next number of the type in which it is computed.
    """
    sizes = _trailing("rms_norm", input._spec, normalized_shape, "*")
    _check_parameters(sizes, weight=None if weight is None else weight._spec)
    x = input.to(wider(input.dtype))
    small = {dtypes.float64: 2.0**-52}.get(x.dtype, 2.0**-23) if eps is None else eps
    out = x * (x * x).mean(_last(len(sizes)), True).add(small).rsqrt()
    if weight is not None:
        out = out * weight.to(out.dtype)
    return out.to(input.dtype)


# ------------------------------------------------------------------------------------------ groups


@op(
    samples=calls(
        call(Arg((2, 6, 4)), 3),
        call(Arg((2, 4, 2, 3)), 2, Arg((4,)), Arg((4,)), 1e-3),
        call(Arg((3, 4)), 2, Arg((4,))),
        errors=(
            error(
                RuntimeError, "Expected number of channels in input to be divisible by num_groups, but got input of shape",
                Arg((2, 6, 4)), 4,
            ),
            error(RuntimeError, "Expected weight to be a vector of size equal to the number of channels", Arg((2, 6, 4)), 3, Arg((5,))),
            error(RuntimeError, "Expected at least 2 dimensions for input tensor but received 1", Arg((2,)), 1),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over groups of channels of each sample (arXiv:1803.08494).

    Shapes: input (N, C, ...), weight and bias (C).
    """
    if input.ndim < 2:
        raise ShapeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    batch, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups:
        raise ArgumentRuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    for word, vector in (("weight", weight), ("bias", bias)):
        if vector is not None and tuple(vector.shape) != (channels,):
            raise ShapeError(
                f"Expected {word} to be a vector of size equal to the number of channels in input, but got {word} of "
                f"shape {list(vector.shape)} and input of shape {list(input.shape)}"
            )
    length = channels // num_groups * math.prod(input.shape[2:])
    rows = layer_norm(input.reshape((batch, num_groups, length)), (length,), None, None, eps)
    return _affine(rows.reshape(input.shape), weight, bias).to(input.dtype)
