"""``custom_fwd`` and ``custom_bwd``: autocast around functions with a gradient of their own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from dovetail import dtypes
from dovetail.amp.block import autocast
from dovetail.amp.modes import get_autocast_dtype, is_autocast_enabled, type_of_device
from dovetail.tensor.tensor import Tensor

Function = Callable[..., Any]


def _converted(value: Any, device_type: str, dtype: dtypes.dtype) -> Any:
    """Convert the floating tensors of a device, also inside containers; float64 stays."""
    if isinstance(value, Tensor):
        there = value.device.type == device_type and value.is_floating_point() and value.dtype is not dtypes.float64
        return value.to(dtype) if there else value
    if isinstance(value, Mapping):
        return {key: _converted(entry, device_type, dtype) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_converted(entry, device_type, dtype) for entry in value)
    return value


def custom_fwd(fwd: Function | None = None, *, device_type: str, cast_inputs: dtypes.dtype | None = None) -> Function:
    """Decorate the ``forward`` of an :class:`autograd.Function` for use inside autocast blocks.

    With ``cast_inputs`` an enabled block gives the function its inputs in that type and is off inside it; without, the
    function runs under the state that it is called in, which :func:`custom_bwd` restores for its gradient.

    >>> import dovetail
    >>> class Wide(dovetail.autograd.Function):
    ...     @staticmethod
    ...     @custom_fwd(device_type="cpu", cast_inputs=dovetail.float32)
    ...     def forward(ctx, x):
    ...         return x.exp()
    ...     @staticmethod
    ...     @custom_bwd(device_type="cpu")
    ...     def backward(ctx, g):
    ...         return g
    >>> with dovetail.autocast("cpu"):
    ...     Wide.apply(dovetail.ones(1, dtype=dovetail.bfloat16)).dtype
    dovetail.float32
    """
    kind = type_of_device(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=kind, cast_inputs=cast_inputs)
    function = fwd

    @functools.wraps(function)
    def decorated(ctx: Any, *args: Any, **params: Any) -> Any:
        enabled = is_autocast_enabled(kind)
        ctx._dtype = get_autocast_dtype(kind)
        ctx._fwd_used_autocast = enabled and cast_inputs is None
        if not enabled or cast_inputs is None:
            return function(ctx, *args, **params)
        args = tuple(_converted(a, kind, cast_inputs) for a in args)
        params = {name: _converted(value, kind, cast_inputs) for name, value in params.items()}
        with autocast(kind, enabled=False):
            return function(ctx, *args, **params)

    return decorated


def custom_bwd(bwd: Function | None = None, *, device_type: str) -> Function:
    """Decorate the ``backward`` of such a function: it runs under the autocast state of its ``forward``."""
    kind = type_of_device(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=kind)
    function = bwd

    @functools.wraps(function)
    def decorated(ctx: Any, *args: Any) -> Any:
        with autocast(kind, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return function(ctx, *args)

    return decorated
