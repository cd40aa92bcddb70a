"""The base class of all neural network modules."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from dovetail.nn.hooks import Hooked


class Module(Hooked):
    """A part of a model: it owns parameters, buffers and other modules, and computes in ``forward``.

    Assigning a :class:`Parameter`, a :class:`Buffer` or another module to an attribute registers it; call
    ``super().__init__()`` before the first one. Call the module itself, not ``forward``, so that hooks run.

    The class is built in layers, one file each: what a module owns (registry.py), walking the tree
    (traversal.py), state dicts (state.py), conversion of all tensors (conversion.py), calling and hooks
    (hooks.py).

    >>> import dovetail
    >>> class Net(dovetail.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = dovetail.nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.fc(x).relu()
    >>> net = Net()
    >>> net
    Net(
      (fc): Linear(in_features=2, out_features=1, bias=True)
    )
    >>> net(dovetail.ones(3, 2)).shape
    dovetail.Size([3, 1])
    """

    def extra_repr(self) -> str:
        """Return what ``repr`` says about the module itself; override it to show constructor arguments."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        return enclose(self._get_name(), lines, children)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accept PyTorch's request to compile this module's calls; they run as they are.

        What pays is a whole step, with backward and optimizer, as one program: see :func:`dovetail.compile`.
        """

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # A pickle of an older version may lack tables that were added since.
        for table in self._hook_tables:
            self.__dict__.setdefault(table, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())


def enclose(name: str, lines: list[str], children: list[str]) -> str:
    """Write ``Name(...)``: on one line if there is one line and no child, otherwise indented."""
    if len(lines) == 1 and not children:
        return f"{name}({lines[0]})"
    if not lines and not children:
        return f"{name}()"
    body = "\n  ".join([*lines, *children])
    return f"{name}(\n  {body}\n)"


def indented(text: str) -> str:
    """Indent every line but the first, for a module inside another."""
    first, *rest = text.split("\n")
    return "\n".join([first, *("  " + line for line in rest)])
