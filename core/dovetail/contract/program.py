"""What a backend sees of a captured program: straight-line calls of bound kernels over numbered values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dovetail.tensor.spec import Spec


class Step(NamedTuple):
    """One call: ``outputs = kernel(*inputs)``; inputs are value numbers, or :class:`Literal` plain Python values."""

    op: str
    kernel: Callable[..., Any]
    inputs: tuple[int | Literal, ...]
    outputs: tuple[int, ...]


class Literal(NamedTuple):
    """A Python value that the capture has baked in, such as a position."""

    value: Any


class ProgramView(NamedTuple):
    """A captured program as a backend may compile it.

    The compiled function takes the values numbered in ``inputs``, in order, and returns those in ``outputs``.
    ``donated`` are the positions of inputs whose arrays nobody needs after the call.
    """

    inputs: tuple[int, ...]
    specs: tuple[Spec, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    donated: Sequence[int]
