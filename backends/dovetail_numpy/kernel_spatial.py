"""Kernels of windows over volumes, of windows taken apart, and of resampling."""

from __future__ import annotations

from typing import Any, Final

from dovetail.backend import Call, KernelTable, ops
from dovetail_numpy import conv_volumes, folding, resampling
from dovetail_numpy.binding import enter

table: Final = KernelTable()


def _of_volumes(function: Any) -> Any:
    """Bind a function of batches of volumes with the same padding on both sides."""

    def bind(call: Call) -> Any:
        if call.inputs[0].ndim != 5 or len(call.statics["padding"]) != 3:
            return None
        statics = call.statics
        return lambda *arrays: function(*arrays, **statics)

    return bind


enter(
    table,
    {
        ops.conv3d: conv_volumes.conv3d,
        ops.conv3d_input_grad: conv_volumes.conv3d_input_grad,
        ops.conv3d_weight_grad: conv_volumes.conv3d_weight_grad,
    },
    _of_volumes,
    out=False,
)


def _of_images(dims: int, function: Any) -> Any:
    """Bind a function of a batch, which has ``dims`` dimensions."""

    def bind(call: Call) -> Any:
        if call.inputs[0].ndim != dims:
            return None
        statics = call.statics
        return lambda *arrays: function(*arrays, **statics)

    return bind


table.binder(ops.im2col)(_of_images(4, folding.im2col))
table.binder(ops.col2im)(_of_images(3, folding.col2im))

table.binder(ops.resample)(resampling.bind_forward)
table.binder(ops.resample_backward)(resampling.bind_backward)
