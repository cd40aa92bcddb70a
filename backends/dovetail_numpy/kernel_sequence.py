"""Kernels of sequence models, bound to their ops: recurrent networks and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Call, KernelTable, dtypes, ops
from dovetail_numpy import attention, recurrent
from dovetail_numpy.binding import enter
from dovetail_numpy.precision import narrow

table: Final = KernelTable()


def _kernel(call: Call, function: Callable[..., Any], **statics: Any) -> Callable[..., Any]:
    """Call a function that computes in float32 where its inputs have 16 bits; every result is rounded once."""
    hosts = [np.dtype(spec.dtype.host) for spec in call.outputs]
    if all(host == hosts[0] for host in hosts) and hosts[0].itemsize > 2:
        return lambda *arrays: function(*arrays, **statics)

    def kernel(*arrays: Any) -> Any:
        found = function(*arrays, **statics)
        return tuple(narrow(array, host) for array, host in zip(found, hosts, strict=True))

    return kernel


def _rounded(function: Callable[..., Any]) -> Callable[[Call], Callable[..., Any]]:
    """Bind a function of the op's own parameters."""
    return lambda call: _kernel(call, function, **call.statics)


enter(
    table,
    {
        ops.rnn_scan: recurrent.rnn,
        ops.rnn_scan_backward: recurrent.rnn_backward,
        ops.lstm_scan: recurrent.lstm,
        ops.lstm_scan_backward: recurrent.lstm_backward,
        ops.gru_scan: recurrent.gru,
        ops.gru_scan_backward: recurrent.gru_backward,
    },
    _rounded,
    out=False,
)


@table.binder(ops.attention)
def _attention(call: Call) -> Callable[..., Any]:
    statics = dict(call.statics)
    scores = tuple(call.outputs[1].shape)
    causal = attention.future(scores[-2], scores[-1], call.outputs[1].dtype.host) if statics.pop("is_causal") else None
    return _kernel(call, attention.attention, causal=causal, scores=scores, **statics)


@table.binder(ops.attention_backward)
def _attention_backward(call: Call) -> Callable[..., Any]:
    statics = {name: call.statics[name] for name in ("scale", "dropout_p")}
    mask: Any = call.inputs[4]  # None where there is no mask
    added = mask is not None and mask.dtype is not dtypes.bool_
    return _kernel(call, attention.attention_backward, mask_grad=added, **statics)
