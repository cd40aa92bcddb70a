"""The lines that made a node, remembered while anomaly mode is on."""

from __future__ import annotations

import traceback
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
