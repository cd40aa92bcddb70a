"""Reductions: one value from many, along dimensions."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import DimensionError, EmptyReduction, ShapeError
from dovetail.ops.arithmetic import maximum, minimum
from dovetail.ops.definition import NoDecomposition, front, op, titled
from dovetail.ops.results import MinMax, ValuesIndices
from dovetail.record import rules
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import normalize_dim
from dovetail.record.samples import ALL, NUMERIC, Arg, Sample, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Dims = int | Sequence[int] | None

_SHAPES: tuple[Sample, ...] = (
    call(Arg((2, 3))),
    call(Arg((2, 3, 4)), 1),
    call(Arg((2, 3, 4)), (0, -1), True),
    call(Arg(())),
)


def widened(g: Tensor, spec: Spec, dim: Sequence[int], keepdim: bool) -> Tensor:
    """The gradient of a sum: every element gets that of its sum."""
    if not keepdim and g.ndim:
        g = g.reshape(tuple(1 if i in dim else n for i, n in enumerate(spec.shape)))
    return g.expand(spec.shape)


def _reduction_name(word: str) -> Callable[..., str]:
    """PyTorch's names: 0 over everything, 1 over dimensions."""
    return lambda input, *, dim, keepdim, dtype: f"{word}Backward{int(keepdim or len(dim) < input.ndim)}"


@op(
    shape=rules.reduced,
    dtype=rules.summed,
    canon=rules.canonical_dims,
    method=True,
    samples=calls(*_SHAPES, call(Arg((0, 3))), call(Arg((0, 3)), 0), dtypes=ALL),
    agree=Agree.terms(k=Growth(log2=1, plus=32)),
    backward_name=_reduction_name("Sum"),
    autocast={"accelerator": "float32"},
)
def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """Sum over dimensions (all by default); integers and bools add up in int64, an empty sum is 0.

    >>> import dovetail
    >>> dovetail.tensor([[1.0, 2.0], [3.0, 4.0]]).sum(dim=0)
    tensor([4., 6.])
    """
    raise NoDecomposition


sum.vjp(input=lambda g, *, specs, dim, keepdim: widened(g, specs[0], dim, keepdim))


def count(shape: Sequence[int], dim: Sequence[int]) -> int:
    """How many elements go into one result."""
    return math.prod(shape[d] for d in dim)


@op(
    shape=rules.reduced,
    dtype=rules.averaged("mean"),
    canon=rules.canonical_dims,
    method=True,
    samples=calls(
        *_SHAPES,
        errors=(error(RuntimeError, "could not infer output dtype", Arg((3,), dtype="int64")),),
    ),
    agree=Agree.terms(k=Growth(log2=1, plus=32)),
    backward_name=_reduction_name("Mean"),
)
def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """Mean over dimensions (all by default) of a floating tensor; NaN of nothing."""
    raise NoDecomposition


mean.vjp(
    input=lambda g, *, specs, dim, keepdim: (
        widened(g, specs[0], dim, keepdim) / builtins.max(count(specs[0].shape, dim), 1)
    )
)


@front(method=True)
def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """Summed over the dimensions that broadcasting had added or stretched, down to a shape."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], list | tuple) else tuple(size)
    if input.shape == shape:
        return input
    lead = input.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and input.shape[lead + i] != 1]
    if stretched:
        input = sum(input, stretched, True)
    return sum(input, tuple(range(lead))) if lead else input


# ------------------------------------------------------------------------------------------ extremes


def _not_empty(name: str) -> Any:
    def rule(input: Spec, *, dim: Any, keepdim: bool = False) -> Any:
        dims = (dim,) if isinstance(dim, int) else dim
        if builtins.any(input.ndim and input.shape[d] == 0 for d in dims):
            raise EmptyReduction(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                "reduction dim "
                f"with the 'dim' argument. (shape {list(input.shape)}, dim {list(dims)})"
            )
        return rules.reduced(input, dim=dims, keepdim=keepdim)

    return rule


_EMPTY = error(IndexError, "Specify the reduction dim with the 'dim' argument", Arg((0,)))


@op(
    shape=_not_empty("amax"),
    dtype=rules.same,
    canon=rules.canonical_dims,
    method=True,
    samples=calls(
        call(Arg((2, 3), distinct=True)), call(Arg((2, 3, 4), distinct=True), 1), dtypes=ALL, errors=(_EMPTY,)
    ),
    agree=Agree.exact(signed_zero=False),
)
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Largest element over dimensions; NaN if there is one; equal elements share the gradient."""
    raise NoDecomposition


@op(
    shape=_not_empty("amin"),
    dtype=rules.same,
    canon=rules.canonical_dims,
    method=True,
    samples=calls(
        call(Arg((2, 3), distinct=True)), call(Arg((2, 3, 4), distinct=True), 1), dtypes=ALL, errors=(_EMPTY,)
    ),
    agree=Agree.exact(signed_zero=False),
)
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Smallest element over dimensions; NaN if there is one; equal elements share the gradient."""
    raise NoDecomposition


def _shared_by_ties(g: Tensor, input: Tensor, out: Tensor, *, specs: Any, dim: Any, keepdim: bool) -> Tensor:
    best = widened(out, specs[0], dim, keepdim)
    ties = ((input == best) | ((input != input) & (best != best))).to(g.dtype)
    return widened(g, specs[0], dim, keepdim) * (ties / sum(ties, dim, True))


amax.vjp(input=_shared_by_ties)
amin.vjp(input=_shared_by_ties)


def _arg_shape(name: str) -> Any:
    def rule(input: Spec, *, dim: int | None, keepdim: bool = False) -> Any:
        if input.size == 0 and (dim is None or (input.ndim and input.shape[dim] == 0)):
            raise DimensionError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                "reduction dim "
                "with the 'dim' argument."
            )
        if dim is None:
            return (1,) * input.ndim if keepdim else ()
        return rules.reduced(input, dim=(dim,), keepdim=keepdim)

    return rule


def _canonical_arg(input: Spec, **statics: Any) -> dict[str, Any]:
    dim = statics["dim"]
    return {**statics, "dim": None if dim is None else normalize_dim(dim, input.ndim)}


_POSITIONS = "positions are integers"


@op(
    shape=_arg_shape("argmax"),
    dtype=rules.fixed(dtypes.int64),
    canon=_canonical_arg,
    method=True,
    nondifferentiable=_POSITIONS,
    samples=calls(call(Arg((2, 3))), call(Arg((2, 3)), 1), call(Arg((2, 3)), 0, True), dtypes=NUMERIC),
    agree=Agree.exact(),
)
def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Position of the first largest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
    raise NoDecomposition


@op(
    shape=_arg_shape("argmin"),
    dtype=rules.fixed(dtypes.int64),
    canon=_canonical_arg,
    method=True,
    nondifferentiable=_POSITIONS,
    samples=calls(call(Arg((2, 3))), call(Arg((2, 3)), 1), call(Arg((2, 3)), 0, True), dtypes=NUMERIC),
    agree=Agree.exact(),
)
def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Position of the first smallest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
    raise NoDecomposition


@op(
    method=True,
    samples=calls(
        call(Arg((2, 3), distinct=True)),
        call(Arg((2, 3), distinct=True), dim=1),
        call(Arg((2, 3), distinct=True), dim=0, keepdim=True),
        dtypes=ALL,
        errors=(error(RuntimeError, "cannot compute aminmax over an empty dimension", Arg((0,))),),
    ),
    agree=Agree.exact(signed_zero=False),
)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest element, of all or along a dimension; NaN if there is one."""
    reduced = input.shape if dim is None else (input.shape[dim],) if input.ndim else ()
    if 0 in reduced:
        raise ShapeError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.")
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


@front(method=True)
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Largest element; along ``dim`` values and positions; with another tensor the larger of each pair.

    ``max()`` shares the gradient among equal elements, ``max(dim)`` gives all to the position that it
    returned.
    """
    return _extreme(input, dim, keepdim, other, "max")


@front(method=True)
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Smallest element; along ``dim`` values and positions; with another tensor the smaller of each pair."""
    return _extreme(input, dim, keepdim, other, "min")


def _extreme(input: Tensor, dim: Any, keepdim: bool, other: Any, which: str) -> Any:
    if isinstance(dim, Tensor):
        dim, other = None, dim
    if other is not None:
        return maximum(input, other) if which == "max" else minimum(input, other)
    if dim is None:
        return titled(amax(input) if which == "max" else amin(input), f"{which.title()}Backward1")
    at = normalize_dim(dim, input.ndim)
    positions = (argmax if which == "max" else argmin)(input, at, True)
    values = input.gather(at, positions) if input.ndim else input.clone()
    if not keepdim and input.ndim:
        values, positions = values.squeeze(at), positions.squeeze(at)
    return ValuesIndices(titled(values, f"{which.title()}Backward0"), positions)


# ------------------------------------------------------------------------------------------ truth


@op(
    shape=rules.reduced,
    dtype=rules.truth,
    canon=rules.canonical_dims,
    method=True,
    nondifferentiable="the result is a truth value",
    samples=calls(*_SHAPES, call(Arg((0,))), dtypes=ALL),
    agree=Agree.exact(),
)
def any(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether an element is not zero; False of nothing."""
    raise NoDecomposition


@op(
    shape=rules.reduced,
    dtype=rules.truth,
    canon=rules.canonical_dims,
    method=True,
    nondifferentiable="the result is a truth value",
    samples=calls(*_SHAPES, call(Arg((0,))), dtypes=ALL),
    agree=Agree.exact(),
)
def all(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """Whether no element is zero; True of nothing."""
    raise NoDecomposition
