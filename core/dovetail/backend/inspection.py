"""What tools see of ops and calls: the records, the plan of a call, the array behind a tensor, and captured programs.

Backends do not need this. A conformance suite, a profiler or a list of what a backend covers does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dovetail import settings
from dovetail.contract.backend import BackendSpec
from dovetail.contract.discovery import failures as failures
from dovetail.contract.discovery import host_device as host_device
from dovetail.contract.discovery import reason as reason
from dovetail.contract.discovery import register, registrations, unregister
from dovetail.dispatch import constants
from dovetail.dispatch.aliasing import raw
from dovetail.dispatch.binding import prepare
from dovetail.dispatch.plan import Plan as Plan
from dovetail.dispatch.plan import forget_all
from dovetail.program.program import Program as Program
from dovetail.program.program import capture as capture
from dovetail.program.trace import Equation as Equation
from dovetail.program.trace import Var as Var
from dovetail.record.agree import Agree as Agree
from dovetail.record.op import Op as Op
from dovetail.record.registry import get as record
from dovetail.record.registry import ops as records
from dovetail.record.samples import Arg as Arg
from dovetail.record.samples import ErrorSample as ErrorSample
from dovetail.record.samples import Sample as Sample
from dovetail.tensor.tensor import Tensor

__all__ = [
    "Agree", "Arg", "Equation", "ErrorSample", "Op", "Plan", "Program", "Sample", "Var", "announced", "array_of",
    "capture", "failures", "forget_plans", "host_device", "host_fallback", "inputs_of", "number_of", "plan_of",
    "reason", "record", "records", "register_backend", "unregister_backend",
]  # fmt: skip


def plan_of(op: Op, args: Sequence[Any], params: Mapping[str, Any]) -> Plan:
    """The plan that a call with these arguments runs: its specs and its origin (kernel, decomposition or fallback).

    Nothing is computed. Errors: those of the call.

    >>> import dovetail
    >>> from dovetail.backend.inspection import plan_of, record
    >>> plan_of(record("exp"), (dovetail.ones(2),), {}).origin
    'kernel'
    """
    return prepare(op, args, params)[0]


def array_of(t: Tensor) -> Any:
    """The backend's own array that holds a tensor's values."""
    return raw(t)


def inputs_of(program: Program, arguments: Sequence[Tensor]) -> dict[int, Any]:
    """The array of every variable that a run of a captured program starts from: arguments, state and constants."""
    return dict(zip(program.view().inputs, program._gather(arguments)[0], strict=True))


def number_of(t: Tensor) -> Any:
    """The Python number that a captured constant was made of, None where it is not known any more."""
    for (kind, value, *_), found in constants._cache.items():
        if found is t:
            return kind(value) if isinstance(value, str) else value
    return None


def announced() -> dict[str, BackendSpec]:
    """The backends that plugins and this process have announced, by id."""
    host_device()  # looks for plugins if nobody has yet
    return {name: registration.spec for name, registration in registrations.items()}


def register_backend(spec: BackendSpec, *, source: str = "register_backend()") -> None:
    """Announce a backend in this process. Errors: ArgumentError for an id that is taken."""
    register(spec, source=source)


def unregister_backend(name: str) -> None:
    """Take a backend out again."""
    unregister(name)


def host_fallback() -> str:
    """What an op without kernel and decomposition does at present: "warn", "silent" or "error"."""
    return settings.current.host_fallback


def forget_plans() -> None:
    """Drop every plan, and with them the programs that a compiling backend has made of kernels."""
    forget_all()
