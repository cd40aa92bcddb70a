"""The other names that PyTorch has for ops: NumPy's, and words for operators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from dovetail.ops import turned_in_place, written_forms  # noqa: F401  # whose in-place forms have other names too
from dovetail.ops.arithmetic import abs, clamp, div, mul, neg, sub
from dovetail.ops.comparison import ge, gt, le, lt, ne
from dovetail.ops.definition import bind, front
from dovetail.ops.rounding import trunc
from dovetail.ops.shape import movedim, transpose
from dovetail.ops.trigonometric import acos, acosh, asin, asinh, atan, atan2, atanh
from dovetail.tensor.tensor import Tensor

NAMES: Final[dict[str, Callable[..., Any]]] = {
    "absolute": abs,
    "negative": neg,
    "subtract": sub,
    "multiply": mul,
    "divide": div,
    "true_divide": div,
    "clip": clamp,
    "fix": trunc,
    "greater": gt,
    "greater_equal": ge,
    "less": lt,
    "less_equal": le,
    "not_equal": ne,
    "arccos": acos,
    "arccosh": acosh,
    "arcsin": asin,
    "arcsinh": asinh,
    "arctan": atan,
    "arctan2": atan2,
    "arctanh": atanh,
    "moveaxis": movedim,
    "swapaxes": transpose,
    "swapdims": transpose,
}
"""Every other name, as a function and as a method; also in place where the op is."""


def _alias(name: str, original: Callable[..., Any]) -> None:
    @functools.wraps(original)
    def function(*args: Any, **params: Any) -> Any:
        return original(*args, **params)

    function.__name__ = name
    front(method=True)(function)
    written = getattr(Tensor, f"{original.__name__}_", None)
    if written is not None:
        bind(f"{name}_", written)


for _name, _original in NAMES.items():
    _alias(_name, _original)


@front(method=True)
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Each element that is not smaller than ``min``, else ``min``."""
    return clamp(input, min=min)


@front(method=True)
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Each element that is not larger than ``max``, else ``max``."""
    return clamp(input, max=max)


@front()
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """``other - alpha * input``."""
    return sub(other, input, alpha=alpha)
