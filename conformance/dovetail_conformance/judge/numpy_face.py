"""NumPy's functions on the judge's numbers, so that a reference written for arrays serves as a formula.

    expected = evaluate(formula_of(np.logaddexp), x, y)
    expected = evaluate(formula_of(lambda x: np.where(x > 0, np.log1p(x), 0.0)), x)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dovetail_conformance.judge.functions import FUNCTIONS

if TYPE_CHECKING:
    from dovetail_conformance.judge.number import Formula, Maths, Number

# NumPy's spelling of what Maths spells as PyTorch does. What is missing here has the same name in both.
_METHODS: Mapping[str, str] = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "power": "pow",
    "negative": "neg",
    "absolute": "abs",
    "fabs": "abs",
    "arctan2": "atan2",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}
_SAME = frozenset(
    ("add", "maximum", "minimum", "square", "matmul", "hypot", "logaddexp", "logaddexp2", *FUNCTIONS)
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
_REDUCTIONS: Mapping[str, str] = {
    "sum": "sum",
    "mean": "mean",
    "max": "amax",
    "amax": "amax",
    "min": "amin",
    "amin": "amin",
}


def formula_of(reference: Callable[..., Any]) -> Formula:
    """A formula from a function of arrays that uses NumPy's ufuncs, where, sum, mean, max and min."""
    return lambda m, *inputs: reference(*inputs)


def call_ufunc(maths: Maths, name: str, inputs: Sequence[Any]) -> Any:
    """A ufunc of numbers, or NotImplemented for one that the judge's arithmetic lacks."""
    if name in _COMPARISONS:
        return _COMPARISONS[name](maths.number(inputs[0]), maths.number(inputs[1]))
    method = _METHODS.get(name, name if name in _SAME else "")
    return getattr(maths, method)(*inputs) if method else NotImplemented


def call_function(maths: Maths, name: str, args: Sequence[Any], words: Mapping[str, Any]) -> Number | Any:
    """np.where and NumPy's reductions, or NotImplemented."""
    if name == "where" and len(args) == 3 and not words:
        return maths.where(*args)
    known = {"axis": "dim", "keepdims": "keepdim"}
    if name in _REDUCTIONS and len(args) <= 2 and words.keys() <= known.keys():
        params = {known[word]: value for word, value in words.items()}
        return getattr(maths, _REDUCTIONS[name])(*args, **params)
    return NotImplemented
