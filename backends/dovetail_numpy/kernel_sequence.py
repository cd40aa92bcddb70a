"""Kernels of sequence models, bound to their ops: recurrent networks and attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail.backend import Call, KernelTable, ops
from dovetail_numpy import recurrent
from dovetail_numpy.binding import enter
from dovetail_numpy.precision import narrow

table: Final = KernelTable()


def _rounded(function: Callable[..., Any]) -> Callable[[Call], Callable[..., Any]]:
    """Bind a function that computes in float32 where its inputs have 16 bits; every result is rounded once."""

    def bind(call: Call) -> Callable[..., Any]:
        statics = call.statics
        hosts = [np.dtype(spec.dtype.host) for spec in call.outputs]
        plain = all(host == hosts[0] for host in hosts) and hosts[0].itemsize > 2

        def kernel(*arrays: Any) -> Any:
            found = function(*arrays, **statics)
            if plain:
                return found
            return tuple(narrow(array, host) for array, host in zip(found, hosts, strict=True))

        return kernel

    return bind


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
