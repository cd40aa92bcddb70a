"""Products of matrices and vectors with something added, and products of all pairs."""

from __future__ import annotations

from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.contraction import dot, matmul
from dovetail.ops.creation import eye
from dovetail.ops.definition import Number, front, op
from dovetail.ops.indexing import select
from dovetail.ops.joining import stack
from dovetail.ops.shape import expand, reshape, unsqueeze
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import NUMERIC, Arg, call, calls, error
from dovetail.tensor.tensor import Tensor

_TERMS: Final = Agree.terms(k=Growth(linear=1, plus=2), typical=8)


def _added(input: Tensor, product: Tensor, beta: Number, alpha: Number) -> Tensor:
    """``beta * input + alpha * product``, the input expanded; with ``beta`` 0 its NaNs do not count."""
    if product.dtype.category <= dtypes.INTEGER:
        beta, alpha = int(beta), int(alpha)
    expand(input, product.shape)
    scaled: Any = product if alpha == 1 else product * alpha
    if beta == 0:
        return scaled  # type: ignore[no-any-return]  # a product of tensors
    return scaled + (input if beta == 1 else input * beta)  # type: ignore[no-any-return]  # a sum of tensors


def _check_matrix(name: str, tensor: Tensor, ndim: int) -> None:
    if tensor.ndim != ndim:
        kind = {1: "a vector", 2: "a matrix", 3: "a 3D tensor"}[ndim]
        raise ShapeError(f"{name} must be {kind}, got {tensor.ndim}-D tensor")


def _check_batches(batch1: Tensor, batch2: Tensor) -> None:
    _check_matrix("batch1", batch1, 3)
    _check_matrix("batch2", batch2, 3)
    expected = [batch1.shape[0], batch1.shape[2]]
    if [*batch2.shape[:2]] != expected:
        raise ShapeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"{expected} but got: {list(batch2.shape[:2])}. (batch1 {list(batch1.shape)}, batch2 "
            f"{list(batch2.shape)})"
        )


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((4,)), Arg((2, 3)), Arg((3, 4))),
        call(Arg((2, 4)), Arg((2, 3)), Arg((3, 4)), beta=2, alpha=-1),
        call(Arg((2, 1)), Arg((2, 3)), Arg((3, 4)), beta=0),
        dtypes=NUMERIC,
        errors=(
            error(
                RuntimeError,
                "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2)",
                Arg((2, 2)),
                Arg((2, 3)),
                Arg((4, 2)),
            ),
            error(RuntimeError, "mat1 must be a matrix, got 3-D", Arg((2,)), Arg((1, 2, 3)), Arg((3, 2))),
            error(RuntimeError, "The expanded size of the tensor", Arg((3,)), Arg((2, 3)), Arg((3, 2))),
        ),
    ),
    agree=_TERMS,
    autocast="lower",
)
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)`` of matrices.

    >>> import dovetail
    >>> dovetail.addmm(dovetail.ones(2), dovetail.ones(1, 3), dovetail.ones(3, 2))
    tensor([[4., 4.]])
    """
    _check_matrix("mat1", mat1, 2)
    _check_matrix("mat2", mat2, 2)
    return _added(input, matmul(mat1, mat2), beta, alpha)


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((2,)), Arg((2, 3)), Arg((3,))),
        call(Arg((2,)), Arg((2, 3)), Arg((3,)), beta=0.5, alpha=2),
        errors=(
            error(
                RuntimeError,
                "size mismatch, got input (2), mat (2x3), vec (2)",
                Arg((2,)),
                Arg((2, 3)),
                Arg((2,)),
            ),
        ),
    ),
    agree=_TERMS,
    autocast={"accelerator": "lower"},
)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)`` of a matrix and a vector."""
    if mat.ndim != 2 or vec.ndim != 1 or mat.shape[1] != vec.shape[0]:
        sizes = ("x".join(map(str, t.shape)) for t in (input, mat, vec))
        raise ShapeError("size mismatch, got input ({}), mat ({}), vec ({})".format(*sizes))
    return _added(input, matmul(mat, vec), beta, alpha)


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 3)), Arg((2,)), Arg((3,))), call(Arg((3,)), Arg((2,)), Arg((3,)), alpha=2)),
    agree=_TERMS,
    autocast={"accelerator": "lower"},
)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``."""
    return _added(input, outer(vec1, vec2), beta, alpha)


@op(
    method=True,
    inplace=True,
    samples=calls(
        call(Arg((2, 2)), Arg((3, 2, 4)), Arg((3, 4, 2))),
        call(Arg((3, 2, 2)), Arg((3, 2, 4)), Arg((3, 4, 2)), beta=2, alpha=0.5),
        errors=(
            error(
                RuntimeError,
                "Expected size for first two dimensions of batch2 tensor to be: [3, 4] but got: [2, 4].",
                Arg((2, 2)),
                Arg((3, 2, 4)),
                Arg((2, 4, 2)),
            ),
        ),
    ),
    agree=_TERMS,
    autocast="lower",
)
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * (batch1 @ batch2)`` of batches of matrices."""
    _check_batches(batch1, batch2)
    return _added(input, matmul(batch1, batch2), beta, alpha)


@op(
    method=True,
    inplace=True,
    samples=calls(call(Arg((2, 2)), Arg((3, 2, 4)), Arg((3, 4, 2)), beta=2)),
    agree=_TERMS,
    autocast="lower",
)
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * sum(batch1 @ batch2)``, summed over the batch."""
    _check_batches(batch1, batch2)
    count, rows, inner_size = batch1.shape
    left = reshape(batch1.movedim(0, 1), (rows, count * inner_size))
    right = reshape(batch2, (count * inner_size, batch2.shape[2]))
    return _added(input, matmul(left, right), beta, alpha)


# ------------------------------------------------------------------------------------------ pairs


@op(
    method=["outer", "ger"],
    samples=calls(
        call(Arg((2,)), Arg((3,))),
        call(Arg((0,)), Arg((3,))),
        dtypes=NUMERIC,
        errors=(error(RuntimeError, "outer: Expected 1-D argument self, but got 2-D", Arg((2, 2)), Arg((2,))),),
    ),
    agree=Agree.exact(),
)
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The product of every element of one vector with every element of another.

    >>> import dovetail
    >>> dovetail.outer(dovetail.tensor([1, 2]), dovetail.tensor([1, 10]))
    tensor([[ 1, 10],
            [ 2, 20]])
    """
    for name, t in (("self", input), ("vec2", vec2)):
        if t.ndim != 1:
            raise ShapeError(f"outer: Expected 1-D argument {name}, but got {t.ndim}-D")
    return unsqueeze(input, 1) * vec2


@front()
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """Another name of ``outer``."""
    return outer(input, vec2)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3)), Arg((4, 3))),
        call(Arg((3,)), Arg((3,))),
        call(Arg(()), Arg((3,))),
        errors=(error(RuntimeError, "inner() the last dimension must match", Arg((2,)), Arg((3,))),),
    ),
    agree=Agree.terms(k=Growth(linear=1), typical=8),
)
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimension of both tensors, for all pairs of the others.

    >>> import dovetail
    >>> dovetail.inner(dovetail.ones(2, 3), dovetail.ones(3))
    tensor([3., 3.])
    """
    if not input.ndim or not other.ndim:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    size = input.shape[-1]
    if input.numel() == other.numel() == size:
        # One number: no product of matrices to PyTorch, and so in full precision under autocast on a CPU.
        product = dot(reshape(input, (size,)), reshape(other, (size,)))
        return reshape(product, (*input.shape[:-1], *other.shape[:-1]))
    rows = reshape(input, (input.numel() // (size or 1), size))
    columns = reshape(other, (other.numel() // (size or 1), size))
    product = matmul(rows, columns.t())
    return reshape(product, (*input.shape[:-1], *other.shape[:-1]))


@op(
    method=True,
    samples=calls(call(Arg((5,)), Arg((5,)))),
    agree=Agree.terms(k=Growth(linear=1), typical=8),
    autocast={"cpu": "as is", "accelerator": "widest"},
)
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Sum of the products of two vectors."""
    return dot(input, other)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 2)), Arg((2, 3))), call(Arg((2,)), Arg((3, 2))), call(Arg(()), Arg((2,))), dtypes=NUMERIC
    ),
    agree=Agree.exact(),
)
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Every element of one tensor times the whole of the other, laid out as blocks.

    >>> import dovetail
    >>> dovetail.kron(dovetail.eye(2), dovetail.ones(1, 2))
    tensor([[1., 1., 0., 0.],
            [0., 0., 1., 1.]])
    """
    ndim = max(input.ndim, other.ndim)
    a = (1,) * (ndim - input.ndim) + tuple(input.shape)
    b = (1,) * (ndim - other.ndim) + tuple(other.shape)
    left: Any = reshape(input, [v for n in a for v in (n, 1)])
    right: Any = reshape(other, [v for n in b for v in (1, n)])
    return reshape(left * right, [n * m for n, m in zip(a, b, strict=True)])


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3))),
        call(Arg((3, 2)), Arg((3, 2)), 0),
        call(Arg((2, 3)), Arg((1, 3)), dim=-1),
        errors=(error(RuntimeError, "no dimension of size 3 in input", Arg((2,)), Arg((2,))),),
    ),
    agree=Agree.running(),
    autocast={"accelerator": "widest"},
)
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product along a dimension of size 3: the first one, if none is named.

    >>> import dovetail
    >>> dovetail.cross(dovetail.tensor([1.0, 0.0, 0.0]), dovetail.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if dim is None:
        found = [d for d, n in enumerate(input.shape) if n == 3]
        if not found:
            raise ShapeError(f"no dimension of size 3 in input (shape {list(input.shape)})")
        dim = found[0]
    at = normalize_dim(dim, input.ndim)
    if input.shape[at] != 3 or other.shape[at] != 3:
        raise ShapeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[at]} and {other.shape[at]}"
        )
    a: list[Any] = [select(input, at, i) for i in range(3)]
    b: list[Any] = [select(other, at, i) for i in range(3)]
    parts = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
    return stack(parts, at)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 2)), 3),
        call(Arg((2, 3, 3)), 0, grad=False),
        call(Arg((2, 2)), 1),
        errors=(error(RuntimeError, "must be batches of square matrices", Arg((2, 3)), 2),),
    ),
    agree=Agree.running(),
)
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The product of ``n`` copies of a square matrix, by repeated squaring; ``n`` must not be negative.

    >>> import dovetail
    >>> dovetail.matrix_power(dovetail.tensor([[1, 1], [0, 1]]), 5)
    tensor([[1, 5],
            [0, 1]])
    """
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ShapeError(f"linalg.matrix_power: A must be batches of square matrices, but they are {list(input.shape)}")
    if n < 0:
        raise ArgumentRuntimeError(f"matrix_power: negative powers need an inverse, got n = {n}")
    if n == 0:
        unit = eye(input.shape[-1], dtype=input.dtype, device=input.device)
        return expand(unit, input.shape).clone()
    result: Tensor | None = None
    square = input
    while n:
        if n & 1:
            result = square if result is None else matmul(result, square)
        n >>= 1
        if n:
            square = matmul(square, square)
    assert result is not None, "n was positive"
    return result.clone() if result is input else result


@front(autocast={"accelerator": "lower"})
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, in the order of multiplications that takes the fewest."""
    several = list(matrices)
    sizes = [several[0].shape[0], *(m.shape[1] for m in several)]
    return _chain(several, 0, len(several) - 1, _splits(sizes))


def _splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where each product of neighbours is best cut in two, by dynamic programming."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            prices = {k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j)}
            best[i, j] = min(prices, key=prices.__getitem__)
            cost[i, j] = prices[best[i, j]]
    return best


def _chain(several: list[Tensor], i: int, j: int, best: dict[tuple[int, int], int]) -> Tensor:
    if i == j:
        return several[i]
    k = best[i, j]
    return matmul(_chain(several, i, k, best), _chain(several, k + 1, j, best))
