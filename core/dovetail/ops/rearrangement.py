"""Repeating, turning and shifting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail.dispatch.constants import constant
from dovetail.dtypes import INTEGER, int64
from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.creation import iota
from dovetail.ops.definition import front, op
from dovetail.ops.gathering import index_select
from dovetail.ops.indexing import narrow
from dovetail.ops.joining import cat
from dovetail.ops.shape import expand, packed, permute, reshape
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import DimensionRepeated, normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Dims = int | Sequence[int]


def positions(length: int, like: Tensor) -> Tensor:
    """0, 1, 2, ... on the device of a tensor."""
    return iota(constant(0, int64, like.device), length)


# ------------------------------------------------------------------------------------------ repeating


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3)), 2, 2),
        call(Arg((3,)), (2, 1, 2)),
        call(Arg((2, 3)), 1, 1),
        call(Arg(()), 3),
        call(Arg((2,)), 0),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "Number of dimensions of repeat dims can not be smaller", Arg((2, 2)), 2),
            error(RuntimeError, "Trying to create tensor with negative dimension", Arg((2,)), -1),
        ),
    ),
    agree=Agree.exact(),
)
def repeat(input: Tensor, *repeats: int | Sequence[int]) -> Tensor:
    """A copy of the tensor so many times along each dimension; more numbers than dimensions make new ones.

    >>> import dovetail
    >>> dovetail.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    counts = packed(repeats)
    lead = len(counts) - input.ndim
    if lead < 0:
        raise ShapeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor "
            f"(repeats {list(counts)}, shape {list(input.shape)})"
        )
    shape = (1,) * lead + tuple(input.shape)
    total = tuple(c * n for c, n in zip(counts, shape, strict=True))
    if min(total, default=0) < 0:
        raise ShapeError(f"Trying to create tensor with negative dimension {min(total)}: {list(total)}")
    paired = reshape(input, [v for n in shape for v in (1, n)])
    wide = expand(paired, [v for c, n in zip(counts, shape, strict=True) for v in (c, n)])
    return reshape(wide.clone(), total)


@op(
    method=True,
    samples=calls(call(Arg((2, 3)), (2,)), call(Arg((2, 3)), (2, 1, 2)), dtypes=ALL),
    agree=Agree.exact(),
)
def tile(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """As ``repeat``, but fewer numbers than dimensions count for the last ones.

    >>> import dovetail
    >>> dovetail.tile(dovetail.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    counts = packed(dims)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


@op(
    internal=True,
    samples=calls(
        call(Arg((2, 3)), 2, 1),
        call(Arg((2, 3)), (1, 2), 0),
        call(Arg((3,)), (0, 0, 0), dim=0),
        dtypes=ALL,
        errors=(
            error(
                RuntimeError,
                "repeats must have the same size as input along dim, but got repeats.size(0) = 2 and "
                "input.size(0) = 3",
                Arg((3,)),
                (1, 2),
                0,
            ),
            error(RuntimeError, "repeats can not be negative", Arg((2,)), -1, 0),
        ),
    ),
    agree=Agree.exact(),
)
def repeat_each(input: Tensor, repeats: int | Sequence[int], dim: int) -> Tensor:
    """Every slice of a dimension so many times in a row."""
    at = normalize_dim(dim, input.ndim)
    size = input.shape[at]
    if isinstance(repeats, int):
        if repeats < 0:
            raise ArgumentRuntimeError(f"repeats can not be negative, got {repeats}")
        before, after = input.shape[: at + 1], input.shape[at + 1 :]
        wide: Any = expand(reshape(input, (*before, 1, *after)), (*before, repeats, *after))
        return reshape(wide.clone(), (*input.shape[:at], size * repeats, *after))
    if len(repeats) != size:
        raise ShapeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {len(repeats)} "
            f"and input.size(0) = {size}"
        )
    if min(repeats, default=0) < 0:
        raise ArgumentRuntimeError(f"repeats can not be negative, got {list(repeats)}")
    picked = [i for i, count in enumerate(repeats) for _ in range(count)]
    return index_select(input, at, Tensor.make(Tensor, picked, dtype=int64, device=input.device))


@front(method=True)
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Every slice of a dimension so many times in a row; without ``dim`` of the flat tensor.

    With one argument, a vector of counts, the position of each count so many times. Counts in a tensor decide
    the shape of the result, so a captured program refuses them.

    >>> import dovetail
    >>> dovetail.repeat_interleave(dovetail.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if repeats is None:
        return repeat_interleave(positions(input.shape[0], input), input)
    if dim is None:
        return repeat_interleave(reshape(input, -1), repeats, 0)
    if isinstance(repeats, Tensor):
        if repeats.dtype.category != INTEGER:
            raise ArgumentRuntimeError("repeats must have int32 or int64 dtype")
        repeats = repeats.tolist()
    if not isinstance(repeats, int) and len(repeats) == 1:
        repeats = repeats[0]
    return repeat_each(input, repeats, dim)


# ------------------------------------------------------------------------------------------ turning


def _canonical_dims(input: Spec, *, dims: Any) -> dict[str, Any]:
    normal = [normalize_dim(d, input.ndim) for d in packed(dims)]
    for d in normal:
        if normal.count(d) > 1:
            raise DimensionRepeated(f"dim {d} appears multiple times in the list of dims")
    return {"dims": tuple(sorted(normal)) if input.ndim else ()}


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=_canonical_dims,
    method=True,
    samples=calls(
        call(Arg((2, 3)), (0,)),
        call(Arg((2, 3)), [0, -1]),
        call(Arg((0, 3)), (1,)),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "dim 0 appears multiple times in the list of dims", Arg((2,)), (0, 0)),
        ),
    ),
    agree=Agree.exact(),
)
def flip(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """A copy with the order of elements reversed along dimensions.

    >>> import dovetail
    >>> dovetail.flip(dovetail.arange(3), (0,))
    tensor([2, 1, 0])
    """
    for d in packed(dims):
        size = input.shape[d]
        input = index_select(input, d, (size - 1) - positions(size, input))
    return input


flip.vjp(input=lambda g, *, dims: flip(g, dims))


@front(method=True)
def fliplr(input: Tensor) -> Tensor:
    """A copy with the order of columns reversed."""
    if input.ndim < 2:
        raise ShapeError("Input must be >= 2-d.")
    return flip(input, 1)


@front(method=True)
def flipud(input: Tensor) -> Tensor:
    """A copy with the order of rows reversed."""
    if input.ndim < 1:
        raise ShapeError("Input must be >= 1-d.")
    return flip(input, 0)


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3))),
        call(Arg((2, 3)), -1),
        call(Arg((2, 3, 2)), 2, (0, 2)),
        call(Arg((2, 3)), 4),
        dtypes=ALL,
        errors=(
            error(RuntimeError, "expected total dims >= 2, but got total dims = 1", Arg((3,))),
            error(RuntimeError, "expected total rotation dims == 2, but got dims = 1", Arg((3, 3)), 1, [0]),
        ),
    ),
    agree=Agree.exact(),
)
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A copy turned by 90 degrees ``k`` times, from the first towards the second of two dimensions.

    >>> import dovetail
    >>> dovetail.rot90(dovetail.arange(4).reshape(2, 2))
    tensor([[1, 3],
            [0, 2]])
    """
    if len(dims) != 2:
        raise ShapeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise ShapeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    a, b = (normalize_dim(d, input.ndim) for d in dims)
    if a == b:
        raise ShapeError(f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}")
    order = list(range(input.ndim))
    order[a], order[b] = order[b], order[a]
    match k % 4:
        case 1:
            return permute(flip(input, b), order)
        case 2:
            return flip(input, a, b)
        case 3:
            return permute(flip(input, a), order)
    return input.clone()


# ------------------------------------------------------------------------------------------ shifting

_ALIGNED: Final = "shifts and dimensions must align. shifts: {}, dims:{}"


def _canonical_roll(input: Spec, *, shifts: Any, dims: Any) -> dict[str, Any]:
    several = tuple(shifts) if isinstance(shifts, Sequence) else (shifts,)
    if dims is None or dims == ():
        if len(several) != 1:
            raise ArgumentRuntimeError(_ALIGNED.format(len(several), 0))
        return {"shifts": several, "dims": None}
    at = tuple(dims) if isinstance(dims, Sequence) else (dims,)
    if len(at) != len(several):
        raise ArgumentRuntimeError(_ALIGNED.format(len(several), len(at)))
    return {"shifts": several, "dims": tuple(normalize_dim(d, input.ndim) for d in at)}


@op(
    shape=rules.like_first,
    dtype=rules.same,
    canon=_canonical_roll,
    method=True,
    samples=calls(
        call(Arg((2, 3)), 1),
        call(Arg((2, 3)), (1, -1), (0, 1)),
        call(Arg((4,)), -5, 0),
        call(Arg((0, 3)), 1, 1),
        dtypes=ALL,
        errors=(
            error(RuntimeError, _ALIGNED.format(2, 1), Arg((2,)), (1, 2), (0,)),
            error(RuntimeError, _ALIGNED.format(2, 0), Arg((2, 2)), (1, 2)),
        ),
    ),
    agree=Agree.exact(),
)
def roll(input: Tensor, shifts: Dims, dims: Dims | None = None) -> Tensor:
    """A copy whose elements moved along dimensions, round the end; without ``dims`` in the flat tensor.

    >>> import dovetail
    >>> dovetail.roll(dovetail.arange(4), 1)
    tensor([3, 0, 1, 2])
    """
    assert isinstance(shifts, tuple), "parameters are canonical in the body"
    if dims is None:
        return reshape(_rolled(reshape(input, -1), shifts[0], 0), input.shape)
    assert isinstance(dims, tuple), "parameters are canonical in the body"
    for shift, d in zip(shifts, dims, strict=True):
        input = _rolled(input, shift, d)
    return input


def _rolled(input: Tensor, shift: int, dim: int) -> Tensor:
    size = input.shape[dim] if input.ndim else 0
    shift = shift % size if size else 0
    if not shift:
        return input
    return cat([narrow(input, dim, size - shift, shift), narrow(input, dim, 0, size - shift)], dim)


roll.vjp(input=lambda g, *, shifts, dims: roll(g, tuple(-s for s in shifts), dims))


# ------------------------------------------------------------------------------------------ grids


@front()
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors expanded to a grid, one tensor per coordinate; ``indexing`` is "ij" (the default) or "xy".

    >>> import dovetail
    >>> dovetail.meshgrid(dovetail.arange(2), dovetail.arange(2), indexing="ij")
    (tensor([[0, 0],
            [1, 1]]), tensor([[0, 1],
            [0, 1]]))
    """
    several = list(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else list(tensors)
    if not several:
        raise ArgumentRuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise ArgumentRuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for t in several:
        if t.ndim > 1:
            raise ShapeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(t.shape)}"
            )
    swapped = indexing == "xy" and len(several) > 1
    if swapped:
        several[:2] = several[1::-1]
    shape = tuple(math.prod(t.shape) for t in several)
    grids = [
        expand(reshape(t, [-1 if i == d else 1 for d in range(len(shape))]), shape)
        for i, t in enumerate(several)
    ]
    if swapped:
        grids[:2] = grids[1::-1]
    return tuple(grids)


@front()
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every combination of one element from each vector, one row each; a single vector stays as it is.

    >>> import dovetail
    >>> dovetail.cartesian_prod(dovetail.arange(2), dovetail.arange(2)).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    for t in tensors:
        if t.ndim != 1:
            raise ShapeError(f"Expect a 1D vector, but got shape {list(t.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return cat([reshape(g, -1, 1) for g in meshgrid(*tensors)], 1)


@front()
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Every choice of ``r`` elements of a vector, in order, one row each.

    >>> import dovetail
    >>> dovetail.combinations(dovetail.arange(3)).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    import itertools

    if input.ndim != 1:
        raise ShapeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    flat = [i for choice in choose(range(input.shape[0]), r) for i in choice]
    picked = Tensor.make(Tensor, flat, dtype=int64, device=input.device)
    return reshape(index_select(input, 0, picked), -1, r)
