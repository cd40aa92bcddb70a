"""Transposed convolutions of signals, images and volumes: what the gradient of a convolution does to its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.convolution import AGREE, conv2d_input_grad
from dovetail.ops.convolution_arguments import Size, check_numbers, check_operands
from dovetail.ops.definition import op
from dovetail.ops.shape import basic_index, basic_index_put
from dovetail.ops.volume_convolution import conv3d_input_grad
from dovetail.ops.windows import sizes_of
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Sizes = tuple[int, ...]
_SPREADING: Final[dict[int, Callable[..., Tensor]]] = {2: conv2d_input_grad, 3: conv3d_input_grad}
"""The gradient that spreads a result over the input, by the number of spatial dimensions."""
_WORDS: Final = {
    1: ("_length",),
    2: ("_height", "_width"),
    3: ("_depth", "_height", "_width"),
}


class _Layout(NamedTuple):
    """The canonical parameters, and the spatial sizes of the result."""

    stride: Sizes
    padding: Sizes
    extra: Sizes
    dilation: Sizes
    sizes: Sizes


def _canonical_as(spatial: int) -> Callable[..., dict[str, Any]]:
    """The rule that makes the parameters tuples, checked against the operands."""

    def rule(input: Spec, weight: Spec, bias: Spec | None, *, groups: int, **given: Any) -> dict[str, Any]:
        words = {name: sizes_of(name, value, spatial, "convolution") for name, value in given.items()}
        check_operands(f"conv_transpose{spatial}d", spatial, input, weight, bias, max(groups, 1), "transposed=1")
        check_numbers(words["stride"], words["padding"], words["dilation"], groups)
        order = (words["stride"], words["padding"], words["output_padding"], words["dilation"])
        _sizes(input.shape[-spatial:], weight.shape[2:], *order)
        return {**words, "groups": groups}

    return rule


def _layout(input: Tensor, weight: Tensor, stride: Any, padding: Any, extra: Any, dilation: Any) -> _Layout:
    """Canonical parameters with the sizes that they give."""
    sizes = _sizes(input.shape[-len(stride) :], weight.shape[2:], stride, padding, extra, dilation)
    return _Layout(stride, padding, extra, dilation, sizes)


def _sizes(
    size: Sequence[int], kernel: Sequence[int], stride: Sizes, padding: Sizes, extra: Sizes, dilation: Sizes
) -> Sizes:
    if any(e < 0 or (e >= s and e >= d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        words = " ".join(
            f"{name}{dim}: {value}"
            for name, values in (("output_padding", extra), ("stride", stride), ("dilation", dilation))
            for dim, value in zip(_WORDS[len(values)], values, strict=True)
        )
        raise ArgumentRuntimeError(f"output padding must be smaller than either stride or dilation, but got {words}")
    sizes = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, e, d in zip(size, kernel, stride, padding, extra, dilation, strict=True)
    )
    if min(sizes) < 1:
        raise ShapeError(
            f"Given input size per channel: ({' x '.join(map(str, size))}). Calculated output size per channel: "
            f"({' x '.join(map(str, sizes))}). Output size is too small"
        )
    return sizes


def _transposed(input: Tensor, weight: Tensor, bias: Tensor | None, groups: int, layout: _Layout) -> Tensor:
    """Spread a batch of inputs."""
    spatial = len(layout.stride)
    shape = (input.shape[0], weight.shape[1] * groups, *layout.sizes)
    rest = (layout.stride, layout.padding, layout.dilation, groups)
    if all(e < s for e, s in zip(layout.extra, layout.stride, strict=True)):
        out = _SPREADING[spatial](input, weight, shape, *rest)
    else:
        out = _with_wide_margin(input, weight, shape, groups, layout)
    return out if bias is None else out + bias.reshape((-1, *[1] * spatial))


def _with_wide_margin(input: Tensor, weight: Tensor, shape: Sequence[int], groups: int, layout: _Layout) -> Tensor:
    """A result whose output padding reaches the stride: more windows than there are inputs fit into it."""
    stride, padding, _, dilation, _ = layout
    none = (0,) * len(stride)
    whole_sizes = _sizes(input.shape[2:], weight.shape[2:], stride, none, none, dilation)
    spread = _SPREADING[len(stride)]
    whole = spread(input, weight, (*shape[:2], *whole_sizes), stride, none, dilation, groups)
    taken = [min(n - p, wanted) for n, p, wanted in zip(whole_sizes, padding, shape[2:], strict=True)]
    pattern = ((shape[0], 1), (shape[1], 1), *((n, 1) for n in taken))
    part = basic_index(whole, (0, 0, *padding), pattern=pattern)
    return basic_index_put(whole.new_zeros(shape), part, (0, 0, *none), pattern=pattern)


@op(
    canon=_canonical_as(1),
    samples=calls(
        call(Arg((2, 3, 4)), Arg((3, 4, 3)), Arg((4,))),
        call(Arg((2, 4, 3)), Arg((4, 2, 3)), None, 2, 1, 1, 2, 1),
        call(Arg((3, 4)), Arg((3, 2, 3)), dilation=2, output_padding=1),
        errors=(
            error(
                RuntimeError,
                "Given transposed=1, weight of size [3, 16, 3], expected input[1, 4, 8] to have 3 channels, but "
                "got 4",
                Arg((1, 4, 8)), Arg((3, 16, 3)),
            ),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 8)), Arg((3, 2, 3)), padding=9),
        ),
    ),
    agree=AGREE,
    backward_name="ConvolutionBackward0",
    autocast="lower",
)  # fmt: skip
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Transposed convolution of signals: what the gradient of conv1d does to the gradient of its result.

    Shapes: input (N, C, L) or (C, L), weight (C, O / groups, K), bias (O); the result has
    ``(L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1`` elements.
    """
    found = _layout(input, weight, stride, padding, output_padding, dilation)
    rows = _Layout((1, *found.stride), (0, *found.padding), (0, *found.extra), (1, *found.dilation), (1, *found.sizes))
    images = input.unsqueeze(-2) if input.ndim == 3 else input.unsqueeze(0).unsqueeze(-2)
    out = _transposed(images, weight.unsqueeze(-2), bias, groups, rows).squeeze(-2)
    return out if input.ndim == 3 else out.squeeze(0)


@op(
    canon=_canonical_as(2),
    samples=calls(
        call(Arg((2, 3, 4, 3)), Arg((3, 4, 3, 2)), Arg((4,))),
        call(Arg((2, 4, 3, 3)), Arg((4, 2, 3, 3)), None, 2, 1, 1, 2, 1),
        call(Arg((3, 4, 4)), Arg((3, 2, 3, 3)), None, (1, 2), (1, 0), (1, 1), 1, (2, 1)),
        errors=(
            error(
                RuntimeError,
                "Given transposed=1, weight of size [3, 16, 3, 3], expected input[1, 4, 8, 8] to have 3 "
                "channels, but got 4",
                Arg((1, 4, 8, 8)), Arg((3, 16, 3, 3)),
            ),
            error(
                RuntimeError, "output padding must be smaller than either stride or dilation",
                Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), stride=2, output_padding=2,
            ),
            error(RuntimeError, "Output size is too small", Arg((1, 3, 8, 8)), Arg((3, 2, 3, 3)), padding=9),
        ),
    ),
    agree=AGREE,
    backward_name="ConvolutionBackward0",
    autocast="lower",
)  # fmt: skip
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Transposed convolution of images: what the gradient of conv2d does to the gradient of its result.

    Shapes: input (N, C, H, W) or (C, H, W), weight (C, O / groups, KH, KW), bias (O); the result has
    ``(H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1`` rows.
    """
    layout = _layout(input, weight, stride, padding, output_padding, dilation)
    if input.ndim == 3:
        return _transposed(input.unsqueeze(0), weight, bias, groups, layout).squeeze(0)
    return _transposed(input, weight, bias, groups, layout)


@op(
    canon=_canonical_as(3),
    samples=calls(
        call(Arg((1, 2, 2, 3, 2)), Arg((2, 3, 2, 3, 2)), Arg((3,))),
        call(Arg((2, 4, 2, 2, 2)), Arg((4, 1, 2, 3, 2)), None, (1, 2, 2), (0, 1, 1), (0, 1, 0), 2, 1),
        call(Arg((2, 2, 3, 2)), Arg((2, 1, 2, 2, 2)), dilation=(2, 1, 2), output_padding=(1, 0, 1)),
        errors=(
            error(
                RuntimeError,
                "Given transposed=1, weight of size [3, 16, 3, 3, 3], expected input[1, 4, 8, 8, 8] to have 3 "
                "channels",
                Arg((1, 4, 8, 8, 8)), Arg((3, 16, 3, 3, 3)),
            ),
            error(
                RuntimeError, "output padding must be smaller than either stride or dilation",
                Arg((1, 3, 2, 2, 2)), Arg((3, 2, 2, 2, 2)), stride=2, output_padding=2,
            ),
        ),
    ),
    agree=AGREE,
    backward_name="ConvolutionBackward0",
    autocast="lower",
)  # fmt: skip
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Transposed convolution of volumes: what the gradient of conv3d does to the gradient of its result.

    Shapes: input (N, C, D, H, W) or (C, D, H, W), weight (C, O / groups, KD, KH, KW), bias (O); sizes as those
    of :func:`conv_transpose2d`.
    """
    layout = _layout(input, weight, stride, padding, output_padding, dilation)
    if input.ndim == 4:
        return _transposed(input.unsqueeze(0), weight, bias, groups, layout).squeeze(0)
    return _transposed(input, weight, bias, groups, layout)
