"""A captured program: inputs, equations and outputs, and how it is run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

from dovetail.contract.program import Literal, ProgramView, Step
from dovetail.dispatch import state
from dovetail.dispatch.aliasing import assign, raw, stale
from dovetail.dispatch.ownership import ALONE
from dovetail.errors import CaptureError
from dovetail.program.interpret import interpreter
from dovetail.program.trace import Check, Equation, Holder, Trace, Var, user_line
from dovetail.tensor.storage import Cell
from dovetail.tensor.tensor import Tensor, new, wrap

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.tensor.spec import Spec


class Program:
    """One captured step. Called with tensors of the same specs, it runs the whole step and writes the state back."""

    def __init__(self, trace: Trace, result: Any) -> None:
        self.arguments = trace.arguments
        argued = {id(h.owner) for h in trace.arguments}
        self.holders = [h for h in trace.holders.values() if id(h.owner) not in argued]
        self.readers = trace.readers
        self.constants = list(trace.constants.values())
        self.checks: list[Check] = trace.checks
        self.advances = list(trace.advances.values())
        self.modules = [(m, m.training) for m in trace.modules.values()]
        self.guards = list(trace.guards.values())
        self.grad_mode = state.grad_enabled.get()
        self.result, self._results = _flatten(result, trace)
        self.leaves_graph = not trace.grads and any(t._node is not None for t in tensors_in(result))
        """Whether the caller would differentiate what a run returns, which has no graph any more."""
        self.written = _written(trace, argued)
        self.grads = _grads(trace)
        self.equations = _needed(trace.equations, self._roots())
        self.device = self._device()
        self._refuse_transfers()
        self.fixed = [(h.owner, h.spec, _has_edge(h.owner)) for h in self.holders]
        self._state = self._used_state()
        self._run: Callable[..., Any] | None = None

    # -------------------------------------------------------------------------------- what it consists of

    def _roots(self) -> list[Var]:
        """Every variable that a run must deliver."""
        grads = [var for _, var in self.grads if var is not None]
        return [*self._results, *(var for _, var in self.written), *grads, *(c.var for c in self.checks)]

    def _device(self) -> Device:
        for equation in self.equations:
            device: Device = equation.plan.device
            return device
        for holder in (*self.arguments, *self.holders):
            place: Device = holder.spec.device
            return place
        raise CaptureError("the captured function has neither arguments nor calls")

    def _refuse_transfers(self) -> None:
        """One compiled program runs on one device; an interpreted one may cross them."""
        if not self.device.runtime.compiles:
            return
        for equation in self.equations:
            other = next((s.device for s in equation.plan.outs if s.device is not self.device), None)
            if other is not None:
                raise CaptureError(
                    f"the captured function moves a tensor to {other} (in {equation.plan.op.name}), and one "
                    f"compiled program "
                    f"runs on one device, {self.device}: transfer before or after the captured function"
                )

    def _used_state(self) -> list[Holder]:
        used = {v.number for e in self.equations for v in e.inputs if isinstance(v, Var)}
        used |= {v.number for v in self._roots()}
        return [h for h in self.holders if h.var.number in used]

    def view(self) -> ProgramView:
        """What a backend gets to compile."""
        inputs = self._inputs()
        written = {id(holder) for holder, _ in self.written}
        start = len(self.arguments)
        donated = [start + i for i, h in enumerate(self._state) if id(h) in written]
        return ProgramView(
            inputs=tuple(v.number for v in inputs),
            specs=tuple(v.spec for v in inputs),
            steps=steps_of(self.equations),
            outputs=tuple(v.number for v in self._roots()),
            donated=donated,
        )

    def _inputs(self) -> list[Var]:
        return [
            *(h.var for h in self.arguments),
            *(h.var for h in self._state),
            *(r.var for r in self.readers),
            *(var for _, var in self.constants),
        ]

    def __repr__(self) -> str:
        lines = [f"program({', '.join(f'{h.var}: {h.spec}' for h in self.arguments)})"]
        lines += [f"  state {h.var}: {h.spec}" for h in self._state]
        lines += [
            f"  {', '.join(map(str, e.outputs))} = {e.plan.op.name}({', '.join(map(str, e.inputs))})"
            for e in self.equations
        ]
        return "\n".join([*lines, f"  return {', '.join(map(str, self._results))}"])

    # -------------------------------------------------------------------------------- running it

    def mismatch(self, arguments: Sequence[Tensor]) -> str | None:
        """Why the program does not fit these arguments and the present state, None when it does."""
        if len(arguments) != len(self.arguments):
            return "another number of tensors was passed"
        for i, (t, holder) in enumerate(zip(arguments, self.arguments, strict=True)):
            if t._spec is not holder.spec:
                return f"argument {i} is {t._spec}, captured was {holder.spec}"
        for module, training in self.modules:
            if module.training != training:
                return f"a {type(module).__name__} was switched between train() and eval()"
        if state.grad_enabled.get() != self.grad_mode:
            return "gradients were switched on or off"
        for guard in self.guards:
            changed = guard()
            if changed is not None:
                return changed
        for owner, spec, edge in self.fixed:
            if (owner.spec if isinstance(owner, Cell) else owner._spec) is not spec or _has_edge(owner) != edge:
                return f"a tensor that the program uses has changed from {spec}"
        return None

    def __call__(self, *arguments: Tensor) -> Any:
        """Run the step on other values; state, gradients and generators move on as if it had run eagerly."""
        why = self.mismatch(arguments)
        if why is not None:
            raise CaptureError(f"the captured program cannot run: {why}; capture again")
        if self._run is None:
            runtime = self.device.runtime
            self._run = runtime.compile(self.view()) if runtime.compiles else interpreter(self.view(), self)
        values = self._run(*self._gather(arguments))  # the lists are the callee's: no other reference is left here
        self._store(values)
        for owner, amount in self.advances:
            owner.advance(amount)
        results = iter(values[: len(self._results)])
        return _unflatten(self.result, results)

    def _gather(self, arguments: Sequence[Tensor]) -> tuple[list[Any], list[bool]]:
        """The arrays of this run in order, and which of them only their owner holds besides: those may be written."""
        runtime = self.device.runtime
        arrays = [raw(t) for t in arguments]
        lent = [False] * len(arrays)
        written = {id(holder) for holder, _ in self.written}
        for holder in self._state:
            owner = holder.owner
            if id(holder) in written:
                array, own = self._handed_over(owner, runtime)
            else:
                array, own = owner.base if isinstance(owner, Cell) else raw(owner), False
            arrays.append(array)
            lent.append(own)
        for reader in self.readers:
            arrays.append(runtime.from_host(reader.read(), self.device))
        arrays += [t._data for t, _ in self.constants]
        return arrays, lent + [False] * (len(arrays) - len(lent))

    def _handed_over(self, owner: Any, runtime: Any) -> tuple[Any, bool]:
        """The array of a tensor that the program writes back: its own if nobody else holds it, else a copy."""
        cell = owner if isinstance(owner, Cell) else None
        if cell is None and owner._alias is not None:
            if owner._alias.steps:
                return runtime.copy(raw(owner)), False
            cell = owner._alias.cell
        if cell is not None:
            stale(cell)
            box = [cell.base]
            cell.base = None
        else:
            box = [raw(owner)]
            owner._data = None
        alone = getrefcount(box[0]) == ALONE
        if cell is not None:
            cell.base = box[0]
        else:
            owner._data = box[0]
        return (box[0], True) if alone else (runtime.copy(box[0]), False)

    def _store(self, values: Sequence[Any]) -> None:
        at = len(self._results)
        self._raise_checks(values[len(values) - len(self.checks) :])
        for (holder, _), value in zip(self.written, values[at:], strict=False):
            owner = holder.owner
            if isinstance(owner, Cell):
                stale(owner)
                owner.base = value
                owner.version += 1
            else:
                assign(owner, wrap(value, owner._spec), recording=False)
        at += len(self.written)
        for t, var in self.grads:
            if var is None:
                t._grad = None
            else:
                t._grad = wrap(values[at], var.spec)
                at += 1

    def _raise_checks(self, flags: Sequence[Any]) -> None:
        runtime = self.device.runtime
        for check, flag in zip(self.checks, flags, strict=True):
            if bool(runtime.to_host(flag)):
                raise CaptureError(
                    f"{check.op} met a value that it does not allow (an index out of range or an integer division by "
                    f"zero) in a captured program; the call is at {check.place}"
                )


def steps_of(equations: Sequence[Equation]) -> tuple[Step, ...]:
    """The calls of a program as a backend sees them."""
    return tuple(
        Step(
            e.plan.op.name,
            e.plan.kernel,
            tuple(v.number if isinstance(v, Var) else Literal(v) for v in e.inputs),
            tuple(v.number for v in e.outputs),
        )
        for e in equations
    )


def _has_edge(owner: Any) -> bool:
    return not isinstance(owner, Cell) and owner._node is not None


def _written(trace: Trace, argued: set[int]) -> list[tuple[Holder, Var]]:
    """The holders whose variable has changed, and the variable to write back."""
    found = []
    for holder in trace.holders.values():
        now = holder.current()
        if type(now) is Var and now is not holder.var:
            if id(holder.owner) in argued:
                raise CaptureError(
                    "a captured function may not write into its arguments; clone them first (state that persists "
                    "belongs to tensors that the function closes over)"
                )
            found.append((holder, now))
    return found


def _grads(trace: Trace) -> list[tuple[Tensor, Var | None]]:
    return [(t, None if value is None else trace.adopt(value)) for t, value, _ in trace.grads.values()]


def _needed(equations: Sequence[Any], roots: Sequence[Var]) -> list[Any]:
    """The equations that contribute to a root, in order."""
    wanted = {v.number for v in roots}
    kept = []
    for equation in reversed(equations):
        if any(v.number in wanted for v in equation.outputs):
            kept.append(equation)
            wanted.update(v.number for v in equation.inputs if isinstance(v, Var))
    return kept[::-1]


# ------------------------------------------------------------------------------------------ results


def tensors_in(result: Any) -> Iterator[Tensor]:
    """The tensors of a result."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, list | tuple):
        for item in result:
            yield from tensors_in(item)
    elif isinstance(result, dict):
        yield from tensors_in(list(result.values()))


class _Slot:
    """Stands for a tensor in the structure of a result."""

    __slots__ = ("spec",)

    def __init__(self, spec: Spec) -> None:
        self.spec = spec


def _flatten(result: Any, trace: Trace) -> tuple[Any, list[Var]]:
    """The structure of a result, and the variables of its tensors."""
    found: list[Var] = []

    def visit(value: Any) -> Any:
        if isinstance(value, Tensor):
            found.append(trace.adopt(value))
            return _Slot(value._spec)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(visit(v) for v in value))
        if isinstance(value, list | tuple):
            return type(value)(visit(v) for v in value)
        if isinstance(value, dict):
            return {k: visit(v) for k, v in value.items()}
        if value is None or isinstance(value, str | int | float | bool):
            return value
        raise CaptureError(
            f"a captured function returns tensors and plain containers of them, not {type(value).__name__}"
        )

    return visit(result), found


def _unflatten(structure: Any, values: Any) -> Any:
    if isinstance(structure, _Slot):
        return wrap(next(values), structure.spec)
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*(_unflatten(v, values) for v in structure))
    if isinstance(structure, list | tuple):
        return type(structure)(_unflatten(v, values) for v in structure)
    if isinstance(structure, dict):
        return {k: _unflatten(v, values) for k, v in structure.items()}
    return structure


# ------------------------------------------------------------------------------------------ capturing


def capture(function: Callable[..., Any], *arguments: Tensor) -> Program:
    """Run a function on variables in place of values and return the program of what it did.

    Nothing is computed and no state changes. The tensors among ``arguments`` become the program's arguments, every
    other tensor that is met a live input, read and (if the function writes it) written back at each run.

    Errors: CaptureError for a value that is read (``item()``, ``bool()``, ``numpy()``), for a shape that depends on
    values, and for a new tensor that outlives the function other than as its result or a gradient.

    >>> import dovetail
    >>> w = dovetail.ones(2)
    >>> def step(x):
    ...     w.add_(x)
    ...     return w.sum()
    >>> program = dovetail.program.capture(step, dovetail.ones(2))
    >>> program(dovetail.ones(2)), w
    (tensor(4.), tensor([2., 2.]))
    """
    trace = Trace()
    placed = [_stand_in(t) for t in arguments]
    state.enter()
    token = state.tracing.set(trace)
    try:
        for t in placed:
            trace.argument(t)
        result = function(*placed)
        program = Program(trace, result)
        del result
        _refuse_survivors(trace, program)
    finally:
        trace.restore()
        state.tracing.reset(token)
        state.leave()
    return program


def _stand_in(t: Tensor) -> Tensor:
    """A tensor of the same value with a storage of its own, so that the caller's tensor is not touched."""
    made = new(type(t))
    made._data, made._spec, made._alias, made._node = raw(t), t._spec, None, None
    return made


def _refuse_survivors(trace: Trace, program: Program) -> None:
    """A tensor made during the capture that somebody keeps would be the same old one after every run."""
    kept = {id(value) for _, value, _ in trace.grads.values() if value is not None}
    for member in trace.born:
        t = member()
        if t is None or id(t) in kept:
            continue
        if isinstance(getattr(t, "_data", None), Var):
            spec = t._spec
            raise CaptureError(
                f"a tensor {list(spec.shape)} of {spec.dtype.name} was made during the capture and is still "
                f"held when it "
                "ends. A run of the program would not renew it. State must exist before the capture (run one step "
                f"eagerly first) and be written in place. (captured at {user_line()})"
            )
