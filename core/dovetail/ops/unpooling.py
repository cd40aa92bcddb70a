"""Unpooling: values put back where the maxima were found, zeros everywhere else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentRuntimeError, DovetailError, DtypeError, ShapeError
from dovetail.ops.definition import ValueCheck, op
from dovetail.ops.gathering import gather, scatter_elements
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def _outside(input: Tensor, indices: Tensor, *, sizes: Shape) -> Tensor:
    return ((indices < 0) | (indices >= math.prod(sizes))).any()


def _outside_error(input: Tensor, indices: Tensor, *, sizes: Shape) -> DovetailError:
    values = host_values(indices)
    bad = values[(values < 0) | (values >= math.prod(sizes))]
    first = int(bad.flat[0]) if bad.size else int(np.max(values))
    return ArgumentRuntimeError(
        f"Found an invalid max index: {first} (output volumes are of size {'x'.join(map(str, sizes))})"
    )


def _unpooled(input: Spec, indices: Spec, *, sizes: Shape) -> Shape:
    dims = len(sizes)
    if input.ndim not in (dims + 1, dims + 2):
        raise ShapeError(
            f"Input to max_unpooling{dims}d should be a {dims + 1}d or {dims + 2}d Tensor, but got a tensor with "
            f"{input.ndim} dimensions."
        )
    if indices.dtype is not dtypes.int64:
        raise DtypeError(f"elements in indices should be type int64 but got: {indices.dtype.legacy_name}")
    if tuple(indices.shape) != tuple(input.shape):
        raise ShapeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )
    return (*input.shape[:-dims], *sizes)


def flat(planes: Tensor, dims: int) -> Tensor:
    """Each plane or volume as one row."""
    return planes.reshape((*planes.shape[:-dims], math.prod(planes.shape[-dims:])))


@op(
    shape=_unpooled,
    dtype=rules.require_floating("max_unpool"),
    internal=True,
    checks=(ValueCheck(_outside, _outside_error),),
    samples=calls(
        call(Arg((1, 2, 2)), Arg((1, 2, 2), dtype="int64", values=[0, 3, 9, 15]), (4, 4)),
        call(Arg((1, 1, 3)), Arg((1, 1, 3), dtype="int64", values=[4, 0, 2]), (1, 5)),
        call(Arg((1, 1, 1, 1, 2)), Arg((1, 1, 1, 1, 2), dtype="int64", values=[3, 7]), (2, 2, 2)),
        errors=(
            error(
                RuntimeError,
                "Found an invalid max index: 16 (output volumes are of size 4x4)",
                Arg((1, 1, 2)), Arg((1, 1, 2), dtype="int64", values=[16, 0]), (4, 4),
            ),
            error(
                RuntimeError,
                "Expected shape of indices to be same as that of the input tensor",
                Arg((1, 2, 2)), Arg((1, 1, 2), dtype="int64", values=[1, 0]), (4, 4),
            ),
        ),
    ),
    agree=Agree.exact(),
    autocast={"cpu": "float32"},
)  # fmt: skip
def max_unpool(input: Tensor, indices: Tensor, sizes: Shape) -> Tensor:
    """Each value at its position in a plane or volume of ``sizes``; of repeated positions the last one counts."""
    dims = len(sizes)
    lead = input.shape[:-dims]
    ground = input.new_zeros((*lead, math.prod(sizes)))
    found = scatter_elements(ground, -1, flat(indices, dims), flat(input, dims))
    return found.reshape((*lead, *sizes))


def _picked(g: Tensor, indices: Tensor, *, sizes: Shape) -> Any:
    dims = len(sizes)
    return gather(flat(g, dims), -1, flat(indices, dims)).reshape(indices.shape)


max_unpool.vjp(input=_picked)
