"""Unpooling: values put back where max pooling found them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.nn.functional.sizes import repeated

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


def _output_size(
    input: Tensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    wanted: Sequence[int] | None,
) -> tuple[int, ...]:
    """Return the sizes that pooling would have come from, or the wanted ones if it may have."""
    dims = len(kernel)
    usual = tuple(
        (n - 1) * s + k - 2 * p for n, k, s, p in zip(input.shape[-dims:], kernel, stride, padding, strict=True)
    )
    if wanted is None:
        return usual
    given = tuple(wanted[2:]) if len(wanted) == dims + 2 else tuple(wanted)
    if len(given) != dims:
        raise ArgumentError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it has a length of "
            f"'{len(given)}'"
        )
    for d, (size, n, s) in enumerate(zip(given, usual, stride, strict=True)):
        if not n - s < size < n + s:
            raise ArgumentError(f'invalid output_size "{given}" (dim {d} must be between {n - s} and {n + s})')
    return given


def _unpool(
    dims: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None,
    padding: int | Sequence[int],
    output_size: Sequence[int] | None,
) -> Tensor:
    kernel = repeated(kernel_size, dims)
    steps = kernel if stride is None else repeated(stride, dims)
    sizes = _output_size(input, kernel, steps, repeated(padding, dims), output_size)
    if dims > 1:
        return ops.max_unpool(input, indices, sizes)
    rows = ops.max_unpool(input.unsqueeze(-1), indices.unsqueeze(-1), (*sizes, 1))
    return rows.squeeze(-1)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return the values of (N, C, L) or (C, L) where their maxima were, as :func:`max_unpool2d` does."""
    return _unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return the values of (N, C, H, W) or (C, H, W) at the positions where their maxima were.

    ``indices`` are those that max pooling returned; everywhere else is 0. ``output_size``, with or without batch
    and channels, chooses among the sizes that the pooling may have had before it.
    """
    return _unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Return the values of (N, C, D, H, W) or (C, D, H, W) where their maxima were, as :func:`max_unpool2d` does."""
    return _unpool(3, input, indices, kernel_size, stride, padding, output_size)
