"""Normalisation over trailing dimensions and over groups of channels of each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ArgumentTypeError, ShapeError
from dovetail.ops.definition import op
from dovetail.ops.normalization import SIGNS, Shape, affine, centre, computed
from dovetail.ops.precision import wider
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor


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
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, "
            "but got "
            "normalized_shape = []"
        )
    if tuple(input.shape[-len(sizes) :]) != sizes:
        words = ", ".join(map(str, sizes))
        raise ShapeError(
            f"Given normalized_shape=[{words}], expected input with shape [{pattern}{words}], but got input "
            "of size"
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
    dtype=computed("layer_norm", False, True, True),
    outputs=("input_grad", "weight_grad", "bias_grad"),
    internal=True,
    samples=calls(
        call(Arg((2, 2, 4)), SIGNS, Arg((4,)), *_rows((2, 2, 1)), (4,), 0.0, grad=False),
        call(Arg((2, 2, 4)), SIGNS, None, *_rows((2, 1, 1)), (2, 4), 0.0, grad=False),
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
    _, centred = centre(x, dims)
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
    dtype=computed("layer_norm", False, True, True),
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
                "Given normalized_shape=[3], expected input with shape [*, 3], but got input of size[2, 3, "
                "4]",
                Arg((2, 3, 4)), (3,),
            ),
            error(RuntimeError, "Expected normalized_shape to be at least 1-dimensional", Arg((2, 3, 4)), ()),
            error(
                RuntimeError,
                "Expected weight to be of same shape as normalized_shape, but got weight of shape [3]",
                Arg((2, 3, 4)), (4,), Arg((3,)),
            ),
            error(RuntimeError, "not implemented for 'Long'", Arg((2, 3), dtype="int64"), (3,)),
            error(TypeError, "must be tuple of ints, not int", Arg((2, 3)), 3),
        ),
    ),
    agree=Agree.running(),
    backward_name="NativeLayerNormBackward0",
    autocast={"accelerator": "float32"},
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
    _, centred = centre(x, dims)
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
    autocast={"accelerator": "float32"},
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
                RuntimeError, "Expected number of channels in input to be divisible by num_groups",
                Arg((2, 6, 4)), 4,
            ),
            error(
                RuntimeError, "Expected weight to be a vector of size equal to the number of channels",
                Arg((2, 6, 4)), 3, Arg((5,)),
            ),
            error(RuntimeError, "Expected at least 2 dimensions for input tensor", Arg((2,)), 1),
        ),
    ),
    agree=Agree.running(),
    backward_name="NativeGroupNormBackward0",
    autocast={"accelerator": "float32"},
)  # fmt: skip
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over groups of channels of each sample.

    Source: Wu and He 2018, arXiv:1803.08494.

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
                f"Expected {word} to be a vector of size equal to the number of channels in input, but got "
                f"{word} of "
                f"shape {list(vector.shape)} and input of shape {list(input.shape)}"
            )
    length = channels // num_groups * math.prod(input.shape[2:])
    rows = layer_norm(input.reshape((batch, num_groups, length)), (length,), None, None, eps)
    return affine(rows.reshape(input.shape), weight, bias).to(input.dtype)


# ------------------------------------------------------------------------------------------ by a norm


@op(
    samples=calls(
        call(Arg((2, 3))),
        call(Arg((2, 3)), 1.0, 0),
        call(Arg((2, 3, 2)), 3.0, -1),
        call(Arg((4,)), dim=0, eps=1.0),
    ),
    agree=Agree.running(),
)
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Each vector along a dimension divided by its p-norm, or by ``eps`` where the norm is less."""
    length = input.norm(p, dim, True)
    return input / length.clamp(min=eps)
