"""Samples and error samples: the inputs that conformance draws for an op, as data in the op's record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Arg:
    """An input tensor to be drawn: shape, dtype and the range of its values.

    ``dtype`` None means the dtype under test. ``low`` and ``high`` bound uniform values (log-uniform magnitudes with
    ``log``); ``values`` gives them outright; ``distinct`` draws without ties, ``special`` allows special values.
    """

    shape: tuple[int, ...] = ()
    dtype: str | None = None
    low: float = -2.0
    high: float = 2.0
    values: Any = None
    distinct: bool = False
    log: bool = False
    grad: bool = True


@dataclass(eq=False)
class Sample:
    """One call of the op: positional arguments (tensors as :class:`Arg`) and keyword arguments."""

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    grad: bool = True
    """Whether the gradient is defined and smooth there."""


@dataclass(eq=False)
class ErrorSample:
    """A call that must fail everywhere with the same class and a message containing ``match``."""

    args: tuple[Any, ...]
    error: type[Exception]
    match: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Samples:
    """What conformance draws for an op.

    ``cases`` are the calls; ``dtypes`` the categories of the dtype under test ("float", "int", "bool"); ``special``
    whether special values (signed zeros, infinities, NaN, subnormals) are valid in every floating input.
    """

    cases: tuple[Sample, ...]
    dtypes: tuple[str, ...] = ("float",)
    errors: tuple[ErrorSample, ...] = ()
    special: bool = True


NUMERIC = ("float", "int")
ALL = ("float", "int", "bool")

_UNARY_SHAPES: tuple[tuple[int, ...], ...] = ((5,), (), (2, 3), (0, 3))
_BINARY_SHAPES: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    ((5,), (5,)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    ((0, 3), (1, 3)),
)


def unary(
    low: float = -2.0,
    high: float = 2.0,
    *,
    dtypes: tuple[str, ...] = ("float",),
    params: Sequence[dict[str, Any]] = ({},),
    errors: Sequence[ErrorSample] = (),
    special: bool = True,
    distinct: bool = False,
    log: bool = False,
) -> Samples:
    """Samples of an elementwise op of one input over ``[low, high]``, for each of ``params``."""
    cases = tuple(
        Sample((Arg(shape, low=low, high=high, distinct=distinct, log=log),), dict(p))
        for p in params
        for shape in _UNARY_SHAPES
    )
    return Samples(cases, dtypes, tuple(errors), special)


def binary(
    low: float = -2.0,
    high: float = 2.0,
    *,
    right: tuple[float, float] | None = None,
    dtypes: tuple[str, ...] = ("float",),
    errors: Sequence[ErrorSample] = (),
    special: bool = True,
    scalars: Sequence[Any] = (),
) -> Samples:
    """Samples of an elementwise op of two inputs with broadcasting; ``right`` is the range of the second."""
    right_low, right_high = right or (low, high)
    cases = [Sample((Arg(a, low=low, high=high), Arg(b, low=right_low, high=right_high))) for a, b in _BINARY_SHAPES]
    cases += [Sample((Arg((2, 3), low=low, high=high), s)) for s in scalars]
    return Samples(tuple(cases), dtypes, tuple(errors), special)


def calls(
    *cases: Sample,
    dtypes: tuple[str, ...] = ("float",),
    errors: Sequence[ErrorSample] = (),
    special: bool = False,
) -> Samples:
    """Samples given one by one."""
    return Samples(tuple(cases), dtypes, tuple(errors), special)


def call(*args: Any, grad: bool = True, **params: Any) -> Sample:
    """One call: ``call(Arg((2, 3)), dim=1)``."""
    return Sample(args, params, grad)


def error(kind: type[Exception], match: str, *args: Any, **params: Any) -> ErrorSample:
    """One call that must fail: ``error(ShapeError, "must match", Arg((3, 4)), Arg((3, 5)))``."""
    return ErrorSample(args, kind, match, params)


Draw = Callable[[Arg, str, int], Any]
"""How conformance makes host values of an :class:`Arg` for a dtype name and a seed."""
