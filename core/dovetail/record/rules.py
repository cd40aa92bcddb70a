"""Shape and dtype rules that op definitions name: the abstract evaluation of a call, before any kernel runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dovetail import dtypes, settings
from dovetail.errors import DimensionError, DtypeError, DtypeTypeError, ShapeError

if TYPE_CHECKING:
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.spec import Spec

Shape = tuple[int, ...]
ShapeRule = Callable[..., Any]
"""``rule(*input specs, **statics)`` returns the shape of the result, or a list of shapes of several results."""


class Dtypes(NamedTuple):
    """What a dtype rule answers: the dtype each input is cast to (None: as it is), and those of the results."""

    inputs: Sequence[Dtype | None]
    outputs: Sequence[Dtype]


DtypeRule = Callable[[Sequence["Spec | None"], dict[str, Any]], Dtypes]


# ---------------------------------------------------------------------------------------------- shapes


def broadcast_shapes(*shapes: Sequence[int]) -> Shape:
    """Return the common shape, or raise PyTorch's sentence with sizes, dimension and both shapes."""
    result: list[int] = []
    for shape in shapes:
        if len(shape) > len(result):
            result = [1] * (len(shape) - len(result)) + result
        offset = len(result) - len(shape)
        for i, size in enumerate(shape):
            at = offset + i
            if result[at] == size or size == 1:
                continue
            if result[at] != 1:
                raise ShapeError(
                    f"The size of tensor a ({result[at]}) must match the size of tensor b ({size}) at non-singleton "
                    f"dimension {at} (shapes: {', '.join(str(list(s)) for s in shapes)})"
                )
            result[at] = size
    return tuple(result)


def broadcast(*inputs: Spec | None, **statics: Any) -> Shape:
    """The common shape of all inputs."""
    shapes = [s.shape for s in inputs if s is not None]
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    return broadcast_shapes(*shapes)


def like_first(*inputs: Spec, **statics: Any) -> Shape:
    """The shape of the first input."""
    return inputs[0].shape


def scalar(*inputs: Spec, **statics: Any) -> Shape:
    """A 0-d result."""
    return ()


def normalize_dim(dim: int, ndim: int) -> int:
    """Return a dimension as a non-negative number, or raise PyTorch's sentence."""
    size = max(ndim, 1)
    if not -size <= dim < size:
        raise DimensionError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return dim % size


def normalize_dims(dim: int | Sequence[int] | None, ndim: int) -> Shape:
    """Return dimensions as a sorted tuple; None and () mean all of them."""
    if dim is None:
        return tuple(range(ndim))
    dims = [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        return tuple(range(ndim))
    normal = [normalize_dim(d, ndim) for d in dims]
    if len(set(normal)) != len(normal):
        repeated = next(d for d in normal if normal.count(d) > 1)
        raise DimensionRepeated(f"dim {repeated} appears multiple times in the list of dims")
    return tuple(sorted(normal)) if ndim else ()


class DimensionRepeated(ShapeError):
    """The same dimension named twice."""


def canonical_dims(input: Spec, **statics: Any) -> dict[str, Any]:
    """Make ``dim`` a sorted tuple of non-negative dimensions."""
    return {**statics, "dim": normalize_dims(statics["dim"], input.ndim)}


def canonical_dim(input: Spec, *others: Spec, **statics: Any) -> dict[str, Any]:
    """Make the single dimension ``dim`` non-negative."""
    return {**statics, "dim": normalize_dim(statics["dim"], input.ndim)}


def reduced(input: Spec, *others: Spec, dim: Shape, keepdim: bool = False, **statics: Any) -> Shape:
    """The shape without the dimensions ``dim`` (of size 1 with ``keepdim``)."""
    if keepdim:
        return tuple(1 if i in dim else n for i, n in enumerate(input.shape))
    return tuple(n for i, n in enumerate(input.shape) if i not in dim)


# ---------------------------------------------------------------------------------------------- dtypes


def result_type(inputs: Sequence[Spec | None]) -> Dtype:
    """PyTorch's promotion: 0-d tensors count only when their category is higher than that of the others."""
    dimensioned: Dtype | None = None
    zero: Dtype | None = None
    for s in inputs:
        if s is None:
            continue
        if s.shape:
            dimensioned = s.dtype if dimensioned is None else dtypes.promote_types(dimensioned, s.dtype)
        else:
            zero = s.dtype if zero is None else dtypes.promote_types(zero, s.dtype)
    if dimensioned is None:
        assert zero is not None, "an op has at least one input"
        return zero
    if zero is None or zero.category <= dimensioned.category:
        return dimensioned
    return dtypes.promote_types(dimensioned, zero) if zero.category == dtypes.COMPLEX else zero


def promote(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """Every input to the common type, which is the result's."""
    common = result_type(inputs)
    return Dtypes([common] * len(inputs), [common])


def no_bool(op: str, instead: str) -> DtypeRule:
    """As :func:`promote`, but bool operands are an error that proposes another op."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        answer = promote(inputs, statics)
        if answer.outputs[0] is dtypes.bool_:
            raise DtypeError(f"{op}, with a bool tensor, is not supported. {instead}")
        return answer

    return rule


def floating(dtype: Dtype) -> Dtype:
    """The type itself when it is floating, else the default type."""
    return dtype if dtype.category >= dtypes.FLOATING else settings.current.default_dtype


def to_float(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """Every input to the common type, integers to the default floating type."""
    common = floating(result_type(inputs))
    return Dtypes([common] * len(inputs), [common])


def compare(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """Every input to the common type, the result bool."""
    common = result_type(inputs)
    return Dtypes([common] * len(inputs), [dtypes.bool_])


def same(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """The type of the first input; nothing is cast."""
    first = inputs[0]
    assert first is not None, "the first input is never absent"
    return Dtypes([None] * len(inputs), [first.dtype])


def truth(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """Inputs as they are, the result bool."""
    return Dtypes([None] * len(inputs), [dtypes.bool_])


def integers_only(op: str) -> DtypeRule:
    """As :func:`promote`, for integer and bool operands only."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        answer = promote(inputs, statics)
        if answer.outputs[0].category > dtypes.INTEGER:
            raise DtypeError(f"\"{op}\" not implemented for '{answer.outputs[0].legacy_name}'")
        return answer

    return rule


def fixed(*outputs: Dtype) -> DtypeRule:
    """Inputs as they are, results of the given types."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        return Dtypes([None] * len(inputs), outputs)

    return rule


def same_and(*more: Dtype) -> DtypeRule:
    """The first result has the first input's type, the further ones the given types."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        return Dtypes([None] * len(inputs), [first.dtype, *more])

    return rule


def target(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """The result has the type that the parameter ``dtype`` names."""
    return Dtypes([None] * len(inputs), [statics["dtype"]])


def summed(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """Sums and products: ``dtype`` when given, else int64 for integers and bools, else the input's type."""
    first = inputs[0]
    assert first is not None, "a reduction has an input"
    asked: Dtype | None = statics.get("dtype")
    if asked is None:
        asked = first.dtype if first.dtype.category >= dtypes.FLOATING else dtypes.int64
    return Dtypes([asked], [asked])


def averaged(name: str) -> DtypeRule:
    """Means: ``dtype`` when given, else the input's type, which must be floating."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "a reduction has an input"
        asked: Dtype = statics.get("dtype") or first.dtype
        if asked.category < dtypes.FLOATING:
            raise DtypeError(
                f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex "
                f"dtype. Got: {asked.legacy_name} (convert first: x.float().{name}())"
            )
        return Dtypes([asked], [asked])

    return rule


def matching(op: str, *, names: Sequence[str] = ("mat1", "mat2")) -> DtypeRule:
    """All inputs must have one type, which is the result's (matrix products, convolutions)."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        there = [s.dtype for s in inputs if s is not None]
        if any(d is not there[0] for d in there):
            found = ", ".join(d.name for d in there)
            raise DtypeError(
                f"expected {names[0]} and {names[1]} to have the same dtype, but got: {found} (in {op}; convert one "
                f"of them, as in x.to({there[0]!r}))"
            )
        return Dtypes([None] * len(inputs), [there[0]])

    return rule


def require_floating(op: str) -> DtypeRule:
    """The first input's type, which must be floating."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        if first.dtype.category < dtypes.FLOATING:
            raise DtypeError(f"\"{op}\" not implemented for '{first.dtype.legacy_name}'")
        return Dtypes([None] * len(inputs), [first.dtype])

    return rule


INDEX_TYPES: Final = (dtypes.int64, dtypes.int32)


def check_index_dtype(op: str, index: Spec) -> None:
    """Raise unless the tensor of positions is int32 or int64."""
    if index.dtype not in INDEX_TYPES:
        raise DtypeTypeError(f"{op}(): Expected dtype int32/int64 for index, got {index.dtype.name}")
