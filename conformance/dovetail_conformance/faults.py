"""Planted faults: the host's backend, or the core, wrong in one place each. A suite that passes one is no suite.

``FAULTS`` says for each which check must find it, on which op. A fault of a kernel is a backend of its own; one
of a gradient rule or of the engine changes the core while its block runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import dovetail
from dovetail.backend import Array, Call, KernelTable, ops
from dovetail.backend.inspection import Op, forget_plans, record
from dovetail_conformance.wrapped import Wrapped, plain_kernel, registered

Plant = Callable[[], AbstractContextManager[str]]


@dataclass(frozen=True)
class Fault:
    """A fault: what it is, the check and the op that must find it, and a block that gives a backend with it."""

    number: str
    words: str
    check: str
    op: str
    plant: Plant


def _kernel(change: Callable[[KernelTable], None]) -> Plant:
    """A backend with a changed table."""

    class Faulty(Wrapped):
        """The host with a fault."""

        def change(self, table: KernelTable) -> None:
            change(table)

    return lambda: registered(Faulty)


def _bound(op: Any, binder: Callable[[Call], Callable[..., Any]]) -> Plant:
    """A backend whose kernels of one op come from a binder."""

    def change(table: KernelTable) -> None:
        table.binder(op)(binder)

    return _kernel(change)


def _replaced(op: Any, function: Callable[..., Array]) -> Plant:
    """A backend whose kernel of one op is a function of the arrays that keeps their dtype."""

    def kernel(call: Call) -> Callable[..., Array]:
        dtype = call.output.dtype.host

        def run(*arrays: Array) -> Array:
            with np.errstate(all="ignore"):
                return np.asarray(function(*arrays)).astype(dtype)

        return run

    return _bound(op, kernel)


def _sequential_sum(call: Call) -> Callable[[Array], Array]:
    dims, keep, dtype = call.statics["dim"], call.statics["keepdim"], call.output.dtype.host

    def kernel(x: Array) -> Array:
        rest = [d for d in range(x.ndim) if d not in dims]
        terms = x.transpose((*dims, *rest)).reshape(-1, *(x.shape[d] for d in rest)).astype(dtype)
        total = np.cumsum(terms, axis=0, dtype=dtype)[-1] if len(terms) else np.zeros(terms.shape[1:], dtype)
        shape = tuple(1 if d in dims else n for d, n in enumerate(x.shape))
        return np.asarray(total, dtype).reshape(shape) if keep else np.asarray(total, dtype)

    return kernel


def _last_tie(call: Call) -> Callable[[Array], Array]:
    dim, keep = call.statics["dim"], call.statics["keepdim"]

    def kernel(x: Array) -> Array:
        axis = -1 if dim is None else dim
        flat = x.reshape(-1) if dim is None else np.atleast_1d(x)
        found = np.asarray(flat.shape[axis] - 1 - np.argmax(np.flip(flat, axis), axis=axis), np.int64)
        shape = call.output.shape
        return found.reshape(shape) if keep or found.shape != shape else found

    return kernel


def _double_add(call: Call) -> Callable[..., Array]:
    right: Callable[..., Array] = plain_kernel("add")(call)
    if call.output.dtype.name != "float32":
        return right
    return lambda a, b: np.asarray(right(a, b), np.float64)


class _Copies(Wrapped):
    """Views that are copies, written as if they were not."""

    def change(self, table: KernelTable) -> None:
        def bound(call: Call) -> Callable[..., Array]:
            view = plain_kernel("permute")(call)
            return lambda x: np.array(view(x), copy=True)

        table.binder(ops.permute)(bound)

    def write(self, base: Array, view: Array, value: Array) -> bool:
        view[...] = value
        return True


def _wrong_class(call: Call) -> Callable[..., Array]:
    right = plain_kernel("index_select")(call)

    def kernel(x: Array, index: Array) -> Array:
        try:
            return right(x, index)
        except IndexError as error:
            raise ValueError("index out of bounds for the array") from error

    return kernel


@contextmanager
def _host_named(change: Callable[[], Callable[[], None]]) -> Iterator[str]:
    """The core changed, seen from a backend that is otherwise right."""
    with registered(Wrapped) as name:
        undo = change()
        forget_plans()
        try:
            yield name
        finally:
            undo()
            forget_plans()


def _rule(op: Op, name: str, function: Callable[..., Any]) -> Plant:
    """One gradient formula of an op replaced."""

    def change() -> Callable[[], None]:
        before = op.rules[name]
        op.add_rules({name: function})

        def undo() -> None:
            op.rules[name] = before

        return undo

    return lambda: _host_named(change)


def _detached(g: Any, out: Any) -> Any:
    """tanh's gradient with the result taken for a constant: its own derivative is zero."""
    fixed = out.detach()
    return g * (1 - fixed * fixed)


def _engine(name: str, function: Callable[..., Any]) -> Plant:
    """One function of the engine that walks a graph, replaced."""

    def change() -> Callable[[], None]:
        engine = dovetail.autograd.engine
        before = getattr(engine, name)
        setattr(engine, name, function)

        def undo() -> None:
            setattr(engine, name, before)

        return undo

    return lambda: _host_named(change)


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        "M03",
        "log1p(x) as log(1 + x)",
        "specials",
        "log1p",
        _replaced(ops.log1p, lambda x: np.log(x.dtype.type(1) + x)),
    ),
    Fault(
        "M05",
        "sigmoid as 1 / (1 + exp(-x))",
        "specials",
        "sigmoid",
        _replaced(ops.sigmoid, lambda x: x.dtype.type(1) / (x.dtype.type(1) + np.exp(-x))),
    ),
    Fault(
        "M08",
        "x / s as x times the reciprocal of s",
        "specials",
        "div",
        _replaced(ops.div, lambda a, b: a * (b.dtype.type(1) / b)),
    ),
    Fault(
        "M12",
        "the sign of zero lost",
        "specials",
        "neg",
        _replaced(ops.neg, lambda x: np.negative(x) if x.dtype.kind in "iu" else x.dtype.type(0) - x),
    ),
    Fault("M19", "sums one after another", "sums", "sum", _bound(ops.sum, _sequential_sum)),
    Fault("M23", "argmax takes the last tie", "values", "argmax", _bound(ops.argmax, _last_tie)),
    Fault(
        "M26",
        "the gradient of a broadcast operand is not reduced",
        "gradients",
        "mul",
        _engine("fit", lambda gradient, spec, node: gradient),
    ),
    Fault("M28", "second derivatives are zero", "second", "tanh", _rule(record("tanh"), "input", _detached)),
    Fault(
        "M29",
        "a second gradient overwrites the first",
        "differences",
        "square",
        _engine("_sum", lambda first, second: second),
    ),
    Fault(
        "M30",
        "the gradient of where lets NaN through",
        "semantics",
        "the branch that where does not take",
        _rule(record("select_by"), "input", lambda g, condition: g * condition.to(g.dtype)),
    ),
    Fault("M34", "a sum of float32 is float64", "forms", "add", _bound(ops.add, _double_add)),
    Fault("M35", "a view is a copy", "aliasing", "views and writes", lambda: registered(_Copies)),
    Fault(
        "M37", "another class of exception", "errors", "index_select", _bound(ops.index_select, _wrong_class)
    ),
)
