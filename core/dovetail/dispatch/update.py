"""Several tensors updated in place by one op: an optimizer's step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.dispatch import spans, state
from dovetail.dispatch.aliasing import assign, raw, stale
from dovetail.dispatch.binding import prepare
from dovetail.dispatch.call import execute
from dovetail.dispatch.ownership import owns
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.contract.backend import Backend
    from dovetail.dispatch.plan import Plan
    from dovetail.record.op import Op


def update(op: Op, *inputs: Any, **statics: Any) -> None:
    """Run a functional op and write its results into the inputs that its record says are updated.

    Nothing is recorded. A kernel that takes ``out=`` gets the targets' own arrays (copies of those that somebody else
    holds too), both as inputs and as ``out``, and updates them without temporaries.
    """
    plan, tensors = prepare(op, inputs, statics)
    targets = [i for i in op.updates if tensors[i] is not None]
    written = [tensors[i] for i in targets]
    tracing = state.tracing.get() if state.state.special else None
    kernel = None if tracing is not None or plan.casts or plan.checks or plan.decompose else plan.out_kernel
    if kernel is not None and all(_is_base(t) for t in written):
        _in_place(plan, kernel, tensors, targets)
        return
    results = execute(plan, tensors)
    results = results if isinstance(results, tuple) else (results,)
    for target, result in zip(written, results, strict=True):
        raw(result)
        assign(target, result, recording=False)


def _is_base(t: Tensor) -> bool:
    """Whether the tensor's array is its storage's: itself plain, or looked at by views."""
    raw(t)
    return t._alias is None or not t._alias.steps


def _in_place(plan: Plan, kernel: Any, tensors: Sequence[Any], targets: Sequence[int]) -> None:
    runtime = plan.device.runtime
    arrays = [None if i in targets or x is None else raw(x) for i, x in enumerate(tensors)]
    out = [_take(tensors[i], runtime) for i in targets]
    for i, array in zip(targets, out, strict=True):
        arrays[i] = array
    try:
        if spans.recorders:
            spans.spanned(spans.OP, plan.op.name, plan, kernel, *arrays, out=tuple(out))
        else:
            kernel(*arrays, out=tuple(out))
    finally:
        for i, array in zip(targets, out, strict=True):
            _give(tensors[i], array)
    for observer in state.observers:
        observer(plan.op.name, plan.ins, plan.outs)


def _take(t: Tensor, runtime: Backend) -> Any:
    """The array of a tensor, out of its holder's hands; a copy if anybody else holds it."""
    if t._alias is None:
        box = [t._data]
        del t._data
    else:
        cell = t._alias.cell
        stale(cell)
        box = [cell.base]
        cell.base = None
    return box[0] if owns(box, runtime) else runtime.copy(box[0])


def _give(t: Tensor, array: Any) -> None:
    """Give the array back, counted as a write."""
    if t._alias is None:
        t._data = array
        t._writes = t._version + 1
    else:
        t._alias.cell.base = array
        t._alias.cell.version += 1
