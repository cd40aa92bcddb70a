"""Images and volumes read at places that a grid gives, and the grids of affine maps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dovetail import ops
from dovetail.errors import ArgumentError, UnsupportedError

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor

_MODES: Final = ("bilinear", "nearest", "bicubic")
_PADDINGS: Final = ("zeros", "border", "reflection")


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return the input read at the places of a grid, whose coordinates go from -1 to 1 over the input.

    Shapes: input (N, C, H, W) and grid (N, OH, OW, 2) of (x, y) give (N, C, OH, OW); input (N, C, D, H, W) and grid
    (N, OD, OH, OW, 3) of (x, y, z) give (N, C, OD, OH, OW). ``mode`` is "bilinear", "nearest" or, for images,
    "bicubic"; outside is 0 ("zeros"), the nearest pixel ("border") or the mirror image ("reflection").

    >>> import dovetail
    >>> x = dovetail.arange(4.0).reshape(1, 1, 2, 2)
    >>> dovetail.nn.functional.grid_sample(x, dovetail.zeros(1, 1, 1, 2), align_corners=False)
    tensor([[[[1.5000]]]])
    """
    if mode not in _MODES:
        raise ArgumentError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ArgumentError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    corners = _told(align_corners)
    return ops.grid_sampler(input, grid, _MODES.index(mode), _PADDINGS.index(padding_mode), corners)


def _told(align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=3,
        )
    return bool(align_corners)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the grid that :func:`grid_sample` reads for affine maps ``theta``.

    Shapes: theta (N, 2, 3) and size (N, C, H, W) give (N, H, W, 2); theta (N, 3, 4) and size (N, C, D, H, W) give
    (N, D, H, W, 3).
    """
    corners = _told(align_corners)
    if not theta.is_floating_point():
        raise ArgumentError(f"Expected theta to have floating point type, but got {theta.dtype!r}")
    sizes = tuple(size)
    if len(sizes) not in (4, 5):
        raise UnsupportedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{sizes}."
        )
    dims = len(sizes) - 2
    if theta.dim() != 3 or tuple(theta.shape[-2:]) != (dims, dims + 1):
        raise ArgumentError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size {sizes}. Got "
            f"{theta.shape}."
        )
    if min(sizes) <= 0:
        raise ArgumentError(f"Expected non-zero, positive output size. Got {sizes}")
    return ops.affine_grid_generator(theta, sizes, corners)
