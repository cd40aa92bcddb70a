"""Promotion: the dtype of every pair of dtypes, held against PyTorch's table, written out, and the values besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import dovetail
from dovetail_conformance.calls import array, held
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

Make = Callable[[Any], Any]

NAMES: Final = {
    "b1": "bool", "u1": "uint8", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "f2": "float16", "bf": "bfloat16", "f4": "float32", "f8": "float64",
}  # fmt: skip

TABLE: Final = """
    b1 u1 i1 i2 i4 i8 f2 bf f4 f8
b1  b1 u1 i1 i2 i4 i8 f2 bf f4 f8
u1  u1 u1 i2 i2 i4 i8 f2 bf f4 f8
i1  i1 i2 i1 i2 i4 i8 f2 bf f4 f8
i2  i2 i2 i2 i2 i4 i8 f2 bf f4 f8
i4  i4 i4 i4 i4 i4 i8 f2 bf f4 f8
i8  i8 i8 i8 i8 i8 i8 f2 bf f4 f8
f2  f2 f2 f2 f2 f2 f2 f2 f4 f4 f8
bf  bf bf bf bf bf bf f4 bf f4 f8
f4  f4 f4 f4 f4 f4 f4 f4 f4 f4 f8
f8  f8 f8 f8 f8 f8 f8 f8 f8 f8 f8
"""
"""Two tensors with dimensions, or two without (torch.promote_types)."""

SCALARS: Final[tuple[tuple[Any, dict[str, str]], ...]] = (
    (True, {}),
    (3, {"bool": "int64"}),
    (1.5, dict.fromkeys(("bool", "uint8", "int8", "int16", "int32", "int64"), "float32")),
)
"""A Python number beside a tensor: it changes the dtype only where its category is the higher one."""


def table() -> dict[tuple[str, str], str]:
    """The table by names of dtypes."""
    head, *lines = [line.split() for line in TABLE.strip("\n").splitlines()]
    return {
        (NAMES[row], NAMES[column]): NAMES[v] for row, *cells in lines for column, v in zip(head, cells, strict=True)
    }


def category(dtype: str) -> int:
    """Bool, whole numbers, floats."""
    return 0 if dtype == "bool" else 2 if "float" in dtype else 1


def mixed(dimensioned: str, zero: str) -> str:
    """A tensor with dimensions beside one without: the latter counts where its category is the higher one."""
    return zero if category(zero) > category(dimensioned) else dimensioned


def promotion(session: Session) -> list[Row]:
    """A row for every dtype on the left: every dtype on the right, with and without dimensions, and Python numbers."""
    rows = []
    right = table()
    for left in NAMES.values():
        row = Row("promotion", left, "promotion", kind="E")
        rows.append(row)
        if not session.supports(left):
            row.status, row.reason = "unsupported", "the backend has no such dtype"
            continue
        for words, action, dtype in _cases(session, left, right):
            _one(session, row, words, action, dtype)
    return rows


def _cases(
    session: Session, left: str, right: dict[tuple[str, str], str]
) -> Iterator[tuple[str, Callable[[], Any], str]]:
    a, zero = [2, 0, 1], 1
    for other in NAMES.values():
        common = right[left, other]
        if not (session.supports(other) and session.supports(common)):
            continue
        make, with_ = _maker(left), _maker(other)
        yield f"{left}[3] + {other}[3]", partial(_sum, make, a, with_, a), common
        yield f"{left}[3] + {other}[]", partial(_sum, make, a, with_, zero), mixed(left, other)
        if session.lean:
            continue  # the core's rule is the same for these, and each is one more program to compile
        yield f"{left}[] + {other}[3]", partial(_sum, make, zero, with_, a), mixed(other, left)
        yield f"{left}[] + {other}[]", partial(_sum, make, zero, with_, zero), common
    for number, changed in SCALARS:
        make = _maker(left)
        yield f"{left}[3] * {number!r}", partial(_times, make, a, number), changed.get(left, left)
        yield f"{left}[] * {number!r}", partial(_times, make, zero, number), changed.get(left, left)


def _sum(make: Make, a: Any, with_: Make, b: Any) -> Any:
    return make(a) + with_(b)


def _times(make: Make, a: Any, number: Any) -> Any:
    return make(a) * number


def _maker(dtype: str) -> Make:
    kind = getattr(dovetail, dtype)
    return lambda values: dovetail.tensor(values, dtype=kind)


def _one(session: Session, row: Row, words: str, action: Callable[[], Any], dtype: str) -> None:
    row.cases += 1
    row.tested += 1
    try:
        with quiet(), dovetail.use_backend(session.device):
            got = action()
            inside = held(got)[1]
            values = array(got).astype(float).reshape(-1).tolist()
        with quiet(), dovetail.use_backend(session.second):
            right = array(action()).astype(float).reshape(-1).tolist()
    except Exception as error:  # whatever a backend raises is a failure of the cell
        row.fail(f"{words}: {type(error).__name__}: {error}", expected=dtype)
        return
    if (got.dtype.name, inside) != (dtype, dtype):
        row.fail(f"{words} is {got.dtype.name}, held as {inside}", expected=dtype, got=got.dtype.name)
    elif values != right:
        row.fail(f"{words} is {values}", expected=right, got=values)
