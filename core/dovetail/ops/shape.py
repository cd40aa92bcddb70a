"""Views: other shapes of the same storage, and the strides that PyTorch would give them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentTypeError, ShapeError
from dovetail.ops.definition import Live, NoDecomposition, front, op
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.storage import Strides, contiguous_strides, is_contiguous
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan

Layout = tuple[Strides, int]
"""Strides and offset in elements."""


def packed(sizes: Sequence[Any]) -> tuple[int, ...]:
    """Read ``2, 3`` or ``(2, 3)`` as a shape."""
    if len(sizes) == 1 and isinstance(sizes[0], list | tuple):
        sizes = sizes[0]
    try:
        return tuple(s.__index__() for s in sizes)
    except AttributeError as error_:
        raise ArgumentTypeError(f"a shape consists of ints, got {tuple(sizes)!r}") from error_


# ------------------------------------------------------------------------------------------ reshape


def infer_shape(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """Fill in the one -1 of a shape, or raise PyTorch's sentence."""
    invalid = ShapeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    unknown = [i for i, n in enumerate(shape) if n == -1]
    if len(unknown) > 1:
        raise ShapeError("only one dimension can be inferred")
    if any(n < -1 for n in shape):
        raise ShapeError(f"invalid shape dimension {min(shape)} in {list(shape)}")
    known = math.prod(n for n in shape if n != -1)
    if not unknown:
        if known != size:
            raise invalid
        return tuple(shape)
    if known == 0:
        if size == 0:
            raise ShapeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size "
                "-1 can be any value and is ambiguous"
            )
        raise invalid
    if size % known:
        raise invalid
    return tuple(size // known if n == -1 else n for n in shape)


def view_strides(shape: Sequence[int], strides: Strides, target: Sequence[int]) -> Strides | None:
    """The strides of the same memory under another shape, None if no strides can do that.

    Old dimensions that lie contiguously in one another form blocks; each block must be cut exactly by new ones.
    """
    if 0 in shape:
        return contiguous_strides(tuple(target))
    old = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    blocks: list[tuple[int, int]] = []
    for n, s in old:
        if blocks and blocks[-1][1] == n * s:
            blocks[-1] = (blocks[-1][0] * n, s)
        else:
            blocks.append((n, s))
    result: list[int] = []
    left, step = blocks.pop() if blocks else (1, 1)
    for n in reversed(target):
        if n == 1:
            result.append(step)
            continue
        if left == 1 and blocks:
            left, step = blocks.pop()
        if left % n:
            return None
        result.append(step)
        left //= n
        step *= n
    return tuple(reversed(result)) if left == 1 and not blocks else None


def _view_layout(plan: Plan, strides: Strides, offset: int, live: Any) -> Layout:
    source = plan.ins[0]
    assert source is not None, "a view has an input"
    found = view_strides(source.shape, strides, plan.out.shape)
    if found is None:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            f"contiguous subspaces). Use .reshape(...) instead. (size {list(source.shape)}, stride {list(strides)}, "
            f"asked for {list(plan.out.shape)})"
        )
    return found, offset


def _canonical_shape(input: Spec, *, shape: Any, **_: Any) -> dict[str, Any]:
    return {"shape": infer_shape(packed(shape), input.size)}


def _view_name(input: Spec, *, shape: tuple[int, ...]) -> str:
    """PyTorch has an op of its own for dimensions of size 1 that come or go."""
    if len(shape) != input.ndim and [n for n in shape if n != 1] == [n for n in input.shape if n != 1]:
        return "UnsqueezeBackward0" if len(shape) > input.ndim else "SqueezeBackward1"
    return "ViewBackward0"


@op(
    shape=lambda input, *, shape: shape,
    dtype=rules.same,
    canon=_canonical_shape,
    view=_view_layout,
    unview=lambda base, value, live, **statics: value.reshape(base.shape),
    internal=True,
    samples=calls(
        call(Arg((2, 3)), 3, 2), call(Arg((2, 3)), -1), call(Arg(()), 1, 1), call(Arg((0, 3)), 3, 0), dtypes=ALL,
        errors=(error(RuntimeError, "shape '[-1, 4]' is invalid for input of size 6", Arg((2, 3)), -1, 4),),
    ),
    agree=Agree.exact(),
    backward_name=_view_name,
)  # fmt: skip
def view_as_shape(input: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """The same elements in another shape, sharing storage; one size may be -1."""
    raise NoDecomposition


view_as_shape.vjp(input=lambda g, *, specs: g.reshape(specs[0].shape))


@front(method=True)
def view(input: Tensor, *shape: Any) -> Tensor:
    """The same storage in another shape (one size may be -1), or the same values in another dtype.

    An error when the strides do not allow it: ``reshape`` copies then.

    >>> import dovetail
    >>> x = dovetail.zeros(2, 3)
    >>> x.view(-1)[0] = 1
    >>> x
    tensor([[1., 0., 0.],
            [0., 0., 0.]])
    """
    return view_as_shape(input, *shape)


@front(method=True)
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape: a view where the strides allow it, else a copy."""
    alias = input._alias
    if alias is not None and not is_contiguous(input._spec.dims, alias.strides):
        target = infer_shape(packed(shape), input._spec.size)
        if view_strides(input._spec.shape, alias.strides, target) is None:
            return view_as_shape(input.clone(), target)
    return view_as_shape(input, *shape)


@front(method=True)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same storage in the shape of another tensor."""
    return view_as_shape(input, other.shape)


@front(method=True)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The same elements in the shape of another tensor."""
    return reshape(input, other.shape)


@front(method=True)
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from ``start_dim`` to ``end_dim`` made one."""
    if input.ndim == 0:
        return reshape(input, 1)
    first, last = normalize_dim(start_dim, input.ndim), normalize_dim(end_dim, input.ndim)
    if first > last:
        raise ShapeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input
    shape = input.shape
    return reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


@front(method=True)
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
    return reshape(input, -1)


@front(method=True)
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension divided into several."""
    at = normalize_dim(dim, input.ndim)
    return reshape(input, (*input.shape[:at], *infer_shape(tuple(sizes), input.shape[at]), *input.shape[at + 1 :]))


@front(method=True)
def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without the dimensions of size 1: all of them, or those named (others stay)."""
    if dim is None:
        gone = {i for i, n in enumerate(input.shape) if n == 1}
    else:
        dims = [dim] if isinstance(dim, int) else dim
        gone = {d for d in (normalize_dim(d, input.ndim) for d in dims) if input.ndim and input.shape[d] == 1}
    return view_as_shape(input, tuple(n for i, n in enumerate(input.shape) if i not in gone))


@front(method=True)
def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 at ``dim``."""
    at = normalize_dim(dim, input.ndim + 1)
    return view_as_shape(input, (*input.shape[:at], 1, *input.shape[at:]))


# ------------------------------------------------------------------------------------------ permute


def _canonical_permutation(input: Spec, *, dims: Any) -> dict[str, Any]:
    order = packed(dims)
    if len(order) != input.ndim:
        raise ShapeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(order)}"
        )
    normal = tuple(normalize_dim(d, input.ndim) for d in order)
    if len(set(normal)) != len(normal):
        raise ShapeError(f"permute(): duplicate dims are not allowed. (dims {list(order)})")
    return {"dims": normal}


def inverse_permutation(dims: Sequence[int]) -> tuple[int, ...]:
    """The order of dimensions that undoes a permutation."""
    return tuple(sorted(range(len(dims)), key=dims.__getitem__))


def _permute_name(input: Spec, *, dims: tuple[int, ...]) -> str:
    """PyTorch has an op of its own for two dimensions that change places, and one for matrices."""
    if sum(i != d for i, d in enumerate(dims)) != 2:
        return "PermuteBackward0"
    return "TBackward0" if len(dims) == 2 else "TransposeBackward0"


@op(
    shape=lambda input, *, dims: tuple(input.shape[d] for d in dims),
    dtype=rules.same,
    canon=_canonical_permutation,
    view=lambda plan, strides, offset, live: (tuple(strides[d] for d in plan.statics["dims"]), offset),
    unview=lambda base, value, live, *, dims: value.permute(inverse_permutation(dims)),
    method=True,
    samples=calls(call(Arg((2, 3, 4)), 2, 0, 1), call(Arg((2, 3)), (1, 0)), call(Arg((0, 3)), -1, 0), dtypes=ALL),
    agree=Agree.exact(),
    backward_name=_permute_name,
)
def permute(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """The dimensions in another order, sharing storage."""
    raise NoDecomposition


permute.vjp(input=lambda g, *, dims: g.permute(inverse_permutation(dims)))


@front(method=["transpose", "swapaxes", "swapdims"])
def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged, sharing storage."""
    order = list(range(max(input.ndim, 1)))
    a, b = normalize_dim(dim0, input.ndim), normalize_dim(dim1, input.ndim)
    order[a], order[b] = order[b], order[a]
    return permute(input, tuple(order[: input.ndim]))


@front(method=True)
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; tensors of fewer dimensions as they are."""
    if input.ndim > 2:
        raise ShapeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return permute(input, tuple(reversed(range(input.ndim))))


@front(method=["movedim", "moveaxis"])
def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Dimensions moved to other places, the rest in their order."""
    n = input.ndim
    sources = [normalize_dim(d, n) for d in ([source] if isinstance(source, int) else source)]
    targets = [normalize_dim(d, n) for d in ([destination] if isinstance(destination, int) else destination)]
    if len(sources) != len(targets):
        raise ShapeError(f"movedim: Invalid source or destination dims: {sources} and {targets} differ in length")
    placed = dict(zip(targets, sources, strict=True))
    rest = iter(d for d in range(n) if d not in sources)
    return permute(input, tuple(placed[i] if i in placed else next(rest) for i in range(n)))


# ------------------------------------------------------------------------------------------ expand


def _canonical_expansion(input: Spec, *, sizes: Any) -> dict[str, Any]:
    target = packed(sizes)
    lead = len(target) - input.ndim
    if lead < 0:
        raise ShapeError(
            f"expand({input.dtype.legacy_name}Tensor{list(input.shape)}, size={list(target)}): the number of sizes "
            f"provided ({len(target)}) must be greater or equal to the number of dimensions in the tensor "
            f"({input.ndim})"
        )
    full: list[int] = []
    for i, n in enumerate(target):
        old = input.shape[i - lead] if i >= lead else None
        if n == -1 and old is None:
            raise ShapeError("expand(): -1 isn't allowed in a leading, non-existing dimension " + str(i))
        size = old if n == -1 and old is not None else n
        if old is not None and old not in (size, 1):
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}) at non-singleton "
                f"dimension "
                f"{i}.  Target sizes: {list(target)}.  Tensor sizes: {list(input.shape)}"
            )
        full.append(size)
    return {"sizes": tuple(full)}


def _expand_layout(plan: Plan, strides: Strides, offset: int, live: Any) -> Layout:
    source = plan.ins[0]
    assert source is not None, "a view has an input"
    lead = plan.out.ndim - source.ndim
    result = [0] * lead
    for old, new, stride in zip(source.shape, plan.out.shape[lead:], strides, strict=True):
        result.append(stride if old == new else 0)
    return tuple(result), offset


@op(
    shape=lambda input, *, sizes: sizes,
    dtype=rules.same,
    canon=_canonical_expansion,
    view=_expand_layout,
    method=True,
    samples=calls(
        call(Arg((3,)), 2, 3), call(Arg((2, 1)), 2, 4), call(Arg((2, 1)), -1, 0), call(Arg(()), 3), dtypes=ALL,
    ),
    agree=Agree.exact(),
)  # fmt: skip
def expand(input: Tensor, *sizes: int | Sequence[int]) -> Tensor:
    """Dimensions of size 1 repeated without copying, sharing storage; -1 keeps a size."""
    raise NoDecomposition


expand.vjp(input=lambda g, *, specs: g.sum_to_size(specs[0].shape))


@front(method=True)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of another tensor."""
    return expand(input, other.shape)


@front(method=["broadcast_to"])
def broadcast_to(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Expanded to a shape."""
    return expand(input, tuple(shape))


@front(method=False)
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
    shape = rules.broadcast_shapes(*(x.shape for x in tensors))
    return tuple(expand(x, shape) for x in tensors)


# ------------------------------------------------------------------------------------------ basic indexing


def index_shape(pattern: Sequence[Any]) -> tuple[int, ...]:
    """The shape that a pattern of basic indexing leaves."""
    return tuple(1 if p is None else p[0] for p in pattern if p is None or p != "int")


def _index_layout(plan: Plan, strides: Strides, offset: int, live: Any) -> Layout:
    (starts,) = live
    result: list[int] = []
    place = iter(zip(strides, starts, strict=True))
    for p in plan.statics["pattern"]:
        if p is None:
            result.append(0 if not result else result[-1])
            continue
        stride, start = next(place)
        offset += stride * start
        if p != "int":
            result.append(stride * p[1])
    shape = plan.out.shape
    for i in range(len(result)):  # a new axis has PyTorch's stride: that of a row-major neighbour
        if plan.statics["pattern"] and _is_new_axis(plan.statics["pattern"], i):
            result[i] = result[i + 1] * shape[i + 1] if i + 1 < len(result) else 1
    return tuple(result), offset


def _is_new_axis(pattern: Sequence[Any], out: int) -> bool:
    kept = [p for p in pattern if p != "int"]
    return kept[out] is None


def _put(base: Tensor, value: Tensor, starts: Any, pattern: Sequence[Any]) -> Tensor:
    """:func:`basic_index_put`, which is defined after the op whose gradient it is."""
    found: Tensor = basic_index_put(base, value, starts, pattern=pattern)
    return found


def _index_name(input: Spec, starts: Any, *, pattern: Sequence[Any]) -> str:
    """PyTorch takes an index apart; the last of its ops names the node."""
    whole = list(input.shape)
    last = "SliceBackward0"
    dim = 0
    for entry in pattern:
        if entry is None:
            last = "UnsqueezeBackward0"
        elif entry == "int":
            last, dim = "SelectBackward0", dim + 1
        else:
            last, dim = last if entry == (whole[dim], 1) else "SliceBackward0", dim + 1
    return last


@op(
    shape=lambda input, starts, *, pattern: index_shape(pattern),
    dtype=rules.same,
    view=_index_layout,
    unview=lambda base, value, live, *, pattern: _put(base, value, live[0], pattern),
    internal=True,
    samples=calls(
        call(Arg((4, 3)), (1, 0), pattern=((2, 1), (3, 1))),
        call(Arg((4, 3)), (2, 0), pattern=("int", None, (2, 2))),
        call(Arg((4, 3)), (4, 0), pattern=((0, 1), (3, 1))),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
    backward_name=_index_name,
)
def basic_index(input: Tensor, starts: Live, *, pattern: Sequence[Any]) -> Tensor:
    """Slices, positions and new axes, sharing storage.

    ``pattern`` has one entry per dimension of the input, "int" for a position and (length, step) for a slice, and
    None for each new axis; ``starts`` has the first position in each dimension and is no part of the plan.
    """
    raise NoDecomposition


basic_index.vjp(
    input=lambda g, starts, *, specs, pattern: _put(g.new_zeros(()).expand(specs[0].shape), g, starts, pattern)
)


@op(
    shape=rules.like_first,
    dtype=rules.same,
    internal=True,
    samples=calls(
        call(Arg((4, 3)), Arg((2, 3)), (1, 0), pattern=((2, 1), (3, 1))),
        call(Arg((4, 3)), Arg((1, 2)), (2, 0), pattern=("int", None, (2, 2))),
        dtypes=ALL,
    ),
    agree=Agree.exact(),
    backward_name="CopySlices",
)
def basic_index_put(input: Tensor, value: Tensor, starts: Live, *, pattern: Sequence[Any]) -> Tensor:
    """A copy of ``input`` whose slice is ``value`` (of the slice's shape)."""
    raise NoDecomposition


basic_index_put.vjp(
    input=lambda g, starts, *, specs, pattern: basic_index_put(
        g, g.new_zeros(()).expand(specs[1].shape), starts, pattern=pattern
    ),
    value=lambda g, starts, *, pattern: basic_index(g, starts, pattern=pattern),
)


@front(method=True)
def contiguous(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """The tensor itself if its elements lie in row-major order, else a copy that does.

    ``memory_format`` is accepted: a backend keeps values as it likes.
    """
    alias = input._alias
    if alias is None or is_contiguous(input._spec.shape, alias.strides):
        return input
    return input.clone()
