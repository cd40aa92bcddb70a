"""The kernel table of a backend: op -> function on the backend's own arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from dovetail.record import registry

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.tensor.spec import Spec

Array = Any
"""An array of some backend: the core never looks inside."""

F = TypeVar("F", bound=Callable[..., Any])


class HasRecord(Protocol):
    """What a kernel is registered for: the op's public function, which carries its record, or a reference to it."""

    @property
    def record(self) -> Any: ...


class Reference:
    """An op by its name alone: a table of kernels does not wait for the definitions of all its ops."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def record(self) -> Any:
        """The op's record; its definition is imported now, if it was not yet."""
        return registry.get(self.name)

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Run the op."""
        return self.record.call(*args, **params)

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def name_of(op: HasRecord) -> str:
    """The name of an op."""
    return op.name if isinstance(op, Reference) else str(op.record.name)


class Call(NamedTuple):
    """One combination of input specs and parameters, as a kernel gets to see it once, before it runs often."""

    inputs: tuple[Spec, ...]
    """The specs after the casts of the op's dtype rule; None for an absent optional input."""
    outputs: tuple[Spec, ...]
    """The specs of all results, as the op's rules give them."""
    statics: dict[str, Any]
    """The canonical parameters: dimensions are not negative, shapes have no -1."""
    device: Device
    """Where it runs."""
    layout: tuple[Any, ...] = ()
    """How the flat inputs make up arguments where one is a list: None for an array, a length for a list."""

    @property
    def output(self) -> Spec:
        """The spec of the first result."""
        return self.outputs[0]


class Kernel(NamedTuple):
    """A function for one op, and how it wants to be called.

    ``binder``: ``fn(call)`` is asked once per combination of specs and returns the function on arrays, or None when
    it has none for this combination. ``out``: the function on arrays takes ``out=`` and may write there.
    """

    fn: Callable[..., Any]
    binder: bool = False
    out: bool = False


class KernelTable:
    """Kernels by op, filled by ``table(ops.add)(function)`` or as a decorator.

    The key is the op itself, so a misspelt op is an error when the table is made.
    """

    def __init__(self) -> None:
        self._kernels: dict[str, Kernel] = {}

    def __call__(self, *ops: HasRecord, out: bool = False) -> Callable[[F], F]:
        """Register ``kernel(*arrays, **statics) -> array`` for each op."""

        def register(fn: F) -> F:
            for op in ops:
                self._kernels[name_of(op)] = Kernel(fn, out=out)
            return fn

        return register

    def binder(self, *ops: HasRecord, out: bool = False) -> Callable[[F], F]:
        """Register ``binder(call) -> function on arrays`` for each op: what depends on specs is done once."""

        def register(fn: F) -> F:
            for op in ops:
                self._kernels[name_of(op)] = Kernel(fn, binder=True, out=out)
            return fn

        return register

    def update(self, other: KernelTable) -> None:
        """Take over every kernel of another table."""
        self._kernels.update(other._kernels)

    def remove(self, *ops: HasRecord) -> None:
        """Leave out an op that the table has taken over from another one."""
        for op in ops:
            self._kernels.pop(name_of(op), None)

    def get(self, name: str) -> Kernel | None:
        """Return the kernel registered for the op of that name."""
        return self._kernels.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._kernels

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)
