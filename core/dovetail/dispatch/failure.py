"""What an array library raised, said in dovetail's words: the same class and message on every backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.errors import BackendError, DovetailError, OutOfMemory
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan


def explain(error: Exception, plan: Plan, inputs: Sequence[Any]) -> Exception:
    """Return the exception to raise for one that a kernel raised."""
    if isinstance(error, DovetailError):
        return error
    runtime = plan.device.runtime
    if runtime.out_of_memory(error):
        wanted = sum(s.size * s.dtype.itemsize for s in plan.outs)
        kind = plan.device.type.upper()
        return OutOfMemory(
            f"{kind} out of memory. Tried to allocate {wanted / 2**20:.2f} MiB on {plan.device} (in {plan.op.name}: "
            f"{_operands(inputs)}). Use smaller batches, or drop references to graphs and results that are not needed."
        )
    if isinstance(error, IndexError | ZeroDivisionError):
        for check in plan.op.checks:
            found = check.error(*plan.op.regroup(inputs, plan.layout), **plan.statics)
            if found is not None:
                return found
    return BackendError(
        f"backend {plan.device.backend!r} failed in {plan.op.name}({_operands(inputs)}): "
        f"{type(error).__name__}: {error}"
    )


def _operands(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{x.dtype.name}{list(x.shape)}" for x in inputs if isinstance(x, Tensor))
