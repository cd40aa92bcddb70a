"""Pooling of volumes: of the layers as images, then of what is left along the depth."""

from __future__ import annotations

import math
from typing import Any, Final

from dovetail import dtypes
from dovetail.errors import DtypeError, ShapeError
from dovetail.ops.average_pooling import average_windows, avg_pool2d, divisors
from dovetail.ops.definition import op
from dovetail.ops.gathering import gather
from dovetail.ops.max_pooling import max_pool2d, max_pool2d_with_indices
from dovetail.ops.pooling import Size, canonical_windows, columned, layered
from dovetail.ops.precision import wider
from dovetail.record.agree import Agree, Growth
from dovetail.record.samples import Arg, Sample, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_MAX_CASES: Final[tuple[Sample, ...]] = (
    call(Arg((2, 2, 4, 4, 5), distinct=True), 2),
    call(Arg((1, 2, 5, 4, 6), distinct=True), (3, 2, 2), (2, 1, 2), (1, 0, 1), (1, 2, 1)),
    call(Arg((2, 5, 3, 4), distinct=True), 3, 2, 1, ceil_mode=True),
    call(Arg((0, 2, 3, 3, 3)), 2),
    call(Arg((1, 1, 2, 1, 4), values=[1.0, math.nan, 2.0, 2.0, math.nan, 1.0, 1.0, 2.0]), (2, 1, 2), grad=False),
)
_MAX_ERRORS: Final = (
    error(RuntimeError, "non-empty 4D or 5D (batch mode) tensor expected for input", Arg((8, 8, 8)), 2),
    error(RuntimeError, "pad should be at most half of effective kernel size", Arg((1, 3, 4, 4, 4)), 3, padding=2),
    error(RuntimeError, "Calculated output size: (3x0x0x0). Output size is too small", Arg((1, 3, 2, 2, 2)), 3),
    error(RuntimeError, "a single int, or a tuple of three ints", Arg((1, 3, 4, 4, 4)), (2, 2)),
    error(RuntimeError, "dilationT: 0 dilationH: 0 dilationW: 0", Arg((1, 3, 4, 4, 4)), 2, dilation=0),
)


def _max_windows(input: Spec, **statics: Any) -> dict[str, Any]:
    if input.dtype is dtypes.bool_:
        raise DtypeError("\"max_pool3d\" not implemented for 'Bool' (convert first: x.float())")
    return canonical_windows("max_pool3d", input, statics, 3)


def _along(depth: bool, **words: Any) -> dict[str, Any]:
    """The parameters of one of the two steps."""
    if not depth:
        return {key: value[1:] if isinstance(value, tuple) else value for key, value in words.items()}
    whole = {"padding": 0}
    return {key: (value[0], whole.get(key, 1)) if isinstance(value, tuple) else value for key, value in words.items()}


def _shaped(columns: Tensor, layers: Tensor, input: Tensor) -> Tensor:
    return columns.reshape((*input.shape[:-3], columns.shape[2], *layers.shape[2:]))


@op(
    canon=_max_windows,
    samples=calls(*_MAX_CASES, errors=_MAX_ERRORS),
    agree=Agree.exact(signed_zero=False),
    backward_name="MaxPool3DWithIndicesBackward0",
    autocast={"cpu": "float32"},
)
def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window of volumes (N, C, D, H, W) or (C, D, H, W); NaN where a window has one.

    >>> import dovetail
    >>> dovetail.max_pool3d(dovetail.ones(1, 4, 4, 4), 2).shape
    dovetail.Size([1, 2, 2, 2])
    """
    words: dict[str, Any] = {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
        "ceil_mode": ceil_mode,
    }  # fmt: skip
    layers = max_pool2d(layered(input), **_along(False, **words))
    return _shaped(max_pool2d(columned(layers), **_along(True, **words)), layers, input)


@op(
    canon=_max_windows,
    samples=calls(*_MAX_CASES, errors=_MAX_ERRORS),
    agree=Agree.exact(signed_zero=False),
    backward_name="MaxPool3DWithIndicesBackward0",
)
def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest element of each window, and its position in the volume: of equal ones the first."""
    words: dict[str, Any] = {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation,
        "ceil_mode": ceil_mode,
    }  # fmt: skip
    layers, inside = max_pool2d_with_indices(layered(input), **_along(False, **words))
    columns, chosen = max_pool2d_with_indices(columned(layers), **_along(True, **words))
    pixels = math.prod(layers.shape[2:])
    flat = chosen.reshape((chosen.shape[0], math.prod(chosen.shape[1:])))
    found = gather(inside.reshape((inside.shape[0], inside.shape[1] * pixels)), 1, flat)
    indices = (flat // pixels) * math.prod(input.shape[-2:]) + found
    return _shaped(columns, layers, input), _shaped(indices.reshape(chosen.shape), layers, input)


def _mean_windows(input: Spec, **statics: Any) -> dict[str, Any]:
    if not input.dtype.is_floating_point:
        raise DtypeError(f"\"avg_pool3d_out_frame\" not implemented for '{input.dtype.legacy_name}'")
    try:
        return average_windows("avg_pool3d", 3, input, statics)
    except ShapeError as refusal:
        if "too small" not in str(refusal):
            raise
        words = "input image (T: {} H: {} W: {}) smaller than kernel size (kT: {} kH: {} kW: {})"
        kernel = statics["kernel_size"]
        sizes = (kernel,) * 3 if isinstance(kernel, int) else kernel
        raise ShapeError(f"{words.format(*input.shape[-3:], *sizes)}. {refusal}") from None


@op(
    canon=_mean_windows,
    samples=calls(
        call(Arg((2, 2, 4, 4, 5)), 2),
        call(Arg((1, 2, 5, 4, 3)), (3, 2, 1), (2, 1, 1), (1, 0, 0)),
        call(Arg((2, 5, 4, 3)), 3, 2, 1, True, False),
        call(Arg((2, 5, 4, 3)), 3, 2, 1, True),
        call(Arg((1, 1, 4, 4, 4)), 2, divisor_override=3),
        call(Arg((0, 2, 3, 3, 3)), 2),
        errors=(
            error(RuntimeError, "divisor must be not zero", Arg((1, 3, 4, 4, 4)), 2, divisor_override=0),
            error(RuntimeError, "pad should be at most half of", Arg((1, 3, 4, 4, 4)), 3, padding=2),
            error(RuntimeError, "smaller than kernel size (kT: 3 kH: 3 kW: 3)", Arg((1, 3, 2, 2, 2)), 3),
            error(RuntimeError, "not implemented for 'Int'", Arg((1, 3, 4, 4, 4), dtype="int32"), 2),
        ),
    ),
    agree=Agree.terms(k=Growth(linear=1, plus=2)),
    autocast={"cpu": "float32"},
)
def avg_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W); options as those of :func:`avg_pool2d`."""
    windows: dict[str, Any] = {
        "kernel_size": kernel_size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode,
    }  # fmt: skip
    layers = avg_pool2d(layered(input.to(wider(input.dtype))), **_along(False, **windows), divisor_override=1)
    columns = avg_pool2d(columned(layers), **_along(True, **windows), divisor_override=1)
    total = _shaped(columns, layers, input)
    count = divisors(
        total, input.shape[-3:], **windows, count_include_pad=count_include_pad, divisor_override=divisor_override
    )
    return (total / count).to(input.dtype)  # type: ignore[no-any-return]  # a tensor divided is one
