"""Kernels made of decompositions: a backend with a compiler gets one for every derived op, without writing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail.contract.program import ProgramView
from dovetail.dispatch import plan as plans
from dovetail.dispatch import state
from dovetail.dispatch.call import decomposed
from dovetail.errors import CaptureError
from dovetail.program.program import steps_of
from dovetail.program.trace import Trace, Var
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan


def compose(plan: Plan) -> Callable[..., Any] | None:
    """Capture the decomposition of a derived op for one combination of specs, and let the backend compile it.

    None where it cannot be one function of its inputs: it looks at values, draws numbers, or leaves the device.
    """
    if plan.op.signature.live:
        return None
    trace = Trace()
    inputs = [None if s is None else wrap(trace.variable(s), s) for s in plan.ins]
    variables = [x._data for x in inputs if x is not None]
    state.enter()
    tracing, recording = state.tracing.set(trace), state.grad_enabled.set(False)
    try:
        result = decomposed(plan, inputs)
        results = list(result) if isinstance(result, tuple) else [result]
        outputs = [trace.adopt(t) for t in results if isinstance(t, Tensor)]
    except CaptureError:
        return None
    finally:
        trace.restore()
        state.grad_enabled.reset(recording)
        state.tracing.reset(tracing)
        state.leave()
    if not _is_function(trace, plan, outputs):
        return None
    constants = list(trace.constants.values())
    view = ProgramView(
        inputs=tuple(v.number for v in (*variables, *(var for _, var in constants))),
        specs=tuple(v.spec for v in (*variables, *(var for _, var in constants))),
        steps=steps_of(trace.equations),
        outputs=tuple(v.number for v in outputs),
        donated=(),
    )
    kernel = plan.device.runtime.compose(view, [t._data for t, _ in constants])
    present = tuple(i for i, s in enumerate(plan.ins) if s is not None)
    return kernel if len(present) == len(plan.ins) else _skipping(kernel, present)


def _is_function(trace: Trace, plan: Plan, outputs: list[Var]) -> bool:
    if trace.checks or trace.readers or trace.advances or trace.holders:
        return False
    if [v.spec for v in outputs] != list(plan.outs):
        return False
    return all(s.device is plan.device for e in trace.equations for s in e.plan.outs)


def _skipping(kernel: Callable[..., Any], present: tuple[int, ...]) -> Callable[..., Any]:
    """The same kernel taking absent inputs too."""

    def run(*arrays: Any) -> Any:
        return kernel(*(arrays[i] for i in present))

    raw = getattr(kernel, "raw", None)
    if raw is not None:
        run.raw = lambda *arrays: raw(*(arrays[i] for i in present))  # type: ignore[attr-defined]
    return run


plans.composer = compose
