"""All ops that exist, by name: the one list that everything else iterates over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.record.autocast import Autocast
    from dovetail.record.op import Op

_ops: Final[dict[str, Op]] = {}
_fronts: Final[dict[str, Front]] = {}
_on_removal: Final[list[Callable[[Op | Front], None]]] = []


class Front(NamedTuple):
    """A public function that only chooses between ops by the form of the call, such as ``max``."""

    name: str
    function: Callable[..., Any]
    methods: tuple[str, ...]
    public: bool
    """Whether it is also a function of the top package, and not only a method."""
    autocast: Autocast | None = None


def add(op: Op) -> None:
    """Enter an op; its name must be new."""
    if op.name in _ops or op.name in _fronts:
        raise ArgumentError(f"an op named {op.name!r} exists already, defined in {_where(op.name)}")
    _ops[op.name] = op


def add_front(front: Front) -> None:
    """Enter a front; its name must be new."""
    if front.name in _ops or front.name in _fronts:
        raise ArgumentError(f"an op named {front.name!r} exists already, defined in {_where(front.name)}")
    _fronts[front.name] = front


def _where(name: str) -> str:
    found = _ops.get(name)
    return found.body.__module__ if found is not None else _fronts[name].function.__module__


def remove(name: str) -> None:
    """Take an op out again (plugins and tests that define one for a while)."""
    for found in (_ops.pop(name, None), _fronts.pop(name, None)):
        if found is not None:
            for listener in _on_removal:
                listener(found)


def on_removal(listener: Callable[[Op | Front], None]) -> None:
    """Call ``listener`` with every op and front that is taken out: what was bound for it goes too."""
    _on_removal.append(listener)


def get(name: str) -> Op:
    """Return the op of that name; KeyError when there is none."""
    return _ops[name]


def function(name: str, *, public: bool = True) -> Callable[..., Any] | None:
    """Return the function of an op or front; without ``public=False`` only one of the top package."""
    op = _ops.get(name)
    if op is not None:
        return None if public and op.internal else op.call
    front = _fronts.get(name)
    return None if front is None or (public and not front.public) else front.function


def ops() -> Iterator[Op]:
    """Every op, in the order of definition."""
    return iter(list(_ops.values()))


def fronts() -> Iterator[Front]:
    """Every front, in the order of definition."""
    return iter(list(_fronts.values()))
