"""Gradients: every direction against differences in float64, values against the running error of the formula, forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Agree, Op
from dovetail.errors import CaptureError, DovetailError
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, args_of, array
from dovetail_conformance.checks.forms import form_of
from dovetail_conformance.expectation import Expected, flushed_composite, settled
from dovetail_conformance.outcome import Row
from dovetail_conformance.primitives import Unknown
from dovetail_conformance.replay import judged
from dovetail_conformance.session import Session, quiet

Host = np.ndarray[Any, Any]

SMALL = 64
"""Elements up to which every direction is taken."""
TWICE = 24
"""Elements up to which second derivatives are."""


def gradients(session: Session, op: Op, dtype: str) -> Row | None:
    """Values and forms of gradients in one dtype, with an output gradient of random numbers; None without gradients."""
    if not op.differentiable or dtype not in draw.FLOATS:
        return None
    row = session.row(op, dtype, "gradients")
    for inv in _smooth(session, op, dtype):
        places = _places(inv)
        if places:
            _one(session, row, inv, places)
    mixed = _mixed(session, op, dtype)
    if mixed is not None:
        _one(session, row, mixed, _places(mixed))
    return row if row.cases or row.failed else None


def _mixed(session: Session, op: Op, dtype: str) -> Invocation | None:
    """A call with its last tensor in float64, where the op takes that: every gradient has the dtype of its operand."""
    found = [inv for inv in _smooth(session, op, dtype) if len(_places(inv)) > 1]
    if not found or dtype != "float32" or session.lean:
        return None
    inv, last = found[0], _places(found[0])[-1]
    other = inv.with_hosts([h.astype(np.float64) if i == last else h for i, h in enumerate(inv.hosts)])
    try:
        with quiet():
            taken = {spec.dtype for spec in other.plan(session.host).ins if spec is not None}
    except (DovetailError, CaptureError):
        return None  # its tensors have one dtype
    return other if len(taken) == 1 else None


def differences(session: Session, op: Op) -> Row | None:
    """First derivatives against extrapolated central differences in float64, in every direction."""
    if not op.differentiable or "float" not in (op.samples.dtypes if op.samples else ()):
        return None
    return _checked(session, op, "differences", SMALL, dovetail.autograd.gradcheck)


def second(session: Session, op: Op) -> Row | None:
    """Second derivatives against differences of the first ones in float64."""
    if not op.differentiable or "float" not in (op.samples.dtypes if op.samples else ()):
        return None
    return _checked(session, op, "second", TWICE, dovetail.autograd.gradgradcheck)


def _checked(session: Session, op: Op, name: str, most: int, check: Callable[..., bool]) -> Row | None:
    row = session.row(op, "float64", name)
    for inv in _smooth(session, op, "float64")[: 2 if name == "second" else None]:
        places = _places(inv)
        if not places or not all(np.isfinite(inv.hosts[i]).all() for i in places):
            continue
        if sum(inv.hosts[i].size for i in places) > most or not any(inv.hosts[i].size for i in places):
            continue
        row.cases += 1
        try:
            with dovetail.use_backend(session.device), quiet():
                tensors = inv.tensors(session.device)
                function, xs = _function(inv, tensors, places)
                if not any(o.requires_grad for o in function(*xs)):
                    continue
                check(function, tuple(xs), rtol=1e-5 if name == "second" else 1e-7, atol=1e-9)
                row.tested += sum(x.numel() for x in xs)
        except Exception as error:  # a mismatch, or whatever a backend raises: a failure of the cell
            row.fail(f"{inv}: {type(error).__name__}: {error}", snippet=_snippet(inv, places, session.device))
    return row if row.cases or row.failed else None


def _function(inv: Invocation, tensors: Sequence[Any], places: Sequence[int]) -> tuple[Callable[..., Any], list[Any]]:
    """The call as a function of its differentiable inputs alone, and these."""

    def function(*xs: Any) -> tuple[Any, ...]:
        given = list(tensors)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return tuple(t for t in inv.call(given) if t.is_floating_point())

    return function, [tensors[i].requires_grad_() for i in places]


def _smooth(session: Session, op: Op, dtype: str) -> list[Invocation]:
    found = [inv for inv in session.invocations(op, dtype) if getattr(inv.sample, "grad", True)]
    return found[:2] if session.compiles else found


def _places(inv: Invocation) -> list[int]:
    """The hosts that gradients are taken of."""
    args = args_of(inv.sample)
    return [i for i, (a, h) in enumerate(zip(args, inv.hosts, strict=True)) if a.grad and h.dtype.kind not in "biu"]


def _one(session: Session, row: Row, inv: Invocation, places: list[int]) -> None:
    count = len(inv.hosts)
    try:
        with quiet():
            outputs = inv.on(session.second)
            rng = np.random.default_rng(session.seed)
            weights = [
                np.asarray(rng.uniform(0.5, 1.5, tuple(t.shape))).astype(t.dtype.host)
                for t in outputs
                if t.is_floating_point()
            ]
            hosts = [*inv.hosts, *weights]
            function = gradient_of(inv, places, count)
            with dovetail.use_backend(session.device):
                got = function(*(dovetail.tensor(h, device=session.device) for h in hosts))
            if got is None or not _formed(session, row, inv, places, got):
                return
            wanted = _expected(session, _copied(function), hosts)
    except (CaptureError, Unknown) as error:
        row.fail(f"{inv}: the suite has no reference for this gradient: {error}")
        return
    except Exception as error:  # whatever a backend raises is a failure of the cell and not of the run
        row.fail(
            f"gradient of {inv}: {type(error).__name__}: {error}",
            snippet=_snippet(inv, places, session.device),
        )
        return
    for i, g, right in zip(places, got, wanted, strict=True):
        verdict = right.judge(array(g), inv, session.device)
        row.take(verdict)
        if not verdict.ok and row.message == verdict.message:
            row.message = f"the gradient in {inv.names[i]} of {inv}: {verdict.message}"
            row.snippet = _snippet(inv, places, session.device)


def _formed(session: Session, row: Row, inv: Invocation, places: Sequence[int], got: Sequence[Any]) -> bool:
    """Whether every gradient has the shape, dtype and device of its tensor."""
    before = row.failed
    for i, g in zip(places, got, strict=True):
        host = inv.hosts[i]
        dtype = dovetail.tensor(host).dtype.name
        form_of(row, f"the gradient in {inv.names[i]} of {inv}", g, (host.shape, dtype), session.device)
    return before or not row.failed


def gradient_of(inv: Invocation, places: Sequence[int], count: int) -> Callable[..., Any]:
    """The gradients as a function of all inputs and of the output gradients; None where nothing requires gradients."""

    def function(*tensors: Any) -> Any:
        given, weights = [t.detach() for t in tensors[:count]], tensors[count:]
        xs = [given[i].requires_grad_() for i in places]
        outputs = [t for t in inv.call(given) if t.is_floating_point()]
        live = [(t, w) for t, w in zip(outputs, weights, strict=True) if t.requires_grad]
        if not live:
            return None
        found = dovetail.autograd.grad(
            [t for t, _ in live], xs, [w for _, w in live], allow_unused=True, materialize_grads=True
        )
        return list(found)

    return function


def _copied(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with copies of its results, so that it calls an op even where a gradient is passed through."""
    return lambda *tensors: [t.clone() for t in function(*tensors)]


def _expected(session: Session, function: Callable[..., Any], hosts: list[Host]) -> list[Expected]:
    model = judged(session.models, function, hosts)
    place = dovetail.device(session.models.parts)
    with dovetail.use_backend(place):
        opinions = function(*(dovetail.tensor(h, device=place) for h in hosts))
    found = []
    for i, opinion in enumerate(opinions):
        name = opinion.dtype.name
        flushes = session.flushes(name)
        exact, running = settled(model.exact(i), model.error(i, name, flush=flushes), array(opinion))
        flushed = partial(flushed_composite, session, function, hosts, i)
        found.append(Expected(Agree.running(), exact, running, flushed if flushes else None))
    return found


def _snippet(inv: Invocation, places: Sequence[int], device: Any) -> str:
    """A program that prints the gradients."""
    lines = ["import dovetail as torch", ""]
    names = inv.names
    for i, (name, host) in enumerate(zip(names, inv.hosts, strict=True)):
        grad = ", requires_grad=True" if i in places else ""
        kind = f"torch.{host.dtype.name}"
        lines.append(f"{name} = torch.tensor({host.tolist()!r}, dtype={kind}, device={str(device)!r}{grad})")
    wanted = ", ".join(names[i] for i in places)
    lines += [f"out = {inv.expression}", f"print(torch.autograd.grad(out.sum(), [{wanted}]))"]
    return "\n".join(lines)
