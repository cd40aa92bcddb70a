"""A reader of pickles that calls nothing but what it is given.

Python's own unpickler looks up whatever name a file has and calls it. This one is a stack machine over
:func:`pickletools.genops`, which only takes a pickle apart into opcodes: names are looked up in a table of
allowed ones, and objects can be filled but not otherwise changed. A name outside the table becomes a
placeholder, so that one pass finds all of them.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from dovetail.saving.errors import SavedFileError


class Allowed:
    """A name that a pickle may use: ``make`` is what it calls, None for a name that is only mentioned."""

    __slots__ = ("name", "make")

    def __init__(self, name: str, make: Callable[..., Any] | None = None) -> None:
        self.name = name
        self.make = make

    def __call__(self, *args: Any) -> Any:
        if self.make is None:
            raise ValueError(f"{self.name} is not something to call")
        return self.make(*args)


class Refused:
    """Stands for a name outside the table, and for all that would be made with it."""

    __slots__ = ()


REFUSED: Final = Refused()
_MARK: Final = object()


class Machine:
    """Reads one pickle after the other from a stream.

    Args:
        stream: where the pickles are; in memory, because a pickle may claim any length.
        table: the allowed names as "module name".
        persistent: makes the object of a persistent id.
        fillers: by type, what gives an object its state after it was made.
        error: makes the error for a pickle that is broken.
    """

    def __init__(
        self,
        stream: io.BytesIO,
        table: Mapping[str, Any],
        persistent: Callable[[Any], Any],
        error: Callable[[str], SavedFileError],
        fillers: Mapping[type, Callable[[Any, Any], None]] = MappingProxyType({}),
    ) -> None:
        self.stream = stream
        self.table = table
        self.persistent = persistent
        self.fillers = fillers
        self.error = error
        self.refused: dict[str, None] = {}
        """Names outside the table that were met, in their order."""

    def load(self) -> Any:
        """Return the object of the next pickle; it is worthless if :attr:`refused` is not empty."""
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        try:
            for opcode, argument, _ in pickletools.genops(self.stream):
                if opcode.name == "STOP":
                    return self.stack.pop()
                rule = _RULES.get(opcode.name)
                if rule is None:
                    raise ValueError(f"the opcode {opcode.name} is not used in such files")
                rule(self, argument)
        except SavedFileError:
            raise
        except Exception as error:  # whatever a broken pickle runs into
            raise self.error(f"holds a pickle that cannot be read: {type(error).__name__}: {error}") from error
        raise self.error("holds a pickle without an end")

    # ---------------------------------------------------------------------------------------------- the stack

    def pop_to_mark(self) -> list[Any]:
        """Return what was put on the stack since the last mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise ValueError("a mark is missing")

    def find(self, module: Any, name: Any) -> Any:
        """Return what the table has for a name, or the placeholder."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name that is not text")
        full = f"{module} {name}"
        if full in self.table:
            return self.table[full]
        self.refused[f"{module}.{name}"] = None
        return REFUSED

    def call(self, function: Any, args: Any) -> Any:
        """Return the result of an allowed function."""
        if function is REFUSED or (isinstance(args, tuple) and any(arg is REFUSED for arg in args)):
            return REFUSED
        if not isinstance(function, Allowed) or not isinstance(args, tuple):
            raise ValueError(f"a call of a {type(function).__name__}")
        return function(*args)

    def fill(self, state: Any) -> None:
        """Give the object on top of the stack its state."""
        target = self.stack[-1]
        if target is REFUSED or state is REFUSED or _has_refused(state):
            return
        filler = self.fillers.get(type(target))
        if filler is None:
            raise ValueError(f"a state for a {type(target).__name__}")
        filler(target, state)

    def set_items(self, items: list[Any]) -> None:
        """Put keys and values into the dict on top of the stack."""
        target = self.stack[-1]
        if target is REFUSED:
            return
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError(f"items for a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2]):
            target[key] = value

    def append(self, items: list[Any]) -> None:
        """Put values into the list or set on top of the stack."""
        target = self.stack[-1]
        if target is REFUSED:
            return
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, set):
            target.update(items)
        else:
            raise ValueError(f"entries for a {type(target).__name__}")


Rule = Callable[[Machine, Any], None]


def _nothing(machine: Machine, argument: Any) -> None:
    """Protocol and frames: nothing to do."""


def _push(machine: Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _constant(value: Any) -> Rule:
    return lambda machine, argument: machine.stack.append(value)


def _build(make: Callable[[Machine], Any]) -> Rule:
    return lambda machine, argument: machine.stack.append(make(machine))


def _tuple_of(count: int) -> Rule:
    def rule(machine: Machine, argument: Any) -> None:
        machine.stack[-count:] = [_checked(machine.stack, count)]

    return rule


def _checked(stack: list[Any], count: int) -> tuple[Any, ...]:
    if len(stack) < count or any(value is _MARK for value in stack[-count:]):
        raise ValueError("too few values")
    return tuple(stack[-count:])


def _dict_of(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _global(machine: Machine, argument: Any) -> None:
    machine.stack.append(machine.find(*argument.split(" ", 1)))


def _stack_global(machine: Machine, argument: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.find(module, name))


def _reduce(machine: Machine, argument: Any) -> None:
    args, function = machine.stack.pop(), machine.stack.pop()
    machine.stack.append(machine.call(function, args))


def _set_item(machine: Machine, argument: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _pop(machine: Machine, argument: Any) -> None:
    machine.stack.pop()


def _get(machine: Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[int(argument)])


def _put(machine: Machine, argument: Any) -> None:
    machine.memo[int(argument)] = machine.stack[-1]


def _memoize(machine: Machine, argument: Any) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _persistent(machine: Machine, argument: Any) -> None:
    found = machine.stack.pop()
    machine.stack.append(REFUSED if _has_refused(found) else machine.persistent(found))


def _has_refused(value: Any) -> bool:
    return isinstance(value, tuple) and any(part is REFUSED for part in value)


_RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(
        (
            "INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
            "STRING", "BINSTRING", "SHORT_BINSTRING",
            "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
            "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
        ),
        _push,
    ),
    "BYTEARRAY8": lambda machine, argument: machine.stack.append(bytearray(argument)),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": _constant(_MARK),
    "POP": _pop,
    "POP_MARK": lambda machine, argument: machine.pop_to_mark().clear(),
    "DUP": lambda machine, argument: machine.stack.append(machine.stack[-1]),
    "EMPTY_LIST": _build(lambda machine: []),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_DICT": _build(lambda machine: {}),
    "EMPTY_SET": _build(lambda machine: set()),
    "LIST": _build(lambda machine: machine.pop_to_mark()),
    "TUPLE": _build(lambda machine: tuple(machine.pop_to_mark())),
    "DICT": _build(lambda machine: _dict_of(machine.pop_to_mark())),
    "FROZENSET": _build(lambda machine: frozenset(machine.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": lambda machine, argument: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, argument: machine.append(machine.pop_to_mark()),
    "ADDITEMS": lambda machine, argument: machine.append(machine.pop_to_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, argument: machine.set_items(machine.pop_to_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "BUILD": lambda machine, argument: machine.fill(machine.stack.pop()),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    "MEMOIZE": _memoize,
    "BINPERSID": _persistent,
}  # fmt: skip
