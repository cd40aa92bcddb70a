"""Derivatives against the function itself: differences in multi-precision arithmetic, which know no rule.

The check of gradients takes an op's formula for right and asks how well it is computed; the one of differences sees the
formula, but no further than float64 differences do. Here the first and second derivatives of every function that has a
reference are known to all digits, and a device may be off by the running error of its formula and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend.inspection import Agree, Op, Sample
from dovetail.errors import CaptureError
from dovetail_conformance.calls import Invocation, args_of, array, invocation
from dovetail_conformance.expectation import Expected
from dovetail_conformance.judge import Number, derivative, format_of, formula_of, ulp_at
from dovetail_conformance.judge.ulp import widen
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.replay import judged
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

DTYPES: Final = ("float32", "float64")
ORDERS: Final = (1, 2)
POINTS: Final = 12
MANY: Final = 64
"""Points of the full tier, which looks at third derivatives as well."""
ONCE: Final = 0.6
"""ULP of a derivative that is rounded once: nothing is asked for less."""

KINKED: Final = frozenset(("abs", "maximum", "minimum", "relu", "floor", "ceil", "trunc", "round", "sign"))
"""Functions with steps or kinks: where they are smooth their derivatives are constants, which other checks know."""


def derivatives(session: Session, op: Op, dtype: str) -> Row | None:
    """First and second derivatives of a smooth function of one or two numbers; None for any other op."""
    if op.reference is None or not op.differentiable or op.name in KINKED or dtype not in DTYPES:
        return None
    inv = _points(session, op, dtype)
    if inv is None:
        return None
    row = session.row(op, dtype, "derivatives")
    for place in range(len(inv.hosts)):
        for order in (*ORDERS, 3) if session.full and not session.compiles else ORDERS:
            if order == 1 or not session.lean or dtype == "float64":
                _one(session, row, inv, place, order)
    return row


def _points(session: Session, op: Op, dtype: str) -> Invocation | None:
    """The first sample whose inputs are vectors of one length, without parameters."""
    assert op.samples is not None, "a reference comes with samples"
    for sample in op.samples.cases:
        args = args_of(sample)
        plain = len(args) == len(sample.args) and not sample.params and sample.grad
        vectors = len({a.shape for a in args}) == 1 and len(args[0].shape) == 1 and args[0].shape[0] > 1
        if plain and vectors and all(a.dtype is None and a.values is None for a in args):
            count = args[0].shape[0] if session.lean else MANY if session.full else POINTS
            more = Sample(tuple(replace(a, shape=(count,)) for a in args))
            return invocation(op, more, dtype, session.seed)
    return None


def _one(session: Session, row: Row, inv: Invocation, place: int, order: int) -> None:
    function = _derivative(inv, place, order)
    try:
        with quiet():
            with dovetail.use_backend(session.device):
                made = function(*inv.tensors(session.device))
            if made is None:
                return  # a line has no second derivative
            wanted = _expected(session, inv, function, place, order)
    except (CaptureError, Unknown) as error:
        row.fail(f"{inv}: the suite has no running error for this derivative: {error}")
        return
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(f"derivative of {inv}: {type(error).__name__}: {error}", snippet=_snippet(inv, place, order, session))
        return
    verdict = wanted.judge(array(made[0]), inv, session.device)
    row.take(verdict)
    if not verdict.ok and row.message == verdict.message:
        row.message = f"derivative {order} in {inv.names[place]}: {verdict.message}"
        row.snippet = _snippet(inv, place, order, session)


def _derivative(inv: Invocation, place: int, order: int) -> Callable[..., Any]:
    """The derivative in one input, element by element, as a function of all inputs; None where it is constant."""

    def function(*tensors: Any) -> Any:
        given = [t.detach() for t in tensors]
        x = given[place].requires_grad_()
        (made,) = inv.call(given)
        for k in range(order):
            if not made.requires_grad:
                return None
            (made,) = dovetail.autograd.grad(
                made, x, dovetail.ones_like(made), create_graph=k + 1 < order, allow_unused=True
            )
            if made is None:
                return None
        return [made.clone()]

    return function


def _expected(session: Session, inv: Invocation, function: Callable[..., Any], place: int, order: int) -> Expected:
    assert inv.op.reference is not None, "asked for only where there is one"
    exact = derivative(formula_of(inv.op.reference), *inv.hosts, wrt=place, order=order)
    name = inv.hosts[place].dtype.name
    running = judged(session.models, function, inv.hosts).error(0, name, flush=session.flushes(name))
    least = np.longdouble(ONCE) * ulp_at(exact.value, format_of(inv.hosts[place]))
    error = np.fmax(np.broadcast_to(running.error, exact.shape), least)
    return Expected(Agree.running(), exact, Number(running.maths, widen(exact.value), error), elementwise=True)


def _snippet(inv: Invocation, place: int, order: int, session: Session) -> str:
    """A program that prints the derivative."""
    lines = ["import dovetail as torch", ""]
    for name, host in zip(inv.names, inv.hosts, strict=True):
        kind = f"torch.{host.dtype.name}"
        lines.append(f"{name} = torch.tensor({host.tolist()!r}, dtype={kind}, device={str(session.device)!r})")
    x = inv.names[place]
    lines += [f"{x}.requires_grad_()", f"out = {inv.expression}"]
    lines += [f"(out,) = torch.autograd.grad(out.sum(), {x}, create_graph=True)"] * order
    return "\n".join([*lines, "print(out)"])
