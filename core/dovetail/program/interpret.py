"""Running a program without a compiler: bound kernels one after the other, values dropped as soon as they are dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail.contract.program import Literal, ProgramView
from dovetail.dispatch.failure import explain
from dovetail.dispatch.ownership import owns
from dovetail.program.trace import Var
from dovetail.tensor.tensor import wrap

Line = Callable[[list[Any], list[bool]], None]
"""One step: reads and writes the list of values; the second list says which inputs were lent by their owner."""

if TYPE_CHECKING:
    from dovetail.program.program import Program
    from dovetail.program.trace import Equation


def interpreter(view: ProgramView, program: Program) -> Callable[..., tuple[Any, ...]]:
    """Return a function that runs the steps; a kernel writes into an input that dies there where it may.

    It takes the arrays (and empties the list), and for each whether its owner is the only other holder.
    """
    places = {number: i for i, number in enumerate(view.inputs)}
    for step in view.steps:
        for number in step.outputs:
            places[number] = len(places)
    last = _last_uses(view)
    constants: list[tuple[int, Any]] = []
    lines = [
        _line(i, step, equation.plan, places, last, constants, view)
        for i, (step, equation) in enumerate(zip(view.steps, program.equations, strict=True))
    ]
    count = len(view.inputs)
    size = len(places) + len(constants)
    results = tuple(places[o] for o in view.outputs)

    def run(arrays: list[Any], lent: list[bool]) -> tuple[Any, ...]:
        values: list[Any] = [None] * size
        values[:count] = arrays
        arrays.clear()
        for place, value in constants:
            values[place] = value
        at = 0
        try:
            for at, line in enumerate(lines):  # noqa: B007  # names the call that failed
                line(values, lent)
        except Exception as error:
            raise _explained(error, program.equations[at], places, values) from error
        return tuple(values[r] for r in results)

    return run


def _explained(error: Exception, equation: Equation, places: dict[int, int], values: list[Any]) -> Exception:
    """What a kernel raised, in the words that the eager call has for it."""
    inputs: list[Any] = []
    for value, spec in zip(equation.inputs, equation.plan.ins, strict=True):
        array = values[places[value.number]] if isinstance(value, Var) else value
        inputs.append(array if spec is None or array is None else wrap(array, spec))
    return explain(error, equation.plan, inputs)


def _last_uses(view: ProgramView) -> dict[int, int]:
    """The step after which each value is dead; values that are returned never are."""
    last: dict[int, int] = {}
    for i, step in enumerate(view.steps):
        for number in step.inputs:
            if not isinstance(number, Literal):
                last[number] = i
        for number in step.outputs:
            last.setdefault(number, i)
    for number in view.outputs:
        last.pop(number, None)
    return last


def _line(
    i: int,
    step: Any,
    plan: Any,
    places: dict[int, int],
    last: dict[int, int],
    constants: list[tuple[int, Any]],
    view: Any,
) -> Line:
    inputs: list[int] = []
    for number in step.inputs:
        if isinstance(number, Literal):
            place = len(places) + len(constants)
            constants.append((place, number.value))
            inputs.append(place)
        else:
            inputs.append(places[number])
    outputs = tuple(places[o] for o in step.outputs)
    dead = tuple({places[n] for n, at in last.items() if at == i})
    if plan.op.updates and plan.out_kernel is not None:
        return _updating(plan, tuple(inputs), outputs, dead)
    reusable = _reusable(step, plan, places, dead) if len(outputs) == 1 else None
    if reusable is not None and plan.out_kernel is not None:
        return _reusing(plan, tuple(inputs), outputs[0], dead, reusable)
    return _plain(step.kernel, tuple(inputs), outputs, dead)


def _reusable(step: Any, plan: Any, places: dict[int, int], dead: tuple[int, ...]) -> int | None:
    """The position of an input that dies here and has the result's spec."""
    for position, number in enumerate(step.inputs):
        if isinstance(number, Literal) or places[number] not in dead:
            continue
        if plan.ins[position] is plan.out and step.inputs.count(number) == 1:
            return position
    return None


def _plain(
    kernel: Callable[..., Any], inputs: tuple[int, ...], outputs: tuple[int, ...], dead: tuple[int, ...]
) -> Line:
    if len(outputs) == 1 and len(inputs) == 2 and not dead:
        a, b = inputs
        (out,) = outputs

        def two(values: list[Any], lent: list[bool]) -> None:
            values[out] = kernel(values[a], values[b])

        return two

    def line(values: list[Any], lent: list[bool]) -> None:
        result = kernel(*[values[i] for i in inputs])
        for d in dead:
            values[d] = None
        if len(outputs) == 1:
            values[outputs[0]] = result if outputs[0] not in dead else None
        else:
            for o, r in zip(outputs, result, strict=True):
                values[o] = r if o not in dead else None

    return line


def _reusing(plan: Any, inputs: tuple[int, ...], output: int, dead: tuple[int, ...], position: int) -> Line:
    kernel, plain, runtime = plan.out_kernel, plan.kernel, plan.device.runtime
    place = inputs[position]

    def line(values: list[Any], lent: list[bool]) -> None:
        box = [values[place]]
        values[place] = None
        if owns(box, runtime, _holders(lent, place)):
            arrays = [values[i] for i in inputs]
            arrays[position] = box[0]
            values[output] = kernel(*arrays, out=box[0])
        else:
            arrays = [values[i] for i in inputs]
            arrays[position] = box[0]
            values[output] = plain(*arrays)
        for d in dead:
            values[d] = None

    return line


def _updating(plan: Any, inputs: tuple[int, ...], outputs: tuple[int, ...], dead: tuple[int, ...]) -> Line:
    """An op whose results are new values of some inputs: in their own arrays where nobody needs the old ones."""
    kernel, runtime = plan.out_kernel, plan.device.runtime
    targets = [i for i in plan.op.updates if plan.ins[i] is not None]

    def line(values: list[Any], lent: list[bool]) -> None:
        arrays: list[Any] = [None if i in targets else values[place] for i, place in enumerate(inputs)]
        out: list[Any] = []
        for i in targets:
            place = inputs[i]
            box = [values[place]]
            if place in dead:
                values[place] = None
            out.append(box[0] if owns(box, runtime, _holders(lent, place)) else runtime.copy(box[0]))
            arrays[i] = out[-1]
        kernel(*arrays, out=tuple(out))
        for d in dead:
            values[d] = None
        for place, array in zip(outputs, out, strict=True):
            values[place] = array

    return line


def _holders(lent: list[bool], place: int) -> int:
    """How many holders a value has outside the program: the owner of a lent input, else none."""
    return 1 if place < len(lent) and lent[place] else 0
