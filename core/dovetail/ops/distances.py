"""Distances and similarities of vectors: of pairs, of all pairs of two sets, of all pairs of one."""

from __future__ import annotations

import math

from dovetail.errors import ArgumentError, ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import Number, op
from dovetail.ops.joining import cat
from dovetail.record.agree import Agree
from dovetail.record.rules import broadcast_shapes, normalize_dim
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


@op(
    samples=calls(
        call(Arg((3, 4)), Arg((3, 4))),
        call(Arg((2, 3, 4)), Arg((4,)), p=1.0, keepdim=True),
        call(Arg((4,)), Arg((4,)), p=math.inf, eps=0.0),
    ),
    agree=Agree.running(),
)
def pairwise_distance(x1: Tensor, x2: Tensor, p: Number = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dimension.

    >>> import dovetail
    >>> dovetail.pairwise_distance(dovetail.tensor([[3.0, 4.0]]), dovetail.zeros(1, 2))
    tensor([5.0000])
    """
    # Not a norm at 0 where both are equal: that is what eps is for.
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


@op(
    method=True,
    samples=calls(call(Arg((3, 4)), Arg((3, 4))), call(Arg((2, 3)), Arg((3,)), p=1.0)),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def dist(input: Tensor, other: Tensor, p: Number = 2) -> Tensor:
    """The p-norm of all differences ``input - other`` together."""
    return (input - other).norm(p)


@op(
    samples=calls(
        call(Arg((3, 4)), Arg((3, 4))),
        call(Arg((2, 3, 4)), Arg((4,)), dim=-1),
        call(Arg((4,)), Arg((4,)), dim=0, eps=1e-3),
        errors=(error(IndexError, "Dimension out of range", Arg((3,)), Arg((3,))),),
    ),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along a dimension of the common shape.

    >>> import dovetail
    >>> dovetail.cosine_similarity(dovetail.tensor([[2.0, 0.0]]), dovetail.tensor([[3.0, 3.0]]))
    tensor([0.7071])
    """
    if not (x1 * x2).is_floating_point():
        raise DtypeError("expected common dtype to be floating point, yet common dtype is not (write x.float())")
    shape = broadcast_shapes(x1.shape, x2.shape)
    axis = normalize_dim(dim, len(shape))
    left, right = x1.expand(shape), x2.expand(shape)
    return (left / _length(left, axis, eps) * (right / _length(right, axis, eps))).sum(axis)


def _length(x: Tensor, dim: int, eps: float) -> Tensor:
    return at_least(x.norm(2, dim, keepdim=True), eps)


def at_least(x: Tensor, low: float) -> Tensor:
    """``max(x, low)`` with the gradient of x everywhere, as PyTorch's clamps under no_grad give it."""
    return select_by(x < low, x - x.detach() + low, x)


@op(
    samples=calls(
        call(Arg((3, 4)), Arg((2, 4))),
        call(Arg((2, 3, 4)), Arg((1, 5, 4)), p=1.0),
        call(Arg((3, 2)), Arg((2, 2)), p=math.inf),
        call(Arg((3, 2)), Arg((2, 2)), p=3.0),
        call(Arg((3, 2)), Arg((2, 2)), p=0.0, grad=False),
        errors=(
            error(RuntimeError, "X1 and X2 must have the same number of columns", Arg((2, 3)), Arg((2, 4))),
            error(RuntimeError, "cdist only supports non-negative p values", Arg((2, 3)), Arg((2, 3)), p=-1.0),
        ),
    ),
    agree=Agree.running(),
    autocast="float32",
)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distance of every row of ``x1`` to every row of ``x2``.

    Shapes: x1 (..., P, M), x2 (..., R, M); result (..., P, R). ``compute_mode`` is accepted: the differences are
    always taken before they are squared, which loses no digits.
    """
    if x1.ndim < 2 or x2.ndim < 2:
        word, few = ("X1", x1) if x1.ndim < 2 else ("X2", x2)
        raise ShapeError(f"cdist only supports at least 2D tensors, {word} got: {few.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]} "
            f"(cdist: {list(x1.shape)} and {list(x2.shape)})"
        )
    if p < 0:
        raise ArgumentRuntimeError(f"cdist only supports non-negative p values (got {p})")
    if compute_mode not in _MODES:
        raise ArgumentError(f"{compute_mode} is not a valid value for compute_mode")
    if not (x1.is_floating_point() and x2.is_floating_point()):
        raise DtypeError("cdist only supports floating-point dtypes (write x.float())")
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return difference.norm(p, -1)


_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


@op(
    samples=calls(
        call(Arg((4, 3))),
        call(Arg((3, 2)), p=1.0),
        call(Arg((3, 2)), p=math.inf),
        call(Arg((1, 2)), grad=False),
        errors=(error(RuntimeError, "pdist only supports 2D tensors", Arg((3,))),),
    ),
    agree=Agree.running(),
    autocast={"accelerator": "float32"},
)
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distance of every two rows, in the order of the upper triangle.

    Shapes: input (N, M); result (N (N - 1) / 2).
    """
    if input.ndim != 2:
        raise ShapeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if not input.is_floating_point():
        raise DtypeError("pdist only supports floating-point dtypes (write x.float())")
    if p < 0:
        raise ArgumentRuntimeError(f"pdist only supports non-negative p values (got {p})")
    count = input.shape[0]
    if count < 2:
        return input.new_zeros((0,))
    pairs = [input[i : i + 1] - input[i + 1 :] for i in range(count - 1)]
    return cat(pairs).norm(p, -1)
