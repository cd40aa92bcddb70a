"""What the poolings share: their windows, and PyTorch's sentences for windows that do not fit.

The gradients of pooling are linear and each is an op with a rule of its own, so second derivatives stay
fused. A kernel may be written for batches of four dimensions alone: its binder returns None for a single
image, and the decomposition makes it a batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.windows import Pair, Span, tap_spans, window_count
from dovetail.record import rules
from dovetail.record.rules import Dtypes
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
Shape = tuple[int, ...]


_COUNTS: Final = {2: "two", 3: "three"}
_AXES: Final = {2: "HW", 3: "THW"}
"""What PyTorch calls the dimensions of a window."""


def sizes_of(op_name: str, name: str, value: Any, dims: int) -> Shape:
    """Read one number for all dimensions, or one for each."""
    if isinstance(value, int):
        return (value,) * dims
    sizes = tuple(int(v) for v in value)
    if len(sizes) == 1:
        return sizes * dims
    if len(sizes) != dims:
        raise ArgumentRuntimeError(
            f"{op_name}: {name} must either be a single int, or a tuple of {_COUNTS[dims]} ints (got {value!r})"
        )
    return sizes


def canonical_windows(name: str, input: Spec, statics: dict[str, Any], dims: int = 2) -> dict[str, Any]:
    """Canonical windows, or PyTorch's sentence for what is wrong with them."""
    kernel = sizes_of(name, "kernel_size", statics["kernel_size"], dims)
    given = statics["stride"]
    stride = kernel if given is None or given in ((), []) else sizes_of(name, "stride", given, dims)
    padding = sizes_of(name, "padding", statics["padding"], dims)
    dilation = sizes_of(name, "dilation", statics.get("dilation", 1), dims)
    if min(kernel) <= 0 or min(stride) <= 0:
        raise ArgumentRuntimeError(
            f"stride should not be zero (in {name}: kernel_size {list(kernel)} and stride {list(stride)} "
            "must be positive)"
        )
    if min(dilation) <= 0:
        found = " ".join(f"dilation{axis}: {step}" for axis, step in zip(_AXES[dims], dilation, strict=True))
        raise ArgumentRuntimeError(f"dilation should be greater than zero, but got {found}")
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise ArgumentRuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise ArgumentRuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )
    words = {**statics, "kernel_size": kernel, "stride": stride, "padding": padding}
    words["ceil_mode"] = bool(statics["ceil_mode"])
    if "dilation" in statics:
        words["dilation"] = dilation
    check_input(name, input.shape, dims)
    out_sizes(input.shape, **words)
    return words


def check_input(name: str, shape: Shape, dims: int) -> None:
    """Raise unless the shape is that of images or volumes, none of them empty."""
    kinds = f"{dims + 1}D or {dims + 2}D"
    if len(shape) not in (dims + 1, dims + 2):
        raise ShapeError(f"non-empty {kinds} (batch mode) tensor expected for input (of {name}, got {list(shape)})")
    if 0 not in shape[-dims - 1 :]:
        return
    if dims == 2:
        raise ShapeError(
            f"Expected {kinds} (batch mode) tensor with optional 0 dim batch size for input, but got:{list(shape)}"
        )
    raise ShapeError(
        f"{name}(): Expected input's non-batch dimensions to have positive length, but input has a shape of "
        f"{list(shape)} and non-batch dimension {shape[-dims - 1 :].index(0)} has length zero!"
    )


def out_sizes(
    shape: Shape,
    *,
    kernel_size: Shape,
    stride: Shape,
    padding: Shape,
    ceil_mode: bool,
    dilation: Shape | None = None,
    **_: Any,
) -> Shape:
    """The spatial sizes of the result."""
    dims = len(kernel_size)
    sizes = tuple(
        window_count(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(shape[-dims:], kernel_size, stride, padding, dilation or (1,) * dims, strict=True)
    )
    if min(sizes) < 1:
        channels, *given = shape[-dims - 1 :]
        raise ShapeError(
            f"Given input size: ({channels}x{'x'.join(map(str, given))}). Calculated output size: ({channels}x"
            f"{'x'.join(str(max(n, 0)) for n in sizes)}). Output size is too small"
        )
    return sizes


def pooled(input: Spec, **statics: Any) -> Shape:
    """The shape of the result."""
    sizes = out_sizes(input.shape, **statics)
    return (*input.shape[: -len(sizes)], *sizes)


def numeric(name: str, *more: dtypes.dtype) -> rules.DtypeRule:
    """The input's type, which must not be bool, and the types of further results."""

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        if first.dtype is dtypes.bool_:
            raise DtypeError(f"\"{name}\" not implemented for 'Bool' (convert first: x.float())")
        return Dtypes([None] * len(inputs), [first.dtype, *more])

    return rule


def batched(images: Tensor) -> Tensor:
    """A single image as a batch of one."""
    return images.unsqueeze(0)


def spans(shape: Shape, sizes: Shape, statics: dict[str, Any]) -> Iterator[tuple[int, int, Span, Span]]:
    """Every tap of the windows."""
    dilation = statics.get("dilation", (1, 1))
    return tap_spans(shape[2:], sizes, statics["kernel_size"], statics["stride"], statics["padding"], dilation)


def known_pair(value: Any) -> Pair:
    """A parameter that is canonical already, as type checkers cannot know."""
    return value  # type: ignore[no-any-return]


def one_row(name: str, input: Tensor) -> Tensor:
    """Signals as images of one row."""
    if input.ndim not in (2, 3):
        raise ShapeError(
            f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but "
            "got:"
            f"{list(input.shape)}"
        )
    return input.unsqueeze(-2)


def row_words(name: str, *, kernel_size: Any, stride: Any, **given: Any) -> dict[str, Any]:
    """The parameters of windows over signals as those of windows over images of one row."""
    words = {"kernel_size": as_row(name, "kernel_size", kernel_size, 1)}
    if stride is not None and stride not in ((), []):
        words["stride"] = as_row(name, "stride", stride, 1)
    for key, value in given.items():
        words[key] = as_row(name, key, value, 0 if key == "padding" else 1)
    return words


def as_row(name: str, key: str, value: Any, across: int) -> Pair:
    """A parameter of one dimension as one of a row."""
    if isinstance(value, int):
        return across, value
    if len(value) != 1:
        raise ArgumentRuntimeError(
            f"{name}() argument '{key}' should contain one int (got {len(value)}): {key} must be an int, list of "
            f"ints or tuple of ints of size 1 but got size {len(value)}"
        )
    return across, int(value[0])


def layered(volumes: Tensor) -> Tensor:
    """Volumes (..., D, H, W) as a batch of images whose channels are their layers."""
    *lead, depth, height, width = volumes.shape
    return volumes.reshape((math.prod(lead), depth, height, width))


def columned(images: Tensor) -> Tensor:
    """What is left of them, as images of one channel with one row for each layer."""
    count, depth, height, width = images.shape
    return images.reshape((count, 1, depth, height * width))
