"""Products of matrices and what reduces to them."""

from __future__ import annotations

from typing import Any, Final

from dovetail.errors import ShapeError
from dovetail.ops.definition import NoDecomposition, bind, op
from dovetail.ops.shape import permute
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import broadcast_shapes
from dovetail.record.samples import NUMERIC, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_TERMS: Final = Agree.terms(k=Growth(linear=1), typical=8)
"""Any order of the sum; on standard normal data few units, which reduced precision is not."""


def _matmul_shape(input: Spec, other: Spec) -> tuple[int, ...]:
    a, b = input.shape, other.shape
    if not a or not b:
        raise ShapeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D (use `*` "
            f"for numbers)"
        )
    rows = a if len(a) > 1 else (1, a[0])
    columns = b if len(b) > 1 else (b[0], 1)
    if rows[-1] != columns[-2]:
        raise ShapeError(_matmul_message(a, b))
    batch = broadcast_shapes(rows[:-2], columns[:-2])
    return (*batch, *(rows[-2:-1] if len(a) > 1 else ()), *(columns[-1:] if len(b) > 1 else ()))


def _matmul_message(a: Any, b: Any) -> str:
    if len(a) == 1 and len(b) == 1:
        return (
            f"inconsistent tensor size, expected tensor [{a[0]}] and src [{b[0]}] to have the same number of elements, "
            f"but got {a[0]} and {b[0]} elements respectively (in matmul)"
        )
    left = f"{a[-2]}x{a[-1]}" if len(a) > 1 else f"1x{a[0]}"
    right = f"{b[-2]}x{b[-1]}" if len(b) > 1 else f"{b[0]}x1"
    return (
        f"mat1 and mat2 shapes cannot be multiplied ({left} and {right}) (in matmul of {list(a)} and {list(b)}: "
        f"the last "
        "size of the first must be the last but one of the second)"
    )


def _matmul_name(input: Spec, other: Spec) -> str:
    """What PyTorch makes of a product, by the dimensions of its factors."""
    names = {(1, 1): "DotBackward0", (2, 1): "MvBackward0", (2, 2): "MmBackward0", (1, 2): "SqueezeBackward4"}
    return names.get((input.ndim, other.ndim), "UnsafeViewBackward0")


@op(
    shape=_matmul_shape,
    dtype=rules.matching("matmul"),
    method=["matmul", "__matmul__"],
    samples=calls(
        call(Arg((2, 3)), Arg((3, 4))),
        call(Arg((3,)), Arg((3,))),
        call(Arg((2, 3)), Arg((3,))),
        call(Arg((3,)), Arg((3, 2))),
        call(Arg((2, 1, 2, 3)), Arg((3, 3, 2))),
        call(Arg((0, 3)), Arg((3, 2))),
        dtypes=NUMERIC,
        errors=(
            error(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (3x4 and 3x4)", Arg((3, 4)), Arg((3, 4))),
        ),
    ),
    agree=_TERMS,
    backward_name=_matmul_name,
    autocast="lower",
)
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product of the last two dimensions, batches broadcast; vectors count as a row or a column.

    >>> import dovetail
    >>> dovetail.ones(2, 3) @ dovetail.ones(3)
    tensor([3., 3.])
    """
    raise NoDecomposition


def _rmatmul(self: Tensor, other: Any) -> Tensor:
    return matmul(other, self)


bind("__rmatmul__", _rmatmul)


@matmul.vjp
def _matmul_gradient(g: Tensor, input: Tensor, other: Tensor, *, needs: Any) -> Any:
    if input.ndim == 2 and other.ndim == 2:
        return matmul(g, permute(other, (1, 0))) if needs[0] else None, (
            matmul(permute(input, (1, 0)), g) if needs[1] else None
        )
    a = input if input.ndim > 1 else input.unsqueeze(0)
    b = other if other.ndim > 1 else other.unsqueeze(1)
    if input.ndim == 1:
        g = g.unsqueeze(-1 if other.ndim == 1 else -2)
    if other.ndim == 1:
        g = g.unsqueeze(-1)
    left = right = None
    if needs[0]:
        left = matmul(g, b.transpose(-1, -2))
        left = left.sum_to_size(input.shape) if input.ndim > 1 else left.reshape(-1, input.shape[0]).sum(0)
    if needs[1]:
        right = _right_gradient(g, a, other)
    return left, right


def _right_gradient(g: Tensor, a: Tensor, other: Tensor) -> Tensor:
    if other.ndim == 2 and a.ndim > 2 and a.numel() and g.numel():
        # one product over the rows of all batches, and not the sum of one for each
        return matmul(a.reshape(-1, a.shape[-1]).t(), g.reshape(-1, g.shape[-1]))
    right = matmul(a.transpose(-1, -2), g)
    if other.ndim > 1:
        return right.sum_to_size(other.shape)
    return right.reshape(-1, *other.shape, 1).sum(0).squeeze(-1)


@op(method=True, samples=calls(call(Arg((2, 3)), Arg((3, 4)))), agree=_TERMS, autocast="lower")
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices."""
    if input.ndim != 2 or mat2.ndim != 2:
        raise ShapeError(f"mm: both arguments must be 2D matrices, got {input.ndim}D and {mat2.ndim}D (use matmul)")
    return matmul(input, mat2)


@op(
    method=True,
    samples=calls(call(Arg((2, 2, 3)), Arg((2, 3, 4)))),
    agree=_TERMS,
    autocast="lower",
)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of two batches of matrices."""
    if input.ndim != 3 or mat2.ndim != 3 or input.shape[0] != mat2.shape[0]:
        raise ShapeError(
            f"batch1 and batch2 must be 3D tensors with the same number of matrices, got {list(input.shape)} and "
            f"{list(mat2.shape)}"
        )
    return matmul(input, mat2)


@op(
    method=True,
    samples=calls(call(Arg((3, 2)), Arg((2,)))),
    agree=_TERMS,
    autocast={"cpu": "as is", "accelerator": "lower"},
)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector."""
    if input.ndim != 2 or vec.ndim != 1:
        raise ShapeError(f"mv: expected a matrix and a vector, got {input.ndim}D and {vec.ndim}D")
    return matmul(input, vec)


@op(
    method=True,
    samples=calls(call(Arg((5,)), Arg((5,)))),
    agree=_TERMS,
    autocast={"cpu": "as is", "accelerator": "widest"},
)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise ShapeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return matmul(input, tensor)
