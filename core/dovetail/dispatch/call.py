"""The general path of every call. The hot paths in ``forms`` are shortcuts of it and end here when in doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dovetail.dispatch import autocast, checks, spans, state
from dovetail.dispatch.aliasing import make_view, raw
from dovetail.dispatch.failure import explain
from dovetail.dispatch.lane import seek
from dovetail.dispatch.plan import ALWAYS, Plan
from dovetail.dispatch.recording import record
from dovetail.errors import BackendError
from dovetail.record import registry
from dovetail.tensor.node import Pick, next_seq
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.record.op import Op


def call(op: Op, args: Sequence[Any], params: Mapping[str, Any]) -> Any:
    """Run an op on the arguments of its public function."""
    if state.state.special and op.autocast and (cast := autocast.adapted(op.name, op.autocast, args, params)):
        return autocast.suspended(call, op, *cast)
    if params and op.sugar:
        for name, function in op.sugar.items():
            if name in params:
                return function(*args, **params)
    plan, inputs = seek(op, args, params)
    return execute(plan, inputs)


def execute(plan: Plan, inputs: Sequence[Any]) -> Any:
    """Run a plan on its inputs; its span begins and ends here."""
    if spans.recorders:
        return spans.spanned(spans.OP, plan.op.name, plan, run, plan, inputs)
    return run(plan, inputs)


def run(plan: Plan, inputs: Sequence[Any]) -> Any:
    """Run a plan on its inputs: casts, checks, kernel or decomposition or trace, graph."""
    if plan.casts:
        inputs = converted(plan, inputs)
    recording = plan.differentiable and is_recording(inputs)
    trace = state.tracing.get() if state.state.special else None
    if plan.checks:
        checks.run(plan, inputs, trace)
    if plan.decompose and (recording or plan.decompose == ALWAYS):
        if not (recording and plan.ruled):
            return titled(plan, inputs) if recording else decomposed(plan, inputs)
        arrays = [_array(x, trace) for x in inputs]
        outputs: Any = unrecorded(plan, inputs)
    elif trace is not None:
        arrays = [trace.adopt(x) if isinstance(x, Tensor) else x for x in inputs]
        outputs = trace.record(plan, arrays)
    else:
        arrays = [raw(x) if isinstance(x, Tensor) else x for x in inputs]
        try:
            result = plan.kernel(*arrays)
        except Exception as error:
            raise explain(error, plan, inputs) from error
        outputs = (result,) if len(plan.outs) == 1 else result
    if state.observers:
        _observe(plan)
    node = record(plan, inputs, arrays, outputs) if recording else None
    result = _wrapped(plan, inputs, outputs, node)
    if trace is not None:
        for made in result if isinstance(result, tuple) else (result,):
            trace.note(made)
    return result


def is_recording(inputs: Sequence[Any]) -> bool:
    """Tell whether a call on these inputs becomes part of a graph."""
    for x in inputs:
        if isinstance(x, Tensor):
            if x._alias is not None:
                raw(x)  # a stale view learns from its root whether it needs a gradient
            if x._node is not None:
                return not state.state.special or state.grad_enabled.get()
    return False


def converted(plan: Plan, inputs: Sequence[Any]) -> list[Any]:
    """Apply the casts and transfers of a plan, as recorded ops."""
    inputs = list(inputs)
    for i, want in plan.casts:
        x = inputs[i]
        if x._spec.device is not want.device:
            x = registry.get("copy_to").call(x, device=want.device)
        if x._spec.dtype is not want.dtype:
            x = registry.get("cast").call(x, dtype=want.dtype)
        inputs[i] = x
    return inputs


def decomposed(plan: Plan, inputs: Sequence[Any]) -> Any:
    """Run the body of a derived op in public ops."""
    op = plan.op
    if state.state.special and autocast.is_over(op, plan.device.type):
        return autocast.suspended(decomposed, plan, inputs)
    arguments = op.regroup(inputs, plan.layout)
    variadic = op.signature.variadic
    if variadic is None:
        named = dict(zip(op.input_names, arguments, strict=True))
        result = op.body(**named, **plan.statics)
    else:
        name = op.signature.parameters[variadic].name
        rest = {k: v for k, v in plan.statics.items() if k != name}
        result = op.body(*arguments, *plan.statics[name], **rest)
    return result if op.shape is None else _apart(result, inputs)


def _apart(result: Any, inputs: Sequence[Any]) -> Any:
    """The result of an op with rules is never an input, nor a view of one: a write to it must not be seen there."""
    if isinstance(result, tuple):
        return tuple(_apart(r, inputs) for r in result)
    alias = result._alias
    for x in inputs:
        if x is result or (alias is not None and isinstance(x, Tensor) and x._alias is not None
                           and x._alias.cell is alias.cell):  # fmt: skip
            return registry.get("clone").call(result)
    return result


def titled(plan: Plan, inputs: Sequence[Any]) -> Any:
    """As :func:`decomposed`; the last node takes the name of the op, by which the user knows the call."""
    before = next_seq()
    result = decomposed(plan, inputs)
    for made in result if isinstance(result, tuple) else (result,):
        node = made._node if isinstance(made, Tensor) else None
        if type(node) is Pick:
            node = node.node
        if node is not None and node.seq > before:
            node.title = plan.backward_name
    return result


def _array(x: Any, trace: Any) -> Any:
    """The array of an input, in a trace the value that stands for it; positions as they are."""
    if not isinstance(x, Tensor):
        return x
    return raw(x) if trace is None else trace.adopt(x)


def unrecorded(plan: Plan, inputs: Sequence[Any]) -> list[Any]:
    """Run the body of an op that has gradient formulas of its own as if it were a kernel, recording none of its parts.

    So the gradient is the formula's on every backend, with a kernel or without one.
    """
    state.enter()
    token = state.grad_enabled.set(False)
    try:
        result = decomposed(plan, inputs)
    finally:
        state.grad_enabled.reset(token)
        state.leave()
    made = result if isinstance(result, tuple) else (result,)
    for t, promised in zip(made, plan.outs, strict=True):
        if t._spec is not promised:
            raise BackendError(f"the decomposition of {plan.op.name} gave {t._spec}, its rules promise {promised}")
    return [raw(t) for t in made]


def _wrapped(plan: Plan, inputs: Sequence[Any], outputs: Sequence[Any], node: Any) -> Any:
    op = plan.op
    if op.view is not None:
        return make_view(inputs[0], plan, tuple(inputs[1:]), outputs[0], node)
    if plan.visible == 1:
        edge = node if node is None or plan.single or len(plan.outs) == 1 else Pick(node, 0, len(plan.outs))
        return wrap(outputs[0], plan.outs[0], edge if plan.graded[0] else None)
    count = len(plan.outs)
    return tuple(
        wrap(
            outputs[i],
            plan.outs[i],
            (node if plan.single else Pick(node, i, count)) if node and plan.graded[i] else None,
        )
        for i in range(plan.visible)
    )


def _observe(plan: Plan) -> None:
    for observer in state.observers:
        observer(plan.op.name, plan.ins, plan.outs)
