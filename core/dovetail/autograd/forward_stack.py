"""Anomaly mode: every node remembers the lines that made it, and a NaN in a gradient is an error that shows them."""

from __future__ import annotations

import traceback
from contextvars import Token
from types import TracebackType
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from dovetail.dispatch import state

if TYPE_CHECKING:
    from dovetail.tensor.node import Node

_stacks: Final[WeakKeyDictionary[Node, str]] = WeakKeyDictionary()


def remember(node: Node) -> None:
    """Keep the present stack for a node, if anomaly mode is on."""
    if state.anomaly.get():
        _stacks[node] = "".join(traceback.format_stack()[:-3])


def of(node: Node) -> str | None:
    """The stack of the call that made a node, if anomaly mode was on then."""
    return _stacks.get(node)


class set_detect_anomaly:
    """Switch anomaly mode on or off, at once and until the block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._token: Token[bool] | None = state.anomaly.set(bool(mode))
        self._counted = bool(mode)
        if self._counted:
            state.enter()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            state.anomaly.reset(self._token)
            self._token = None
            if self._counted:
                state.leave()


class detect_anomaly(set_detect_anomaly):
    """Inside the block, raise when a gradient becomes NaN, with the forward call that it belongs to.

    >>> import dovetail
    >>> with dovetail.autograd.detect_anomaly():
    ...     x = dovetail.ones(1, requires_grad=True)
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)
