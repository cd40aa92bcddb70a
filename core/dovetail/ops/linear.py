"""The map of a fully connected layer."""

from __future__ import annotations

import math

from dovetail.errors import ShapeError
from dovetail.ops.contraction import matmul
from dovetail.ops.definition import op
from dovetail.ops.precision import wider
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import broadcast_shapes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def _shape(input: Spec, weight: Spec, bias: Spec | None) -> Shape:
    a, w = list(input.shape), list(weight.shape)
    if weight.ndim not in (1, 2):
        raise ShapeError(f"linear: the weight has one or two dimensions, got {w}")
    if not a:
        raise ShapeError("both arguments to linear need to be at least 1D, but they are 0D and 2D")
    if a[-1] != w[-1]:
        rows = math.prod(a[:-1])
        other = f"{w[1]}x{w[0]}" if weight.ndim == 2 else f"{w[0]}x1"
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{a[-1]} and {other}) (in linear: input {a}, "
            f"weight {w}: the input needs {w[-1]} features)"
        )
    result = (*a[:-1], *w[:-1])
    if bias is not None and broadcast_shapes(result, bias.shape) != result:
        raise ShapeError(f"linear: the bias {list(bias.shape)} is larger than the result {list(result)}")
    return result


def _name(input: Spec, weight: Spec, bias: Spec | None) -> str:
    """PyTorch's node: that of one op for matrices, of a view of its result for batches and vectors."""
    if input.ndim == 2:
        return "MmBackward0" if bias is None else "AddmmBackward0"
    if bias is not None:
        return "ViewBackward0"
    return "SqueezeBackward4" if input.ndim == 1 else "UnsafeViewBackward0"


@op(
    shape=_shape,
    dtype=rules.matching("linear"),
    samples=calls(
        call(Arg((2, 3)), Arg((4, 3)), Arg((4,))),
        call(Arg((2, 3)), Arg((4, 3))),
        call(Arg((2, 2, 3)), Arg((4, 3)), Arg((4,))),
        call(Arg((3,)), Arg((4, 3)), Arg((4,))),
        call(Arg((2, 3)), Arg((3,))),
        call(Arg((0, 3)), Arg((4, 3)), Arg((4,))),
        errors=(
            error(
                RuntimeError,
                "mat1 and mat2 shapes cannot be multiplied (2x5 and 3x4)",
                Arg((2, 5)),
                Arg((4, 3)),
            ),
            error(RuntimeError, "The size of tensor a (4) must match", Arg((2, 3)), Arg((4, 3)), Arg((3,))),
            error(RuntimeError, "to have the same dtype", Arg((2, 3)), Arg((4, 3), dtype="float64")),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=1), typical=8),
    backward_name=_name,
    autocast="lower",
)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``.

    Shapes: input (..., in), weight (out, in) or (in), bias (out) or (); result (..., out) or (...).
    """
    wide = wider(input.dtype)
    if wide is not input.dtype and bias is not None:
        return linear(input.to(wide), weight.to(wide), bias.to(wide)).to(input.dtype)
    result = matmul(input, weight.t())
    return result if bias is None else result + bias


def _input_gradient(g: Tensor, weight: Tensor) -> Tensor:
    return matmul(g, weight) if weight.ndim == 2 else g.unsqueeze(-1) * weight


def _weight_gradient(g: Tensor, input: Tensor) -> Tensor:
    """One product over the rows of all batches."""
    if input.ndim == 2 and g.ndim == 2:
        return matmul(g.t(), input)
    features = input.shape[-1]
    count = math.prod(input.shape[:-1])
    rows = input.reshape((count, features))
    if g.ndim < input.ndim:
        return matmul(g.reshape((count,)), rows)
    return matmul(g.reshape((count, g.shape[-1])).t(), rows)


linear.vjp(
    input=lambda g, weight: _input_gradient(g, weight),
    weight=lambda g, input: _weight_gradient(g, input),
    bias=lambda g, *, specs: g.sum_to_size(specs[2].shape),
)
