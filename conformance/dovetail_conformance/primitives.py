"""What every primitive op is in the judge's arithmetic: from captured programs to references and bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from dovetail.backend.inspection import Plan
from dovetail_conformance.judge import FUNCTIONS, Maths, Number, Running, round_to, ulp_at
from dovetail_conformance.judge.ulp import widen

Host = np.ndarray[Any, Any]
Value = Any
"""A number of the judge, a host array of whole numbers or truth values, or a plain Python value."""

MOVES: Final = frozenset(
    (
        "index_select",
        "gather",
        "cat",
        "copy_to",
        "filled",
        "index_copy",
        "scatter_elements",
        "basic_index_put",
    )
)
"""Ops besides views that place elements and change none."""

JUMPS: Final = frozenset(("sign", "floor", "round", "floor_divide"))
"""Step functions: between two steps they are constants, so the values of a run stand for them."""

_TWO: Final = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "power": "pow", "atan2": "atan2",
               "maximum": "maximum", "minimum": "minimum"}  # fmt: skip
_ONE: Final = {"neg": "neg", "abs": "abs"}


class Unknown(Exception):
    """A primitive that has no counterpart in the judge's arithmetic."""


def step(m: Maths, plan: Plan, inputs: Sequence[Value], ran: Host, taken: Sequence[Any]) -> Value:
    """One equation in an arithmetic; ``ran`` is what it gave on the host for ``taken``, which settles every branch.

    Errors: Unknown for a primitive that is not listed.
    """
    name, statics = plan.op.name, plan.statics
    if not plan.out.dtype.is_floating_point or name in JUMPS:
        return m.number(ran) if plan.out.dtype.is_floating_point else ran
    if name in _TWO:
        return getattr(m, _TWO[name])(*inputs)
    if name in ("remainder", "fmod"):
        return _remainder(m, inputs, ran, taken)
    if name in _ONE:
        return getattr(m, _ONE[name])(*inputs)
    if name == "clone":
        return m.number(inputs[0])
    if name in FUNCTIONS:
        return m.function(name, inputs[0])
    if name in MOVES or plan.op.view is not None:
        return _move(m, plan, inputs, plan.kernel)
    made = _HANDLERS.get(name)
    if made is not None:
        return made(m, statics, inputs, plan)
    if not any(isinstance(x, Number) for x in inputs):
        return m.number(ran)  # made of whole numbers alone: random draws, counters
    raise Unknown(f"the judge has no arithmetic for the primitive {name}")


def _move(m: Maths, plan: Plan, inputs: Sequence[Value], kernel: Callable[..., Any]) -> Number:
    """Number the elements, let the kernel move the numbers, and take the elements from where they came."""
    places: list[Any] = []
    numbers: list[Number] = []
    count = 0
    for x in inputs:
        if isinstance(x, Number):
            size = x.value.size
            places.append(np.arange(count, count + size).reshape(x.shape))
            numbers.append(x)
            count += size
        else:
            places.append(x)
    positions = np.asarray(kernel(*places)).astype(np.int64)

    def mover(*arrays: Any) -> Any:
        flat = [np.asarray(a).reshape(-1) for a in arrays]
        return (flat[0] if len(flat) == 1 else np.concatenate(flat))[positions]

    return m.move(mover, *numbers)


def _cast(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    x = m.number(inputs[0])
    if not isinstance(m, Running) or not isinstance(inputs[0], Number):
        return x
    source = plan.ins[0]
    if source is not None and source.dtype.itemsize < plan.out.dtype.itemsize:
        return x  # a wider type holds every number of a narrower one
    size = np.asarray(np.abs(x.value) + x.error, np.longdouble)
    with np.errstate(all="ignore"):
        return Number(
            m, x.value, np.asarray(x.error + ulp_at(size, m.format) / 2, np.longdouble), direct=x.direct
        )


def _select(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    condition, a, b = inputs
    return m.where(np.asarray(condition, bool), a, b)


def _reduction(name: str) -> Callable[..., Number]:
    def run(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
        found: Number = getattr(m, name)(inputs[0], statics["dim"], statics["keepdim"])
        return found

    return run


def _matmul(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    return m.matmul(*inputs)


def _cumsum(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    x, dim = m.number(inputs[0]), statics["dim"]
    if not x.shape:
        return x
    return m.linear("cumsum", lambda a: np.cumsum(a, axis=dim), x, x.shape[dim])


def _index_add(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    base, index, source = inputs
    dim = statics["dim"]

    def collect(a: Any) -> Any:
        out = np.zeros(base.shape, a.dtype)
        np.add.at(out, (slice(None),) * dim + (index,), a)
        return out

    added = m.linear("index_add", collect, source, max(int(np.size(index)), 1))
    alpha = statics.get("alpha", 1)
    return m.add(base, added if alpha == 1 else m.mul(added, float(alpha)))


def _scatter_add(m: Maths, statics: Any, inputs: Sequence[Value], plan: Plan) -> Number:
    base, index, source = inputs
    dim = statics["dim"]
    places = list(np.indices(index.shape)) if index.ndim else [np.zeros((), int)]
    places[dim if index.ndim else 0] = index

    def collect(a: Any) -> Any:
        out = np.zeros(base.shape or (1,), a.dtype)
        part = np.asarray(a)[tuple(slice(0, n) for n in index.shape)] if index.ndim else np.asarray(a)
        np.add.at(out, tuple(places), part)
        return out.reshape(base.shape)

    terms = index.shape[dim] if index.ndim else 1
    return m.add(base, m.linear("scatter_add_elements", collect, source, max(terms, 1)))


def _remainder(m: Maths, inputs: Sequence[Value], ran: Host, taken: Sequence[Any]) -> Number:
    """x - n y, with the whole number n that the run had."""
    x, y = (widen(np.asarray(v)) for v in taken)
    with np.errstate(all="ignore"):
        count = np.round((x - widen(np.asarray(ran))) / y)
    return m.sub(inputs[0], m.mul(m.number(np.where(np.isfinite(count), count, 0)), inputs[1]))


_HANDLERS: Final[dict[str, Callable[..., Number]]] = {
    "cast": _cast,
    "select_by": _select,
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "amax": _reduction("amax"),
    "amin": _reduction("amin"),
    "matmul": _matmul,
    "cumsum": _cumsum,
    "index_add": _index_add,
    "scatter_add_elements": _scatter_add,
}


def constant(m: Maths, number: Any, held: Host, dtype: str) -> Value:
    """A number of the program: the real one where it is known, with the error of its rounding if errors are kept.

    One that takes all digits of a float64, such as log 10, stands for a real number that may lie half a unit away.
    """
    if number is None or isinstance(number, bool):
        return m.number(held)
    value = widen(np.asarray(float(number)))
    if not isinstance(m, Running):
        return m.number(value)
    rounded = widen(round_to(value, m.format))
    with np.errstate(all="ignore"):
        spare = np.longdouble(0) if float(np.float32(number)) == number else np.abs(value) * np.longdouble(2.0**-53)
        error = np.where(np.isfinite(value), np.abs(rounded - value) + spare, np.longdouble(0))
    return Number(m, value, np.asarray(error, np.longdouble), given=True)
