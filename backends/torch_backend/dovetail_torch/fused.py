"""PyTorch's own functions for whole ops, in place of what they are composed of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from dovetail.backend import Array, Call, KernelTable, dtypes, ops

Kernel = Callable[..., Any]


def extend(table: KernelTable) -> None:
    """Add the kernels of this module."""
    table(ops.relu)(torch.relu)
    table(ops.relu_backward)(lambda grad, output: torch.where(output <= 0, 0.0, grad))
    table(ops.erf)(torch.erf)
    table(ops.erfc)(torch.erfc)
    for op, function in ((ops.sigmoid, torch.sigmoid), (ops.sinh, torch.sinh), (ops.cosh, torch.cosh)):
        table.binder(op)(_away_from_overflow(function))
    table(ops.trunc)(_of_floats(torch.trunc))
    table(ops.linear)(functional.linear)
    _softmax(table)
    _positions(table)
    _convolutions(table)


def _of_floats(function: Kernel) -> Kernel:
    return lambda x: function(x) if x.is_floating_point() else x


def _away_from_overflow(function: Kernel) -> Callable[[Call], Kernel | None]:
    """In float64 for float32: PyTorch's form loses results where exp(|x|) overflows, which float64 does far beyond.

    In float64 the op's decomposition takes care of that.
    """

    def in_double(x: Array) -> Array:
        return function(x.to(torch.float64)).to(torch.float32)

    return lambda call: in_double if call.output.dtype is dtypes.float32 else None


def _softmax(table: KernelTable) -> None:
    @table.binder(ops.softmax)
    def softmax(call: Call) -> Kernel | None:
        dim = call.statics["dim"]
        return (lambda x: torch.softmax(x, dim)) if call.inputs[0].dtype is call.output.dtype else None

    @table.binder(ops.log_softmax)
    def log_softmax(call: Call) -> Kernel | None:
        dim = call.statics["dim"]
        return (lambda x: torch.log_softmax(x, dim)) if call.inputs[0].dtype is call.output.dtype else None


def _positions(table: KernelTable) -> None:
    """Reading at positions, ordering, and writing where the order of writes is fixed: on the CPU."""

    @table(ops.embedding)
    def embedding(indices: Array, weight: Array, padding_idx: int | None) -> Array:
        return functional.embedding(indices, weight)

    @table(ops.gather)
    def gather(x: Array, index: Array, dim: int) -> Array:
        return torch.gather(x, dim, index) if x.ndim else x.expand(index.shape)

    @table(ops.argsort)
    def argsort(x: Array, dim: int, descending: bool, stable: bool) -> Array:
        return torch.argsort(x, dim=dim, descending=descending, stable=True)

    def on_the_cpu(op: Any, function: Kernel) -> None:
        before = table.get(op.record.name)
        assert before is not None, "the standard composes it"
        table.binder(op)(
            lambda call: partial(function, **call.statics) if call.device.type == "cpu" else _bound(before, call)
        )

    def index_add(x: Array, index: Array, source: Array, dim: int) -> Array:
        return torch.index_add(x, dim, index.reshape(-1), source) if x.ndim else x + source

    on_the_cpu(ops.index_add, index_add)


def _bound(kernel: Any, call: Call) -> Any:
    if kernel.binder:
        return kernel.fn(call)
    return partial(kernel.fn, **call.statics)


def _convolutions(table: KernelTable) -> None:
    @table.binder(ops.conv2d)
    def conv2d(call: Call) -> Kernel | None:
        if not call.output.size:
            return None  # PyTorch refuses images without elements
        words = dict(call.statics)
        if len(words["padding"]) == 2:
            return lambda x, weight, bias: functional.conv2d(x, weight, bias, **words)
        top, bottom, left, right = words.pop("padding")
        around = (left, right, top, bottom)
        return lambda x, weight, bias: functional.conv2d(functional.pad(x, around), weight, bias, **words)
