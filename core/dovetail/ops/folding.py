"""Windows of images taken apart into columns, and columns added up to images: each is the other's gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.definition import op
from dovetail.ops.joining import stack
from dovetail.ops.padding import constant_pad
from dovetail.ops.precision import wider
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.ops.windows import Pair, window_count
from dovetail.record.agree import Agree, Growth
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
_LEAST: Final = (
    ("kernel_size", 1, "kernel size should be greater than zero, but got kernel"),
    ("dilation", 1, "dilation should be greater than zero, but got dilation"),
    ("padding", 0, "padding should be non-negative, but got pad"),
    ("stride", 1, "stride should be greater than zero, but got stride"),
)


def _pair(name: str, value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    sizes = tuple(int(v) for v in value)
    if len(sizes) != 2:
        raise ArgumentRuntimeError(f"It is expected {name} equals to 2, but got size {len(sizes)}")
    return sizes[0], sizes[1]


def _pairs(statics: dict[str, Any]) -> dict[str, Any]:
    """The parameters as pairs, or PyTorch's sentence for one that is too small."""
    found = {name: _pair(name, value) for name, value in statics.items()}
    for name, least, words in _LEAST:
        rows, columns = found[name]
        if min(rows, columns) < least:
            word = words.rpartition(" ")[2]
            raise ArgumentRuntimeError(f"{words}_height: {rows} {word}_width: {columns}")
    return found


def _blocks(size: Sequence[int], kernel_size: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Pair:
    rows, columns = (
        window_count(n, k, s, p, d) for n, k, d, p, s in zip(size, kernel_size, dilation, padding, stride, strict=True)
    )
    return rows, columns


def _canonical_unfold(input: Spec, **statics: Any) -> dict[str, Any]:
    found = _pairs(statics)
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        raise ShapeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    blocks = _blocks(input.shape[-2:], **found)
    if min(blocks) < 1:
        words = ", ".join(f"{name}={found[name]}" for name in ("kernel_size", "dilation", "padding"))
        raise ShapeError(
            f"Given input with spatial size {tuple(input.shape[-2:])}, {words}, calculated shape of the array of "
            f"sliding blocks as {blocks}, but its components must be at least one."
        )
    return found


def _canonical_fold(input: Spec, *, output_size: Any, **statics: Any) -> dict[str, Any]:
    found = {"output_size": _pair("output_size", output_size), **_pairs(statics)}
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise ShapeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    dim = input.ndim - 2
    depth, count = input.shape[-2:]
    kernel = found["kernel_size"]
    if depth % math.prod(kernel):
        raise ShapeError(
            f"Expected size of input's dimension {dim} to be divisible by the product of kernel_size, but got "
            f"input.size({dim})={depth} and kernel_size={kernel}."
        )
    rest = {name: value for name, value in found.items() if name != "output_size"}
    rows, columns = (max(n, 0) for n in _blocks(found["output_size"], **rest))
    if rows * columns != count or not count:
        names = ("output_size", "kernel_size", "dilation", "padding", "stride")
        words = ", ".join(f"{name}={found[name]}" for name in names)
        raise ShapeError(
            f"Given {words}, expected size of input's dimension {dim + 1} to match the calculated number of sliding "
            f"blocks {rows} * {columns} = {rows * columns}, but got input.size({dim + 1})={count}."
        )
    return found


def _float_or_bool(name: str) -> Any:
    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        if first.dtype.category == dtypes.INTEGER:
            raise DtypeError(f"\"{name}\" not implemented for '{first.dtype.legacy_name}'")
        return Dtypes([None], [first.dtype])

    return rule


def _unfolded(input: Spec, *, kernel_size: Pair, **statics: Any) -> tuple[int, ...]:
    blocks = _blocks(input.shape[-2:], kernel_size=kernel_size, **statics)
    return (*input.shape[:-3], input.shape[-3] * math.prod(kernel_size), math.prod(blocks))


def _folded(input: Spec, *, output_size: Pair, kernel_size: Pair, **statics: Any) -> tuple[int, ...]:
    return (*input.shape[:-2], input.shape[-2] // math.prod(kernel_size), *output_size)


def _taps(kernel: Pair, dilation: Pair) -> list[tuple[int, int, int, int]]:
    """The place of every tap's first pixel, in row-major order."""
    return [(0, 0, i * dilation[0], j * dilation[1]) for i in range(kernel[0]) for j in range(kernel[1])]


def _pattern(images: Tensor, blocks: Pair, stride: Pair) -> tuple[Any, ...]:
    lead = ((images.shape[0], 1), (images.shape[1], 1))
    return (*lead, (blocks[0], stride[0]), (blocks[1], stride[1]))


@op(
    shape=_unfolded,
    dtype=_float_or_bool("im2col_out_cpu"),
    canon=_canonical_unfold,
    internal=True,
    samples=calls(
        call(Arg((2, 3, 4, 5)), 2),
        call(Arg((1, 2, 5, 4)), (3, 2), (1, 2), (1, 0), (2, 1)),
        call(Arg((2, 3, 3)), 2, padding=1),
        call(Arg((0, 2, 3, 3)), 2),
        errors=(
            error(RuntimeError, "Expected 3D or 4D (batch mode) tensor", Arg((1, 0, 3, 3)), 2),
            error(RuntimeError, "calculated shape of the array of sliding blocks", Arg((1, 1, 3, 3)), 4),
            error(RuntimeError, "but got kernel_height: 0 kernel_width: 0", Arg((1, 1, 3, 3)), 0),
            error(RuntimeError, "but got pad_height: -1 pad_width: -1", Arg((1, 1, 3, 3)), 2, padding=-1),
            error(RuntimeError, "It is expected kernel_size equals to 2, but got size 3", Arg((1, 1, 3, 3)), (2, 2, 2)),
        ),
    ),
    agree=Agree.exact(),
    backward_name="Im2ColBackward0",
)
def im2col(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """The pixels of every window as a column: (N, C KH KW, windows) of images (N, C, H, W), also without batch."""
    if input.ndim == 3:
        return im2col(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)
    words = _pairs({"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride})
    blocks = _blocks(input.shape[-2:], **words)
    rows, columns = words["padding"]
    if rows or columns:
        input = constant_pad(input, ((0, 0), (0, 0), (rows, rows), (columns, columns)), 0)
    pattern = _pattern(input, blocks, words["stride"])
    taps = _taps(words["kernel_size"], words["dilation"])
    found = stack([basic_index(input, tap, pattern=pattern) for tap in taps], 2)
    return found.reshape((input.shape[0], input.shape[1] * len(taps), math.prod(blocks)))


@op(
    shape=_folded,
    dtype=_float_or_bool("col2im_out_cpu"),
    canon=_canonical_fold,
    internal=True,
    samples=calls(
        call(Arg((2, 12, 12)), (4, 5), 2),
        call(Arg((1, 12, 6)), (5, 4), (3, 2), (1, 2), (1, 0), (2, 1)),
        call(Arg((4, 16)), 3, 2, padding=1),
        errors=(
            error(RuntimeError, "Expected 2D or 3D (batch mode) tensor", Arg((4,)), 3, 2),
            error(RuntimeError, "to be divisible by the product of kernel_size", Arg((1, 5, 4)), 3, 2),
            error(RuntimeError, "sliding blocks 2 * 2 = 4, but got input.size(2)=5", Arg((1, 4, 5)), 3, 2),
            error(RuntimeError, "It is expected output_size equals to 2", Arg((1, 4, 4)), (3, 3, 3), 2),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1)),
    backward_name="Col2ImBackward0",
)
def col2im(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """Images (N, C, H, W) of ``output_size`` from columns (N, C KH KW, windows): what overlaps is added up."""
    statics = {"dilation": dilation, "padding": padding, "stride": stride}
    if input.ndim == 2:
        return col2im(input.unsqueeze(0), output_size, kernel_size, **statics).squeeze(0)
    wide = wider(input.dtype)
    if wide is not input.dtype:
        return col2im(input.to(wide), output_size, kernel_size, **statics).to(input.dtype)
    words = _pairs({"kernel_size": kernel_size, **statics})
    size = _pair("output_size", output_size)
    blocks = _blocks(size, **words)
    taps = _taps(words["kernel_size"], words["dilation"])
    rows, columns = words["padding"]
    channels = input.shape[1] // len(taps)
    parts = input.reshape((input.shape[0], channels, len(taps), *blocks))
    out = input.new_zeros((input.shape[0], channels, size[0] + 2 * rows, size[1] + 2 * columns))
    pattern = _pattern(out, blocks, words["stride"])
    for number, tap in enumerate(taps):
        seen = basic_index(out, tap, pattern=pattern)
        added = seen | parts[:, :, number] if out.dtype is dtypes.bool_ else seen + parts[:, :, number]
        out = basic_index_put(out, added, tap, pattern=pattern)
    return basic_index(out, (0, 0, rows, columns), pattern=_pattern(out, size, (1, 1)))


im2col.vjp(
    input=lambda g, *, specs, kernel_size, dilation, padding, stride: col2im(
        g, tuple(specs[0].shape[-2:]), kernel_size, dilation, padding, stride
    )
)
col2im.vjp(input=lambda g, *, kernel_size, dilation, padding, stride: im2col(g, kernel_size, dilation, padding, stride))
