"""Images, sequences and volumes made larger or smaller."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from dovetail import dtypes, ops
from dovetail.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from dovetail.ops.resampling_taps import Sampling, output_size

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

Size = int | Sequence[int]
Factor = float | Sequence[float]

_KINDS: Final = {
    "nearest": ("nearest", (1, 2, 3)),
    "nearest-exact": ("nearest-exact", (1, 2, 3)),
    "linear": ("linear", (1,)),
    "bilinear": ("linear", (2,)),
    "bicubic": ("cubic", (2,)),
    "trilinear": ("linear", (3,)),
    "lanczos": ("lanczos", (2,)),
    "area": ("area", (1, 2, 3)),
}
"""What each mode does along a dimension, and for how many dimensions it is."""
_ALIGNABLE: Final = ("linear", "bilinear", "bicubic", "trilinear")
_FILTERED: Final = ("bilinear", "bicubic", "lanczos")


def interpolate(
    input: Tensor,
    size: Size | None = None,
    scale_factor: Factor | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return the input with other spatial sizes: ``size``, or ``scale_factor`` times its own.

    Shapes: input (N, C, L), (N, C, H, W) or (N, C, D, H, W). ``mode`` is "nearest", "nearest-exact", "area" for all
    of them, "linear" for sequences, "bilinear" and "bicubic" for images, "trilinear" for volumes, and "lanczos" for
    images with ``antialias``. ``align_corners`` puts the centres of the corner pixels at the same places;
    ``antialias`` widens the filter where the result is smaller. Positions follow a given ``scale_factor``, unless
    ``recompute_scale_factor`` takes it from the sizes.

    >>> import dovetail
    >>> x = dovetail.tensor([[[0.0, 2.0, 4.0]]])
    >>> dovetail.nn.functional.interpolate(x, size=5, mode="linear", align_corners=True)
    tensor([[[0., 1., 2., 3., 4.]]])
    """
    if input.dim() not in (3, 4, 5):
        raise UnsupportedError(_unknown(input, mode))
    corners = _aligned(mode, align_corners)
    sizes, factors = _sizes(input, size, scale_factor)
    if recompute_scale_factor and size is not None:
        raise ArgumentError("recompute_scale_factor is not meaningful with an explicit size.")
    if recompute_scale_factor or mode == "area":
        factors = None
    if antialias and not (mode in _FILTERED and input.dim() == 4):
        raise ArgumentError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input"
        )
    _check_mode(input, mode, corners, antialias)
    if mode == "area":
        pool: Any = (ops.adaptive_avg_pool1d, ops.adaptive_avg_pool2d, ops.adaptive_avg_pool3d)[len(sizes) - 1]
        return pool(input, sizes)  # type: ignore[no-any-return]  # an op returns a tensor
    _check_sizes(input, sizes)
    return _resampled(input, sizes, factors, _KINDS[mode][0], corners, antialias)


def _aligned(mode: str, align_corners: bool | None) -> bool:
    if align_corners is not None and mode not in (*_ALIGNABLE, "lanczos"):
        raise ArgumentError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if mode == "lanczos" and align_corners:
        raise ArgumentError("Lanczos mode does not support align_corners=True")
    return bool(align_corners)


def _sizes(input: Tensor, size: Size | None, scale_factor: Factor | None) -> tuple[list[int], list[float] | None]:
    """The sizes of the result, and the factors where they were given."""
    dims = input.dim() - 2
    given = list(input.shape[2:])
    if size is not None and scale_factor is not None:
        raise ArgumentError("only one of size or scale_factor should be defined")
    if size is not None:
        wanted = list(size) if isinstance(size, Sequence) else [size] * dims
        if len(wanted) != dims:
            raise ArgumentError(_mismatch(given, f"output size of {size}", "output size in (o1, o2, ...,oK)"))
        if not all(hasattr(n, "__index__") for n in wanted):
            raise ArgumentTypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got size "
                f"with types {[type(n) for n in wanted]}"
            )
        return [n.__index__() for n in wanted], None
    if scale_factor is None:
        raise ArgumentError("either size or scale_factor should be defined")
    factors = list(scale_factor) if isinstance(scale_factor, Sequence) else [scale_factor] * dims
    if any(isinstance(f, str) for f in factors):
        raise ArgumentTypeError(f"expected scale_factor to be a number or numbers, but got {scale_factor!r}")
    if len(factors) != dims:
        words = _mismatch(given, f"scale_factor of shape {scale_factor}", "scale_factor in (s1, s2, ...,sK)")
        raise ArgumentError(words.replace("Input and output", "Input and scale_factor"))
    return [output_size(n, f) for n, f in zip(given, factors, strict=True)], [float(f) for f in factors]


def _mismatch(given: list[int], got: str, wanted: str) -> str:
    return (
        "Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of "
        f"{given} and {got}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and {wanted} format."
    )


def _check_mode(input: Tensor, mode: str, corners: bool, antialias: bool) -> None:
    dims = input.dim() - 2
    kind, allowed = _KINDS.get(mode, ("", ()))
    if dims in allowed:
        if mode == "lanczos" and not antialias:
            raise ArgumentError("Lanczos mode requires antialias=True")
        return
    if dims in (1, 2, 3) and kind == "linear":
        raise UnsupportedError(f"Got {dims + 2}D input, but {mode} mode needs {allowed[0] + 2}D input")
    raise UnsupportedError(_unknown(input, mode))


def _unknown(input: Tensor, mode: str) -> str:
    return (
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the modes: nearest | linear "
        f"| bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got {mode})"
    )


def _check_sizes(input: Tensor, sizes: list[int]) -> None:
    given = list(input.shape[2:])
    if min(*given, *sizes) < 1:
        names = "DHW"[-len(sizes) :]
        before, after = (
            ", ".join(f"{name}: {n}" for name, n in zip(names, values, strict=True)) for values in (given, sizes)
        )
        raise ShapeError(f"Input and output sizes should be greater than 0, but got input ({before}) output ({after})")
    if not input.shape[1]:
        raise ShapeError(
            f"Non-empty {input.dim()}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )


def _resampled(
    input: Tensor, sizes: list[int], factors: list[float] | None, kind: str, corners: bool, antialias: bool
) -> Tensor:
    """Every dimension after the other: the last one first, as its elements lie side by side."""
    dtype = input.dtype
    exact = kind.startswith("nearest")
    through = not exact and (dtype.itemsize == 2 or dtype is dtypes.uint8)
    found = input.to(dtypes.float32) if through else input
    for d in reversed(range(len(sizes))):
        before, after = input.shape[d + 2], sizes[d]
        factor = None if factors is None else factors[d]
        if kind == "nearest" and len(sizes) == 2 and after in (before, 2 * before):
            factor = None  # PyTorch decides by the sizes here, in two dimensions alone
        if before == after and (antialias or kind == "linear" or factor in (None, 1.0)):
            continue  # the same elements; also where a factor such as 1.3 does not reach the next size
        how = Sampling(kind, before, after, corners, factor, antialias, dtype is not dtypes.float64)
        found = ops.resample(found, d + 2, tuple(how))
    if found is input:
        return input.clone()
    if dtype is dtypes.uint8 and through:
        found = found.round().clamp(0, 255)
    return found.to(dtype)


def upsample(
    input: Tensor,
    size: Size | None = None,
    scale_factor: Factor | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Return :func:`interpolate` under its former name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Size | None = None, scale_factor: Factor | None = None) -> Tensor:
    """Return :func:`interpolate` by the nearest element, under its former name."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Size | None = None, scale_factor: Factor | None = None) -> Tensor:
    """Return :func:`interpolate` between the nearest pixels with aligned corners, under its former name."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
