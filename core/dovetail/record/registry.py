"""All ops that exist, by name: the one list that everything else iterates over.

The built-in families are imported when one of their names is first asked for; whoever iterates gets them all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.record.autocast import Autocast
    from dovetail.record.op import Op

_ops: Final[dict[str, Op]] = {}
_fronts: Final[dict[str, Front]] = {}
_on_removal: Final[list[Callable[[Op | Front], None]]] = []
_homes: Final[dict[str, str]] = {}
"""The module that defines each built-in op and front: a convenience, see :func:`find`."""
_catalogues: Final[list[Callable[[], None]]] = []
"""Functions that import everything built in, taken out once they have run."""


class Front(NamedTuple):
    """A public function that only chooses between ops by the form of the call, such as ``max``."""

    name: str
    function: Callable[..., Any]
    methods: tuple[str, ...]
    public: bool
    """Whether it is also a function of the top package, and not only a method."""
    autocast: Autocast | None = None
    home: str = ""
    """The module that defines it; another one than the function's where the front is a second name of an op."""


def expect(homes: Mapping[str, str], everything: Callable[[], None]) -> None:
    """Say where the built-in names are defined, and how to import all of them."""
    _homes.update(homes)
    _catalogues.append(everything)


def find(name: str) -> bool:
    """Import what defines a name; tell whether it exists.

    The table of homes is generated. Where it says nothing or something wrong, everything is imported, so that an op
    exists from the moment it is written.
    """
    if _is_there(name):
        return True
    home = _homes.get(name)
    if home is not None:
        try:
            importlib.import_module(home)
        except ModuleNotFoundError as error:
            if error.name != home:
                raise
        if _is_there(name):
            return True
    load_all()
    return _is_there(name)


def _is_there(name: str) -> bool:
    return name in _ops or name in _fronts


def load_all() -> None:
    """Import every built-in family."""
    while _catalogues:
        _catalogues[0]()
        del _catalogues[:1]


def is_builtin(name: str) -> bool:
    """Tell whether a name belongs to the built-in ops, imported or not."""
    return name in _homes


def _is_taken(name: str, module: str) -> bool:
    """Whether another definition of the name exists; for an outsider also a built-in one that is not imported yet."""
    home = _homes.get(name, module)
    is_outsider = home.rpartition(".")[0] != module.rpartition(".")[0]
    return _is_there(name) or (is_outsider and find(name))


def add(op: Op) -> None:
    """Enter an op; its name must be new."""
    if _is_taken(op.name, op.body.__module__):
        raise ArgumentError(f"an op named {op.name!r} exists already, defined in {_where(op.name)}")
    _ops[op.name] = op


def add_front(front: Front) -> None:
    """Enter a front; its name must be new."""
    if _is_taken(front.name, front.home):
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
    op = _ops.get(name)
    if op is None:
        find(name)
        op = _ops[name]
    return op


def function(name: str, *, public: bool = True) -> Callable[..., Any] | None:
    """Return the function of an op or front; without ``public=False`` only one of the top package."""
    find(name)
    op = _ops.get(name)
    if op is not None:
        return None if public and op.internal else op.call
    front = _fronts.get(name)
    return None if front is None or (public and not front.public) else front.function


def ops() -> Iterator[Op]:
    """Every op, in the order of definition."""
    load_all()
    return imported_ops()


def fronts() -> Iterator[Front]:
    """Every front, in the order of definition."""
    load_all()
    return iter(list(_fronts.values()))


def imported_ops() -> Iterator[Op]:
    """The ops whose families have been imported: the only ones that can have been called."""
    return iter(list(_ops.values()))


def imported_functions() -> dict[str, Callable[..., Any]]:
    """The public functions of the families that have been imported, by name."""
    found = {op.name: op.call for op in _ops.values() if not op.internal}
    return found | {front.name: front.function for front in _fronts.values() if front.public}


def imported_homes() -> dict[str, str]:
    """The modules that define the ops and fronts that have been imported."""
    return {op.name: op.body.__module__ for op in _ops.values()} | {f.name: f.home for f in _fronts.values()}


def names() -> set[str]:
    """The names of all ops and fronts; nothing is imported for it."""
    return {*_homes, *_ops, *_fronts}
