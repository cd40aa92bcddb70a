"""Convolution and pooling under XLA; all other ops of networks are one kernel each through their decompositions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

table: Final = KernelTable()
Kernel = Callable[..., Any]
LAYOUTS: Final = {2: ("NCHW", "OIHW", "NCHW"), 3: ("NCDHW", "OIDHW", "NCDHW")}


def _convolution(call: Call) -> Kernel | None:
    """The convolution of one call without bias; None where its operands are not batches of floats.

    16-bit results are in float32 still: whoever calls rounds once, at the very end.
    """
    statics = call.statics
    spatial = len(statics["stride"])
    if len(statics["padding"]) != spatial or call.output.dtype.category < dtypes.FLOATING:
        return None
    if call.inputs[0].ndim != spatial + 2:
        return None
    half = call.output.dtype.itemsize == 2

    def convolve(x: Array, weight: Array) -> Array:
        if half:
            x, weight = x.astype(jnp.float32), weight.astype(jnp.float32)
        return lax.conv_general_dilated(
            x,
            weight,
            window_strides=statics["stride"],
            padding=[(amount, amount) for amount in statics["padding"]],
            rhs_dilation=statics["dilation"],
            dimension_numbers=LAYOUTS[spatial],
            feature_group_count=statics["groups"],
            precision="highest",
        )

    return convolve


def _wide(call: Call) -> Any:
    """The result as it is computed: in float32 where it has 16 bits."""
    host = call.output.dtype.host
    return jax.ShapeDtypeStruct(tuple(call.output.shape), jnp.float32 if host.itemsize == 2 else host)


@table.binder(ops.conv2d, ops.conv3d)
def _conv(call: Call) -> Kernel | None:
    convolve = _convolution(call)
    if convolve is None:
        return None

    def kernel(x: Array, weight: Array, bias: Array | None) -> Array:
        found = convolve(x, weight)
        return (found if bias is None else found + bias.reshape(-1, *[1] * (x.ndim - 2))).astype(x.dtype)

    return kernel


@table.binder(ops.conv2d_input_grad, ops.conv3d_input_grad)
def _conv_input_grad(call: Call) -> Kernel | None:
    convolve = _convolution(call)
    if convolve is None:
        return None
    like = _wide(call)

    def kernel(g: Array, weight: Array) -> Array:
        (found,) = jax.linear_transpose(lambda x: convolve(x, weight), like)(g.astype(like.dtype))
        return found.astype(g.dtype)

    return kernel


@table.binder(ops.conv2d_weight_grad, ops.conv3d_weight_grad)
def _conv_weight_grad(call: Call) -> Kernel | None:
    convolve = _convolution(call)
    if convolve is None:
        return None
    like = _wide(call)

    def kernel(g: Array, x: Array) -> Array:
        (found,) = jax.linear_transpose(lambda w: convolve(x, w), like)(g.astype(like.dtype))
        return found.astype(g.dtype)

    return kernel


@table.binder(ops.max_pool2d_with_indices)
def _max_pool2d(call: Call) -> Kernel | None:
    """The taps of every window side by side: the first largest of them, of NaNs the last."""
    source = call.inputs[0]
    if source.ndim != 4 or not source.dtype.is_floating_point:
        return None
    s = call.statics
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = s["kernel_size"], s["stride"], s["padding"], s["dilation"]
    rows, columns = call.output.shape[2:]
    height, width = source.shape[2:]
    below = max((rows - 1) * sh + (kh - 1) * dh + 1 - height - ph, 0)
    right = max((columns - 1) * sw + (kw - 1) * dw + 1 - width - pw, 0)

    def taps(x: Array, fill: Any) -> Array:
        padded = jnp.pad(x, ((0, 0), (0, 0), (ph, below), (pw, right)), constant_values=fill)
        found = [
            lax.slice(
                padded,
                (0, 0, i * dh, j * dw),
                (*padded.shape[:2], i * dh + (rows - 1) * sh + 1, j * dw + (columns - 1) * sw + 1),
                (1, 1, sh, sw),
            )
            for i in range(kh)
            for j in range(kw)
        ]
        return jnp.stack(found)

    def kernel(x: Array) -> tuple[Array, Array]:
        values = taps(x, -jnp.inf)
        places = jnp.arange(height * width, dtype=jnp.int64).reshape(1, 1, height, width)
        real = jnp.broadcast_to(taps(places, -1), values.shape)
        best = jnp.argmax(values, axis=0)
        nans = jnp.isnan(values)
        best = jnp.where(nans.any(axis=0), len(values) - 1 - jnp.argmax(nans[::-1], axis=0), best)
        padded = jnp.take_along_axis(real, best[None], axis=0)[0] < 0
        best = jnp.where(padded, jnp.argmax(real >= 0, axis=0), best)  # of a window of -inf the first real element
        return jnp.take_along_axis(values, best[None], axis=0)[0], jnp.take_along_axis(real, best[None], axis=0)[0]

    return kernel
