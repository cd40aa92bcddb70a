"""Captured programs run again in the judge's arithmetic: exact results of any composite, and the error it may make.

The decomposition of an op, or of its gradient, is captured on a backend that has kernels for primitives alone. Run over
``WideMaths`` and ``Precise`` it is the exact result; over ``Running`` it is the error that a backend may make whose
primitives keep their bounds. Branches are those that the same program takes on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Program, Var, capture, inputs_of, number_of, record
from dovetail_conformance.judge import Formula, Maths, Number, Reference, Running, evaluate
from dovetail_conformance.judge.reference import Enclosure, Source
from dovetail_conformance.primitives import MOVES, constant, step
from dovetail_conformance.wrapped import Parts, Plain, Whole, registered

Host = np.ndarray[Any, Any]
Function = Callable[..., Any]


class Models:
    """The backends that references are made with; registered from ``with Models() as models`` on."""

    whole: str
    parts: str
    plain: str

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Models:
        self.whole = self._stack.enter_context(registered(Whole))
        self.parts = self._stack.enter_context(registered(Parts))
        self.plain = self._stack.enter_context(registered(Plain))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@dataclass(frozen=True)
class Captured:
    """A program with the values that every variable had in one run on the host."""

    program: Program
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    held: dict[int, Any]
    values: dict[int, Any]
    constants: tuple[tuple[int, Any, str], ...]

    def formula(self, output: int) -> Formula:
        """One result, as a formula over the floating inputs in order."""

        def run(m: Maths, *numbers: Number) -> Number:
            return self._run(m, numbers)[self.outputs[output]]  # type: ignore[no-any-return]  # results are floating

        return run

    def floating(self) -> list[Host]:
        """The values of the floating inputs in order."""
        return [self.values[n] for n in self.inputs if _floating(self.values[n])]

    def exact(self, output: int, inputs: Sequence[Host] | None = None) -> Reference:
        """The exact values of one result."""
        given = self.floating() if inputs is None else list(inputs)
        found = evaluate(self.formula(output), *given, elementwise=False)
        return replace(found, source=_Elements(self, output, given)) if self.pointwise() else found

    def pointwise(self) -> bool:
        """Whether every value is one number, or belongs to the elements of the inputs at the same places."""
        shapes = {np.shape(v) for v in self.values.values()} - {()}
        moved = any(e.plan.op.view is not None or e.plan.op.name in MOVES for e in self.program.equations)
        return len(shapes) == 1 and len(next(iter(shapes))) == 1 and not moved

    def at(self, places: Sequence[int]) -> Captured:
        """The program for some elements alone, where it is pointwise."""
        chosen = list(places)
        values = {n: v if np.ndim(v) == 0 else np.asarray(v)[chosen] for n, v in self.values.items()}
        return replace(self, values=values, held={n: values[n] for n in self.held})

    def error(self, output: int, dtype: str, *, flush: bool = False) -> Number:
        """The running error of one result on a device whose primitives keep their bounds."""
        m = Running(dtype, _bound, flush=flush)
        made = self._run(m, [m.number(x) for x in self.floating()])[self.outputs[output]]
        assert isinstance(made, Number), "results are floating"
        return made

    def _run(self, m: Maths, numbers: Sequence[Any]) -> dict[int, Any]:
        given = iter(numbers)
        env: dict[int, Any] = {n: m.number(v) if _floating(v) else v for n, v in self.held.items()}
        env.update((n, next(given)) for n in self.inputs if _floating(self.values[n]))
        inner = _Arithmetics(m)
        for number, value, dtype in self.constants:
            held = self.values[number]
            env[number] = constant(inner.of(dtype), value, held, dtype) if _floating(held) else held
        for equation in self.program.equations:
            plan, name = equation.plan, equation.outputs[0].spec.dtype.name
            inputs = [env[x.number] if isinstance(x, Var) else x for x in equation.inputs]
            taken = [self.values[x.number] if isinstance(x, Var) else x for x in equation.inputs]
            for out in equation.outputs:
                env[out.number] = step(inner.of(name), plan, inputs, self.values[out.number], taken)
        return env


class _Elements(Source):
    """Enclosures of single elements: only these are run at high precision."""

    def __init__(self, program: Captured, output: int, inputs: Sequence[Host]) -> None:
        self.program = program
        self.output = output
        self.inputs = inputs

    def enclose(self, indices: Sequence[int], bits: int) -> list[Enclosure]:
        """The elements at some places, as the judge encloses any formula."""
        chosen = list(indices)
        if not chosen:
            return []
        formula = self.program.at(chosen).formula(self.output)
        inputs = [x if np.ndim(x) == 0 else np.asarray(x)[chosen] for x in self.inputs]
        source = evaluate(formula, *inputs, elementwise=False).source
        return source.enclose(range(len(chosen)), bits)


class _Arithmetics:
    """Running errors in the format of each equation; other arithmetics have no format."""

    def __init__(self, m: Maths) -> None:
        self.m = m
        self.made: dict[str, Maths] = {}

    def of(self, dtype: str) -> Maths:
        """The arithmetic for results of a dtype."""
        if not isinstance(self.m, Running) or not getattr(dovetail, dtype).is_floating_point:
            return self.m
        found = self.made.get(dtype)
        if found is None:
            same = self.m.format.name == dtype
            found = self.made[dtype] = self.m if same else Running(dtype, _bound, flush=self.m.flush)
        return found


def _bound(name: str) -> Any:
    """The agreement of an op, which every device is held to where the op itself is judged."""
    return record(name).agree


def _floating(array: Host) -> bool:
    return array.dtype.kind not in "biu"


def captured(function: Function, hosts: Sequence[Host], backend: str) -> Captured:
    """Capture ``function(*tensors)`` on a backend of the models, and run it once on the host's arrays.

    Errors: CaptureError where the function reads values.
    """
    tensors = [dovetail.tensor(h, device=dovetail.device(backend)) for h in hosts]
    with dovetail.use_backend(backend):
        program = capture(function, *tensors)
    view = program.view()
    values: dict[int, Any] = {n: np.asarray(a) for n, a in inputs_of(program, tensors).items()}
    constants = [(var.number, number_of(t), t.dtype.name) for t, var in program.constants]
    held = dict(values)
    with np.errstate(all="ignore"):
        for equation in program.equations:
            made = equation.plan.kernel(
                *(values[x.number] if isinstance(x, Var) else x for x in equation.inputs)
            )
            results = made if isinstance(made, tuple) else (made,)
            values.update(zip((o.number for o in equation.outputs), results, strict=True))
    arguments = tuple(h.var.number for h in program.arguments)
    return Captured(program, arguments, view.outputs, held, values, tuple(constants))


def composite(record_of: Captured) -> bool:
    """Whether a program calls a function that has no bound of its own, and must be captured in smaller parts."""
    return any(
        e.plan.op.agree is not None and e.plan.op.agree.kind == "C" for e in record_of.program.equations
    )


@dataclass(frozen=True)
class Judged:
    """What judges the floating results of a composite: exact values and the error allowed."""

    whole: Captured
    parts: Captured

    def exact(self, output: int, inputs: Sequence[Host] | None = None) -> Reference:
        """The exact values of one result."""
        return self.whole.exact(output, inputs)

    def error(self, output: int, dtype: str, *, flush: bool = False) -> Number:
        """The error that one result may have."""
        return self.parts.error(output, dtype, flush=flush)


def judged(models: Models, function: Function, hosts: Sequence[Host]) -> Judged:
    """Capture a function for its exact results and for its running error."""
    whole = captured(function, hosts, models.whole)
    return Judged(whole, captured(function, hosts, models.parts) if composite(whole) else whole)
