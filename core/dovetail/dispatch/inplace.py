"""In-place ops: a functional op, then one place where its value is written back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail import dtypes
from dovetail.dispatch import spans, state
from dovetail.dispatch.aliasing import assign, check_writable, raw
from dovetail.dispatch.call import execute
from dovetail.dispatch.lane import seek
from dovetail.dispatch.ownership import owns
from dovetail.dispatch.plan import Plan, lookup
from dovetail.dispatch.recording import record
from dovetail.errors import DtypeError, InPlaceError, ShapeError
from dovetail.record import registry
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dovetail.record.op import Op


def inplace_of(op: Op) -> Callable[..., Tensor]:
    """Return the method that computes the op and writes the result into its first argument."""

    def method(self: Tensor, /, *args: Any, **params: Any) -> Tensor:
        raw(self)
        recording = not state.state.special or state.grad_enabled.get()
        if params and op.sugar.keys() & params.keys():
            check_writable(self, recording)
            put(self, op.call(self, *args, **params), op.name, recording)
            return self
        plan, inputs = seek(op, (self, *args), params)
        _check(op, plan, self)
        check_writable(self, recording)
        if self._alias is None and plan.out is self._spec and _write_own(plan, inputs, recording):
            self._writes = self._version + 1
            return self
        put(self, execute(plan, inputs), op.name, recording)
        return self

    return method


def put(target: Tensor, value: Tensor, name: str, recording: bool) -> None:
    """Write a computed value into a tensor, converted to its dtype."""
    spec = target._spec
    if value._spec is not spec:
        if value._spec.shape != spec.shape:
            raise ShapeError(
                f"output with shape {list(spec.shape)} doesn't match the broadcast shape {list(value._spec.shape)} "
                f"(in {name}_)"
            )
        if not dtypes.can_cast(value._spec.dtype, spec.dtype):
            raise DtypeError(_no_cast(value._spec.dtype, spec.dtype, name))
        value = registry.get("cast").call(value, dtype=spec.dtype)
    raw(value)
    assign(target, value, recording and (value._node is not None or target._node is not None))


def put_over(target: Tensor, value: Tensor, name: str, recording: bool) -> None:
    """As :func:`put`, for a value that does not depend on what the tensor held: its edge leads to both all the same."""
    if recording and target._node is not None and (target._alias is None or target._alias.root is None):
        op = registry.get("overwrite")
        plan = lookup(op, (target._spec, value._spec), (target._spec, value._spec), (), {})
        value = wrap(raw(value), value._spec, record(plan, (target, value), (None, None), (None,)))
    put(target, value, name, recording)


def _check(op: Op, plan: Plan, target: Tensor) -> None:
    if not plan.outs:
        return
    spec, out = target._spec, plan.out
    if out.shape != spec.shape:
        raise ShapeError(
            f"output with shape {list(spec.shape)} doesn't match the broadcast shape {list(out.shape)} (in {op.name}_)"
        )
    if out.dtype is not spec.dtype and not dtypes.can_cast(out.dtype, spec.dtype):
        raise DtypeError(_no_cast(out.dtype, spec.dtype, op.name))
    if out.device is not spec.device:
        raise InPlaceError(f"{op.name}_: the result would be on {out.device}, the tensor is on {spec.device}")


def _no_cast(source: dtypes.dtype, target: dtypes.dtype, name: str) -> str:
    return (
        f"result type {source.legacy_name} can't be cast to the desired output type {target.legacy_name} "
        f"(in {name}_; convert the tensor first: x = x.to({source!r}))"
    )


def _write_own(plan: Plan, inputs: Sequence[Any], recording: bool) -> bool:
    """Let the kernel write into the tensor's own array, if nobody else holds it. The value saved comes first."""
    kernel = plan.out_kernel
    if kernel is None or plan.casts or plan.checks or plan.decompose or state.tracing.get() is not None:
        return False
    target = inputs[0]
    others = [raw(x) if isinstance(x, Tensor) else x for x in inputs[1:]]
    node = None
    if recording and plan.differentiable and any(isinstance(x, Tensor) and x._node is not None for x in inputs):
        mask = sum(1 << i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x._node is not None)
        if plan.variants[mask].saves_output:
            return False
        node = record(plan, inputs, (target._data, *others), (None,))
    box = [target._data]
    del target._data
    if not owns(box, plan.device.runtime):
        target._data = box[0]
        return False
    try:
        if spans.recorders:
            spans.spanned(spans.OP, f"{plan.op.name}_", plan, kernel, box[0], *others, out=box[0])
        else:
            kernel(box[0], *others, out=box[0])
    finally:
        target._data = box[0]
    if node is not None:
        target._node = node
    if state.observers:
        for observer in state.observers:
            observer(plan.op.name, plan.ins, plan.outs)
    return True
