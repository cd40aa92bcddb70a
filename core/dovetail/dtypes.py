"""Element types and how they promote.

The lattice is PyTorch's: categories bool < integer < floating < complex; inside a category the wider type wins,
uint8 with a signed type gives the next wider signed one, float16 with bfloat16 gives float32.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dovetail.errors import ArgumentTypeError

BOOL: Final = 0
INTEGER: Final = 1
FLOATING: Final = 2
COMPLEX: Final = 3
"""Categories in order of promotion."""


class dtype:
    """An element type, one object per type: compare with ``is`` or ``==``.

    ``name`` is the plain word ("float32"), ``itemsize`` the bytes of
    an element, ``category`` one of bool, integer, floating, complex.

    >>> import dovetail
    >>> dovetail.float32.itemsize, dovetail.float32.is_floating_point
    (4, True)
    """

    __slots__ = ("name", "_host", "itemsize", "category", "is_signed", "legacy_name")

    def __init__(self, name: str, host: Any, category: int, legacy_name: str, itemsize: int | None = None) -> None:
        self.name = name
        self._host: np.dtype[Any] | None = None if host is None else np.dtype(host)
        self.itemsize: int = itemsize or self.host.itemsize
        self.category = category
        self.is_signed = category >= FLOATING or (category == INTEGER and not name.startswith("u"))
        self.legacy_name = legacy_name

    @property
    def host(self) -> np.dtype[Any]:
        """The NumPy dtype of host copies. That of bfloat16 comes from ml_dtypes, which is loaded when it is needed."""
        if self._host is None:
            import ml_dtypes  # a library of its own, which most programs do without

            self._host = np.dtype(getattr(ml_dtypes, self.name))
        return self._host

    @property
    def is_floating_point(self) -> bool:
        """Whether elements are real floating-point numbers."""
        return self.category == FLOATING

    @property
    def is_complex(self) -> bool:
        """Whether elements are complex numbers."""
        return self.category == COMPLEX

    def to_real(self) -> dtype:
        """Return the real type of the same precision."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def __repr__(self) -> str:
        return f"dovetail.{self.name}"

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return by_name, (self.name,)

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> dtype:
        return self


bool_ = dtype("bool", np.bool_, BOOL, "Bool")
uint8 = dtype("uint8", np.uint8, INTEGER, "Byte")
int8 = dtype("int8", np.int8, INTEGER, "Char")
int16 = dtype("int16", np.int16, INTEGER, "Short")
int32 = dtype("int32", np.int32, INTEGER, "Int")
int64 = dtype("int64", np.int64, INTEGER, "Long")
uint16 = dtype("uint16", np.uint16, INTEGER, "UInt16")
uint32 = dtype("uint32", np.uint32, INTEGER, "UInt32")
uint64 = dtype("uint64", np.uint64, INTEGER, "UInt64")
float16 = dtype("float16", np.float16, FLOATING, "Half")
bfloat16 = dtype("bfloat16", None, FLOATING, "BFloat16", itemsize=2)
float32 = dtype("float32", np.float32, FLOATING, "Float")
float64 = dtype("float64", np.float64, FLOATING, "Double")
complex64 = dtype("complex64", np.complex64, COMPLEX, "ComplexFloat")
complex128 = dtype("complex128", np.complex128, COMPLEX, "ComplexDouble")

ALL: Final = (
    bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
_BY_NAME: Final = {d.name: d for d in ALL}
_BY_HOST: Final = {d.host: d for d in ALL if d is not bfloat16}

_SIGNED: Final = (int8, int16, int32, int64)


def by_name(name: str) -> dtype:
    """Return the type called ``name``; KeyError when there is none."""
    return _BY_NAME[name]


def from_host(host: Any) -> dtype:
    """Return the type of a NumPy dtype; TypeError when dovetail has no such type."""
    plain = np.dtype(host)
    if plain.name == bfloat16.name:
        return bfloat16
    found = _BY_HOST.get(plain)
    if found is None:
        raise ArgumentTypeError(
            f"can't convert an array of type {np.dtype(host)}: supported are {', '.join(d.name for d in ALL)}"
        )
    return found


def _promote_integers(a: dtype, b: dtype) -> dtype:
    if a.is_signed == b.is_signed:
        return a if a.itemsize >= b.itemsize else b
    signed, unsigned = (a, b) if a.is_signed else (b, a)
    if signed.itemsize > unsigned.itemsize:
        return signed
    if unsigned is not uint8:
        raise ArgumentTypeError(
            f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {a.name} and {b.name}"
        )
    return int16


def _promote(a: dtype, b: dtype) -> dtype:
    if a is b:
        return a
    if a.category != b.category:
        high, low = (a, b) if a.category > b.category else (b, a)
        if high.category == COMPLEX and low is float64:
            return complex128
        return high
    if a.category == INTEGER:
        return _promote_integers(a, b)
    if {a, b} == {float16, bfloat16}:
        return float32
    return a if a.itemsize >= b.itemsize else b


_TABLE: Final[dict[tuple[dtype, dtype], dtype]] = {}


def promote_types(a: dtype, b: dtype) -> dtype:
    """Return the smallest type that both types convert to, as PyTorch's table has it.

    >>> import dovetail
    >>> dovetail.promote_types(dovetail.int32, dovetail.float32)
    dovetail.float32
    """
    found = _TABLE.get((a, b))
    if found is None:
        found = _TABLE[a, b] = _promote(a, b)
    return found


def can_cast(source: dtype, target: dtype) -> bool:
    """Tell whether an in-place op may write results of ``source`` into ``target``: never down a category."""
    if source.category > target.category:
        return False
    return not (target.category == BOOL and source.category != BOOL)
