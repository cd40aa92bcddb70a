"""Recording a step of work: the same dispatch path, with a numbered variable where the array would be.

Specs are known, so Python reads shapes as usual. A concrete tensor that is met becomes an input, held by its holder:
the tensor itself if it is plain, its storage cell if it has aliases. An in-place write just gives the holder another
variable; at the end every holder whose variable has changed is written back after each run of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ref

from dovetail import callers
from dovetail.dispatch.aliasing import raw, stale
from dovetail.dispatch.constants import Constant
from dovetail.errors import CaptureError
from dovetail.tensor.node import next_seq
from dovetail.tensor.storage import Cell
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan
    from dovetail.tensor.spec import Spec


class Var:
    """A value of the program: what stands in ``_data`` while a step is captured."""

    __slots__ = ("number", "spec", "trace")

    def __init__(self, number: int, spec: Spec, trace: Trace) -> None:
        self.number = number
        self.spec = spec
        self.trace = trace

    def __repr__(self) -> str:
        return f"v{self.number}"


@dataclass(slots=True, eq=False, repr=False)
class Holder:
    """A tensor or storage that existed before the capture: an input, and a write-back if its variable changes."""

    owner: Tensor | Cell
    original: Any
    var: Var
    node: Any = None

    def current(self) -> Any:
        """What the owner holds now, regenerated if a write through a view has made it stale."""
        return self.owner.base if isinstance(self.owner, Cell) else raw(self.owner)

    @property
    def spec(self) -> Spec:
        """The spec of the array that is held."""
        return self.owner.spec if isinstance(self.owner, Cell) else self.owner._spec


@dataclass(slots=True, eq=False, repr=False)
class Reader:
    """A number that is read from the host at each run: a learning rate, a generator's offset."""

    read: Callable[[], Any]
    var: Var


@dataclass(slots=True, eq=False, repr=False)
class Equation:
    """One call of the program; inputs are variables or baked-in Python values."""

    plan: Plan
    inputs: tuple[Any, ...]
    outputs: tuple[Var, ...]


@dataclass(slots=True, eq=False, repr=False)
class Check:
    """A flag that must be false after each run, and the op and line that it belongs to."""

    var: Var
    op: str
    place: str


class Trace:
    """What is recorded while a step runs with variables instead of arrays."""

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self.arguments: list[Holder] = []
        self.holders: dict[int, Holder] = {}
        self.readers: list[Reader] = []
        self.keyed_readers: dict[Hashable, Var] = {}
        self.constants: dict[int, tuple[Constant, Var]] = {}
        self.checks: list[Check] = []
        self.grads: dict[int, tuple[Tensor, Tensor | None, bool]] = {}
        self.old_grads: dict[int, Tensor | None] = {}
        self.advances: dict[int, tuple[Any, int]] = {}
        self.modules: dict[int, Any] = {}
        self.guards: dict[Hashable, Callable[[], str | None]] = {}
        self.born: list[ref[Tensor]] = []
        self.start = next_seq()
        self._count = 0

    # -------------------------------------------------------------------------------- values

    def variable(self, spec: Spec) -> Var:
        """A new variable."""
        self._count += 1
        return Var(self._count, spec, self)

    def argument(self, t: Tensor) -> None:
        """Make a tensor an argument: its value differs on every run."""
        holder = self._hold(t)
        if all(a is not holder for a in self.arguments):
            self.arguments.append(holder)

    def adopt(self, t: Tensor) -> Any:
        """Return the variable of a tensor; one that is met for the first time becomes an input."""
        if type(t) is Constant:
            return self._constant(t)
        data = raw(t)
        if type(data) is Var:
            self._mine(data)
            return data
        self._hold(t)
        return raw(t)

    def _mine(self, var: Var) -> None:
        if var.trace is not self:
            raise CaptureError("a tensor of another capture, still running or failed, is used here")

    def _hold(self, t: Tensor) -> Holder:
        """Enter the holder of a tensor that exists outside the capture."""
        if t._alias is not None:
            held = self.adopt_cell(t._alias.cell)
            assert held is not None, "a storage with a variable never has a member without one"
            return held
        found = self.holders.get(id(t))
        if found is None:
            found = self.holders[id(t)] = Holder(t, t._data, self.variable(t._spec), t._node)
            t._data = found.var
        return found

    def adopt_cell(self, cell: Cell) -> Holder | None:
        """Enter a storage; everybody who looks at it becomes stale and is replayed when it is used.

        None for a storage that was made during the capture: it holds a variable already.
        """
        found = self.holders.get(id(cell))
        if found is not None:
            return found
        if type(cell.base) is Var:
            self._mine(cell.base)
            return None
        found = self.holders[id(cell)] = Holder(cell, cell.base, self.variable(cell.spec))
        cell.base = found.var
        stale(cell)
        return found

    def _constant(self, t: Constant) -> Var:
        found = self.constants.get(id(t))
        if found is None:
            found = self.constants[id(t)] = (t, self.variable(t._spec))
        return found[1]

    def reader(self, read: Callable[[], Any], spec: Spec) -> Var:
        """A number that every run reads anew: ``read()`` returns a host array of the spec."""
        var = self.variable(spec)
        self.readers.append(Reader(read, var))
        return var

    def reader_of(self, key: Hashable, read: Callable[[], Any], spec: Spec) -> Var:
        """The one variable of a number that is read anew at each run; ``key`` says which one."""
        found = self.keyed_readers.get(key)
        if found is None:
            found = self.keyed_readers[key] = self.reader(read, spec)
        return found

    def guard(self, key: Hashable, why: Callable[[], str | None]) -> None:
        """Let ``why()`` say before each run what has changed that the program has baked in, None where nothing has."""
        self.guards.setdefault(key, why)

    def advance(self, owner: Any, amount: int) -> int:
        """Note that each run moves a generator forward; returns how far this capture has moved it so far."""
        before = self.advances.get(id(owner), (owner, 0))[1]
        self.advances[id(owner)] = (owner, before + amount)
        return before

    # -------------------------------------------------------------------------------- calls

    def record(self, plan: Plan, inputs: Sequence[Any]) -> tuple[Var, ...]:
        """Enter a call instead of running its kernel."""
        outputs = tuple(self.variable(s) for s in plan.outs)
        self.equations.append(Equation(plan, tuple(inputs), outputs))
        return outputs

    def replay(self, plan: Plan, array: Any, live: Sequence[Any]) -> Var:
        """Enter a view op while an alias is regenerated."""
        return self.record(plan, (array, *live))[0]

    def add_check(self, flag: Tensor, op: str, place: str) -> None:
        """Enter a flag to be looked at after each run."""
        self.checks.append(Check(self.adopt(flag), op, place))

    def note(self, t: Tensor) -> None:
        """Remember a tensor that was made during the capture, to find those that outlive it."""
        self.born.append(ref(t))

    def set_grad(self, t: Tensor, value: Tensor | None) -> None:
        """Enter an assignment to ``grad``: the last one is repeated after each run."""
        known = self.grads.get(id(t))
        if known is None:
            self.old_grads[id(t)] = t.grad
        depends = known[2] if known is not None else value is not None
        self.grads[id(t)] = (t, value, depends)

    # -------------------------------------------------------------------------------- refusals

    def refuse_reading(self, t: Tensor, why: str) -> None:
        """Raise for a value that is asked for while there is none, with the line that asked."""
        raise CaptureError(
            f"{why}, but while a program is captured there are only shapes (tensor {list(t.shape)}, {t.dtype.name}). "
            f"Asked for at {user_line()}. Use dovetail.where(condition, a, b) in place of a branch, keep the "
            f"value in a "
            "tensor, or read it outside the captured function."
        )

    def refuse_old_graph(self, name: str) -> None:
        """Raise when backward walks into a graph from before the capture."""
        raise CaptureError(
            f"backward reached {name}, which was recorded before the capture began; its saved values would be "
            f"baked into "
            f"the program. Run the forward pass inside the captured function. (at {user_line()})"
        )

    # -------------------------------------------------------------------------------- the end

    def restore(self) -> None:
        """Put every array, graph edge and gradient back as it was: a capture by itself changes nothing."""
        for holder in self.holders.values():
            owner = holder.owner
            if isinstance(owner, Cell):
                owner.base = holder.original
                stale(owner)
            else:
                owner._data = holder.original
                owner._node = holder.node
                owner._alias = None  # it was plain; a storage that views of the capture have made goes with them
            holder.original = holder.node = None  # a second holder would keep the array from being handed over
        for key, (t, _, _) in self.grads.items():
            t._grad = self.old_grads[key]


def user_line() -> str:
    """The innermost line outside the framework, as file, number and text."""
    return callers.line()
