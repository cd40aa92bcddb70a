"""The receipt for a hook: whoever registered it takes it away with it."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from types import TracebackType
from typing import Any, Self

_ids = count()


class RemovableHandle:
    """What registering a hook returns: ``remove()``, or leaving a ``with`` block, takes the hook away.

    Removing twice is allowed, and so is removing after the module is gone.

    >>> from dovetail import nn
    >>> layer = nn.Linear(1, 1)
    >>> with layer.register_forward_hook(lambda m, args, output: None):
    ...     len(layer._forward_hooks)
    1
    >>> len(layer._forward_hooks)
    0
    """

    def __init__(self, hooks: OrderedDict[int, Any], extra: Iterable[OrderedDict[int, Any]] = ()) -> None:
        self.id = next(_ids)
        # Weak: a handle that somebody keeps must not keep the module alive.
        self._tables = [weakref.ref(table) for table in (hooks, *extra)]

    def remove(self) -> None:
        """Take the hook away."""
        for reference in self._tables:
            table = reference()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self) -> tuple[int, list[OrderedDict[int, Any] | None]]:
        return self.id, [reference() for reference in self._tables]

    def __setstate__(self, state: tuple[int, list[OrderedDict[int, Any] | None]]) -> None:
        # Of a copied module the handle refers to the copy's tables; those that are gone are empty ones.
        self.id, tables = state
        self._tables = [weakref.ref(OrderedDict() if table is None else table) for table in tables]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def register(
    hooks: OrderedDict[int, Any],
    hook: Any,
    *,
    prepend: bool = False,
    flags: Iterable[OrderedDict[int, Any]] = (),
) -> RemovableHandle:
    """Enter a hook into its table, and its id into the tables of the options that it asks for."""
    flags = tuple(flags)
    handle = RemovableHandle(hooks, flags)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    for table in flags:
        table[handle.id] = True
    return handle
