"""One row: a program over a PyTorch-shaped module, and its answer or its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Program = Callable[[Any], Any]
"""Takes the module and gives a tensor, a number, a dtype, a text, or a list of these."""


@dataclass(frozen=True)
class Case:
    """A row of semantics.

    ``answer`` is what the program gives: plain numbers, names of dtypes and lists of these, in which NaN equals NaN
    and the sign of zero counts. With ``error``, the program must raise it with all ``words``.
    """

    table: str
    name: str
    program: Program
    answer: Any = None
    error: type[BaseException] | tuple[type[BaseException], ...] | None = None
    words: Sequence[str] = ()
    warns: str = ""


def value(name: str, program: Program, answer: Any) -> Case:
    """A row of the table of values and dtypes."""
    return Case("values", name, program, answer)


def gradient(name: str, function: Program, points: Any, answer: Any) -> Case:
    """A row of the table of gradients: the gradient of the sum of ``function(x)`` at ``points``."""

    def program(torch: Any) -> Any:
        x = torch.tensor(points, requires_grad=True)
        made = function(torch)(x)
        made.sum().backward()
        return x.grad

    return Case("gradients", name, program, answer)


def aliasing(name: str, program: Program, answer: Any) -> Case:
    """A row on aliasing and in-place writes."""
    return Case("aliasing", name, program, answer)


def refusal(
    name: str, program: Program, error: type[BaseException] | tuple[type[BaseException], ...], *words: str
) -> Case:
    """A row of the table of errors."""
    return Case("errors", name, program, None, error, words)


def plain(result: Any) -> Any:
    """A result as plain Python data."""
    if hasattr(result, "detach"):
        return plain(result.detach().numpy())
    if isinstance(result, np.ndarray | np.generic):
        array = np.asarray(result)
        return array.astype(np.float64).tolist() if array.dtype.kind not in "biu" else array.tolist()
    if isinstance(result, list | tuple):
        return [plain(r) for r in result]
    if hasattr(result, "itemsize") and hasattr(result, "is_floating_point"):
        return str(result).rsplit(".", 1)[-1]
    return result


def same(got: Any, right: Any) -> bool:
    """Whether two plain results are the same: NaN equals NaN, and -0.0 is not 0.0."""
    if isinstance(right, list):
        if not isinstance(got, list) or len(got) != len(right):
            return False
        return all(same(g, r) for g, r in zip(got, right, strict=True))
    if isinstance(right, float) and isinstance(got, float):
        if np.isnan(right):
            return bool(np.isnan(got))
        if right == 0 or got == 0:
            return got == right and bool(np.signbit(got) == np.signbit(right))
        return bool(np.isclose(got, right, rtol=1e-6, atol=0))
    return bool(got == right)
