"""Hooks around the steps of optimizers: those of one, and those that all optimizers share."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from dovetail.autograd.hooks import RemovableHandle
from dovetail.errors import ArgumentRuntimeError

Hook = Callable[..., Any]

_before_all: Final[OrderedDict[int, Hook]] = OrderedDict()
_after_all: Final[OrderedDict[int, Hook]] = OrderedDict()


def registered(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Enter a hook, as the first one where ``prepend``; the handle takes it out again."""
    handle = RemovableHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of all optimizers; it may return other (args, kwargs)."""
    return registered(_before_all, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer."""
    return registered(_after_all, hook)


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step with the hooks around it; the optimizer remembers that it was called, for schedulers to see."""

    @functools.wraps(step)
    def run(self: Any, *args: Any, **keywords: Any) -> Any:
        self._opt_called = True
        given: tuple[Any, ...] = (self, *args)
        for before in (*_before_all.values(), *self._optimizer_step_pre_hooks.values()):
            replaced = before(self, given, keywords)
            if replaced is None:
                continue
            if not (isinstance(replaced, tuple) and len(replaced) == 2):
                raise ArgumentRuntimeError(
                    f"a hook before {type(self).__name__}.step must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {replaced!r}"
                )
            given, keywords = replaced
        result = step(*given, **keywords)
        for after in (*self._optimizer_step_post_hooks.values(), *_after_all.values()):
            after(self, given, keywords)
        return result

    run.hooked = True  # type: ignore[attr-defined]  # so that nobody wraps it again
    return run
