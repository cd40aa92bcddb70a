"""Aliases: tensors that look at one storage, and how each of them gets its value from it.

A plain tensor has no alias and costs nothing. There are two chains because there are two groups: tensors that share
storage (``detach`` and ``.data`` too), and tensors that share a graph (views).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from dovetail.tensor.spec import Spec
    from dovetail.tensor.tensor import Tensor

Steps = tuple[Any, ...]
"""Plans of view ops, applied one after the other."""

Strides = tuple[int, ...]


class Cell:
    """A storage that several tensors look at.

    ``base`` is the array, ``version`` counts the writes, ``members`` are weak references to everybody who looks: a
    write makes them stale, and dead ones are dropped whenever the list has doubled.
    """

    __slots__ = ("base", "spec", "version", "members", "limit", "__weakref__")

    def __init__(self, base: Any, spec: Spec, version: int) -> None:
        self.base = base
        self.spec = spec
        self.version = version
        self.members: list[ref[Tensor]] = []
        self.limit = 8

    def join(self, tensor: Tensor) -> None:
        """Enter a tensor that looks at this storage."""
        members = self.members
        members.append(ref(tensor))
        if len(members) > self.limit:
            self.prune()

    def prune(self) -> None:
        """Drop the references to tensors that are gone."""
        self.members = [m for m in self.members if m() is not None]
        self.limit = max(8, 2 * len(self.members))


class Alias:
    """How one tensor looks at a storage.

    ``steps`` lead from the cell's base to its value. ``root`` is the graph base of a view (None for a base itself and
    for a detached alias, which keep their own edge), ``rsteps`` lead from the root to the view. ``strides`` are
    PyTorch's logical ones, in elements.
    """

    __slots__ = ("cell", "steps", "root", "rsteps", "strides")

    def __init__(self, cell: Cell, steps: Steps, root: Tensor | None, rsteps: Steps, strides: Strides) -> None:
        self.cell = cell
        self.steps = steps
        self.root = root
        self.rsteps = rsteps
        self.strides = strides

    @property
    def offset(self) -> int:
        """Where in the storage the first element lies, in elements; asked for too rarely to be kept."""
        strides, offset = contiguous_strides(self.cell.spec.shape), 0
        for plan, live in self.steps:
            strides, offset = plan.op.view(plan, strides, offset, live)
        return offset


def contiguous_strides(shape: tuple[int, ...]) -> Strides:
    """Row-major strides in elements, as PyTorch counts them (an empty dimension counts as one)."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_contiguous(shape: tuple[int, ...], strides: Strides) -> bool:
    """Tell whether the elements lie in row-major order without gaps."""
    if 0 in shape:
        return True
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True
