"""What the poolings share: their windows, and PyTorch's sentences for windows that do not fit.

The gradients of pooling are linear and each is an op with a rule of its own, so second derivatives stay
fused. A kernel may be written for batches of four dimensions alone: its binder returns None for a single
image, and the decomposition makes it a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.windows import Pair, Span, tap_spans, window_count
from dovetail.record import rules
from dovetail.record.rules import Dtypes
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
Shape = tuple[int, ...]


def pair(op_name: str, name: str, value: Any) -> Pair:
    """Read one number for both dimensions, or one for each."""
    if isinstance(value, int):
        return value, value
    sizes = [int(v) for v in value]
    if len(sizes) == 1:
        return sizes[0], sizes[0]
    if len(sizes) != 2:
        raise ArgumentRuntimeError(
            f"{op_name}: {name} must either be a single int, or a tuple of two ints (got {value!r})"
        )
    return sizes[0], sizes[1]


def canonical_windows(name: str, input: Spec, statics: dict[str, Any]) -> dict[str, Any]:
    """Canonical windows, or PyTorch's sentence for what is wrong with them."""
    kernel = pair(name, "kernel_size", statics["kernel_size"])
    given = statics["stride"]
    stride = kernel if given is None or given in ((), []) else pair(name, "stride", given)
    padding = pair(name, "padding", statics["padding"])
    dilation = pair(name, "dilation", statics.get("dilation", 1))
    if min(kernel) <= 0 or min(stride) <= 0:
        raise ArgumentRuntimeError(
            f"stride should not be zero (in {name}: kernel_size {list(kernel)} and stride {list(stride)} "
            "must be positive)"
        )
    if min(dilation) <= 0:
        raise ArgumentRuntimeError(
            f"dilation should be greater than zero, but got dilationH: {dilation[0]} dilationW: {dilation[1]}"
        )
    for p, k, d in zip(padding, kernel, dilation, strict=True):
        if p < 0:
            raise ArgumentRuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > (d * (k - 1) + 1) // 2:
            raise ArgumentRuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and "
                f"dilation={d}"
            )
    found = {**statics, "kernel_size": kernel, "stride": stride, "padding": padding}
    found["ceil_mode"] = bool(statics["ceil_mode"])
    if "dilation" in statics:
        found["dilation"] = dilation
    check_images(name, input.shape)
    out_sizes(input.shape, **found)
    return found


def check_images(name: str, shape: Shape) -> None:
    """Raise unless the shape is that of images, none of them empty."""
    if len(shape) not in (3, 4):
        raise ShapeError(f"non-empty 3D or 4D (batch mode) tensor expected for input (of {name}, got {list(shape)})")
    if 0 in shape[-3:]:
        raise ShapeError(
            f"Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:{list(shape)}"
        )


def out_sizes(
    shape: Shape,
    *,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    dilation: Pair = (1, 1),
    **_: Any,
) -> Pair:
    """Rows and columns of the result."""
    rows, columns = (
        window_count(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(shape[-2:], kernel_size, stride, padding, dilation, strict=True)
    )
    if min(rows, columns) < 1:
        depth, height, width = shape[-3:]
        raise ShapeError(
            f"Given input size: ({depth}x{height}x{width}). Calculated output size: ({depth}x{max(rows, 0)}x"
            f"{max(columns, 0)}). Output size is too small"
        )
    return rows, columns


def pooled(input: Spec, **statics: Any) -> Shape:
    """The shape of the result."""
    return (*input.shape[:-2], *out_sizes(input.shape, **statics))


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


def spans(shape: Shape, sizes: Pair, statics: dict[str, Any]) -> Iterator[tuple[int, int, Span, Span]]:
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


def as_row(value: Any, across: int) -> Pair:
    """A parameter of one dimension as one of a row."""
    return across, value if isinstance(value, int) else int(value[0])
