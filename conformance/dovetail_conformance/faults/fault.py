"""A planted fault, and the ways to plant one: another kernel, another gradient rule, another function of the core."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dovetail.backend import Array, Backend, Call, KernelTable
from dovetail.backend.inspection import Op, forget_plans
from dovetail_conformance.wrapped import Wrapped, plain_kernel, registered

Plant = Callable[[], AbstractContextManager[str]]
Kernel = Callable[..., Any]


@dataclass(frozen=True)
class Fault:
    """A fault: what it is, the check and the row that must find it, and a block that gives a backend with it.

    ``op`` is the name in the row: an op's, or that of a case where the check is one of the whole backend. ``cells``
    are the ops that the fault could show in. With ``alone`` no other check finds it: without that check it survives.
    """

    number: str
    words: str
    check: str
    op: str
    plant: Plant
    cells: tuple[str, ...] = ()
    alone: bool = False
    dtype: str = ""
    """The dtype to look at where it is not the usual ones."""


def changed(change: Callable[[KernelTable], None], backend: type[Wrapped] = Wrapped) -> Plant:
    """A backend with a changed table."""

    def plant() -> AbstractContextManager[str]:
        class Faulty(backend):  # type: ignore[misc, valid-type]  # a class that is only known here
            """The host with a fault."""

            def change(self, table: KernelTable) -> None:
                change(table)

        return registered(Faulty)

    return plant


def bound(op: Any, binder: Callable[[Call], Kernel], backend: type[Wrapped] = Wrapped) -> Plant:
    """A backend whose kernels of one op come from a binder."""

    def change(table: KernelTable) -> None:
        table.binder(op)(binder)

    return changed(change, backend)


def replaced(op: Any, function: Callable[..., Array]) -> Plant:
    """A backend whose kernel of one op is a function of the arrays, and gives the dtype that is right."""

    def kernel(call: Call) -> Kernel:
        dtype = call.output.dtype.host

        def run(*arrays: Array) -> Array:
            with np.errstate(all="ignore"):
                return np.asarray(function(*arrays)).astype(dtype)

        return run

    return bound(op, kernel)


def after(op: Any, function: Callable[[Array, Call], Array]) -> Plant:
    """A backend whose kernel of one op is the right one with something done to its result."""

    def binder(call: Call) -> Kernel:
        right = plain_kernel(op.record.name)(call)

        def run(*arrays: Array) -> Array:
            with np.errstate(all="ignore"):
                return np.asarray(function(np.asarray(right(*arrays)), call), call.output.dtype.host)

        return run

    return bound(op, binder)


def before(op: Any, function: Callable[..., tuple[Array, ...]]) -> Plant:
    """A backend whose kernel of one op is the right one on other arrays."""

    def binder(call: Call) -> Kernel:
        right = plain_kernel(op.record.name)(call)
        return lambda *arrays: right(*function(*arrays))

    return bound(op, binder)


def backend_of(backend: type[Backend]) -> Plant:
    """A backend that is wrong outside its table."""
    return lambda: registered(backend)


@contextmanager
def core_changed(change: Callable[[], Callable[[], None]]) -> Iterator[str]:
    """The core changed, seen from a backend that is otherwise right; ``change`` gives what undoes it."""
    with registered(Wrapped) as name:
        undo = change()
        forget_plans()
        try:
            yield name
        finally:
            undo()
            forget_plans()


def attribute(owner: Callable[[], Any], name: str, make: Callable[[Any], Any]) -> Plant:
    """The core with one attribute of a module, class or record made anew from what it was."""

    def change() -> Callable[[], None]:
        place = owner()
        old = getattr(place, name)
        setattr(place, name, make(old))
        return lambda: setattr(place, name, old)

    return lambda: core_changed(change)


def rule(op: Callable[[], Op], name: str, function: Callable[..., Any]) -> Plant:
    """The core with one gradient formula of an op replaced."""

    def change() -> Callable[[], None]:
        found = op()
        old = found.rules[name]
        found.add_rules({name: function})

        def undo() -> None:
            found.rules[name] = old

        return undo

    return lambda: core_changed(change)
