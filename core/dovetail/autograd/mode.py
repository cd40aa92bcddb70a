"""Whether calls are recorded: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, TypeVar

from dovetail.dispatch import state

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Tell whether calls of this thread and task are recorded."""
    return state.grad_enabled.get()


class _GradMode:
    """A context manager and decorator that sets whether calls are recorded, for this thread and task only."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        state.enter()
        self._tokens.append(state.grad_enabled.set(self.enabled))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        state.grad_enabled.reset(self._tokens.pop())
        state.leave()

    def __call__(self, function: F) -> F:
        enabled = self.enabled

        @functools.wraps(function)
        def wrapped(*args: Any, **params: Any) -> Any:
            with _GradMode(enabled):
                return function(*args, **params)

        return wrapped  # type: ignore[return-value]  # same signature by functools.wraps


class no_grad(_GradMode):
    """Record nothing inside the block: results do not require gradients.

    >>> import dovetail
    >>> x = dovetail.ones(2, requires_grad=True)
    >>> with dovetail.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()  # type: ignore[misc]  # `@no_grad` without parentheses
        return made(function)

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_GradMode):
    """Record inside the block, also within ``no_grad``."""

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        made.__init__()  # type: ignore[misc]  # `@enable_grad` without parentheses
        return made(function)

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_GradMode):
    """Set whether calls are recorded, at once and, as a context manager, until the block ends."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self.__enter__()
        self._entered = True

    def __enter__(self) -> None:
        if getattr(self, "_entered", False):
            self._entered = False
            return
        super().__enter__()


class inference_mode(_GradMode):
    """As :class:`no_grad`, for code that will never ask for gradients; ``inference_mode(False)`` changes nothing."""

    def __new__(cls, mode: Any = True) -> Any:
        made = super().__new__(cls)
        if isinstance(mode, bool):
            return made
        made.__init__(True)  # type: ignore[misc]  # `@inference_mode` without parentheses
        return made(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode and state.grad_enabled.get())
