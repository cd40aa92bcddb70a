"""What the arguments of a convolution may be, and PyTorch's sentences where they do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.windows import Pair, sizes_of
from dovetail.record.rules import Dtypes
from dovetail.tensor.spec import Spec

Size = int | Sequence[int]
Padding = tuple[int, ...]
"""What is added on either side: (rows, columns), or (top, bottom, left, right) where the sides differ, also in 3-d."""


def _same_padding(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Padding:
    """The padding that keeps the size; of an odd amount the far side gets the larger half."""
    if any(step != 1 for step in stride):
        raise ArgumentRuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    near = [t // 2 for t in total]
    if all(t % 2 == 0 for t in total):
        return tuple(near)
    return tuple(n for t, half in zip(total, near, strict=True) for n in (half, t - half))


def _padding(value: Any, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Padding:
    dims = len(kernel)
    if isinstance(value, str):
        if value == "valid":
            return (0,) * dims
        if value != "same":
            raise ArgumentRuntimeError(f"Invalid padding string: '{value}' (it may be 'valid' or 'same')")
        return _same_padding(kernel, stride, dilation)
    if isinstance(value, tuple) and len(value) == 2 * dims:
        return value
    return sizes_of("padding", value, dims, "convolution")


def check_numbers(stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int) -> None:
    """Raise for strides, paddings, dilations and groups that no convolution has."""
    if groups <= 0:
        raise ArgumentRuntimeError(f"non-positive groups is not supported (groups={groups})")
    if min(stride) <= 0:
        raise ArgumentRuntimeError(f"non-positive stride is not supported (stride={list(stride)})")
    if min(padding) < 0:
        raise ArgumentRuntimeError(f"negative padding is not supported (padding={list(padding)})")
    if min(dilation) <= 0:
        raise ArgumentRuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")


def check_operands(
    name: str, spatial: int, input: Spec, weight: Spec, bias: Spec | None, groups: int, kind: str
) -> None:
    """Raise PyTorch's sentences for dimensions and channels that do not fit.

    ``kind`` begins the sentence about channels: "groups=1" of a convolution, "transposed=1" of a transposed
    one.
    """
    a, w = list(input.shape), list(weight.shape)
    if len(a) not in (spatial + 1, spatial + 2):
        raise ShapeError(
            f"Expected {spatial + 1}D (unbatched) or {spatial + 2}D (batched) input to {name}, but got input "
            f"of size: {a}"
        )
    if len(w) != spatial + 2:
        raise ShapeError(
            f"weight should have {spatial + 2} dimensions in {name}, but got weight of size {w} (input {a})"
        )
    transposed = kind.startswith("transposed")
    if w[0] < groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight "
            f"of size {w} instead"
        )
    if w[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got "
            "weight of size "
            f"[{w}] instead"
        )
    channels, expected = a[-spatial - 1], w[0] if transposed else w[1] * groups
    if channels != expected:
        raise ShapeError(
            f"Given {kind}, weight of size {w}, expected input{a} to have {expected} channels, but got "
            f"{channels} channels "
            "instead"
        )
    filters = w[1] * groups if transposed else w[0]
    if bias is not None and tuple(bias.shape) != (filters,):
        raise ShapeError(
            f"Given weight of size {w}, expected bias to be 1-dimensional with {filters} elements, but got "
            "bias of size "
            f"{list(bias.shape)} instead"
        )


def check_sizes(input: Spec, kernel: Sequence[int], padding: Sequence[Sequence[int]], dilation: Sequence[int]) -> None:
    """Raise when the kernel is larger than the padded images."""
    sizes = list(input.shape[-len(kernel) :])
    batched = input.ndim == len(kernel) + 2
    if 0 in sizes or (not batched and 0 in input.shape):
        raise ShapeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(input.shape)}"
        )
    padded = [n + sum(p) for n, p in zip(sizes, padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(p < r for p, r in zip(padded, reach, strict=True)):
        raise ShapeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )


def sides(padding: Padding) -> tuple[Pair, ...]:
    """What is added before and after each spatial dimension; there are two of these or three."""
    if len(padding) in (4, 6):
        return tuple(zip(padding[::2], padding[1::2], strict=True))
    return tuple((amount, amount) for amount in padding)


def canonical_as(name: str, spatial: int) -> Callable[..., dict[str, Any]]:
    """The rule that makes the parameters of a convolution tuples, checked against the operands."""

    def rule(input: Spec, weight: Spec, bias: Spec | None, **statics: Any) -> dict[str, Any]:
        groups = int(statics["groups"])
        check_operands(name, spatial, input, weight, bias, max(groups, 1), f"groups={groups}")
        stride = sizes_of("stride", statics["stride"], spatial, "convolution")
        dilation = sizes_of("dilation", statics["dilation"], spatial, "convolution")
        check_numbers(stride, (0,), dilation, groups)
        padding = _padding(statics["padding"], weight.shape[2:], stride, dilation)
        check_numbers(stride, padding, dilation, groups)
        check_sizes(input, weight.shape[2:], sides(padding), dilation)
        return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    return rule


def out_sizes(
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
) -> tuple[int, ...]:
    """The spatial sizes of the result."""
    return tuple(
        (n + before + after - d * (k - 1) - 1) // s + 1
        for n, k, s, d, (before, after) in zip(size, kernel, stride, dilation, sides(padding), strict=True)
    )


def result_shape(
    input: Spec,
    weight: Spec,
    bias: Spec | None,
    *,
    stride: Sequence[int],
    padding: Padding,
    dilation: Sequence[int],
    groups: int,
) -> tuple[int, ...]:
    """The shape of the result, with a batch where the input has one."""
    spatial = len(stride)
    sizes = out_sizes(input.shape[-spatial:], weight.shape[2:], stride, padding, dilation)
    return (*input.shape[: -spatial - 1], weight.shape[0], *sizes)


def gradient_shape(g: Spec, other: Spec, **statics: Any) -> tuple[int, ...]:
    """The shape of the operand whose gradient is computed, which the parameters give."""
    return tuple(statics["input_shape"] if "input_shape" in statics else statics["weight_shape"])


def one_dtype(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    """All operands have one type, which is the result's."""
    first = inputs[0]
    assert first is not None, "the first operand is never absent"
    for name, other in zip(("weight", "bias"), inputs[1:], strict=False):
        if other is not None and other.dtype is not first.dtype:
            raise DtypeError(
                f"Input type ({first.dtype.legacy_name.lower()}) and {name} type "
                f"({other.dtype.legacy_name.lower()}) should "
                f"be the same (convert one of them: {name}.to({first.dtype!r}))"
            )
    return Dtypes([None] * len(inputs), [first.dtype])
