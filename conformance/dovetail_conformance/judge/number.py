"""Numbers that a formula computes with, and the arithmetic that they obey.

A formula is written once, over an arithmetic ``m``, and run over several: ``WideMaths`` gives a fast
reference that knows its own error, ``Precise`` any precision, ``Running`` the error that a device may make.

    def softmax(m, x):
        powers = m.exp(x - m.amax(x, -1, keepdim=True))
        return powers / m.sum(powers, -1, keepdim=True)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dovetail_conformance.judge.functions import FUNCTIONS
from dovetail_conformance.judge.numpy_face import call_function, call_ufunc

Dim: TypeAlias = int | tuple[int, ...] | None
Arrays: TypeAlias = Callable[..., NDArray[Any]]
"""A function of NumPy arrays of any dtype, object included."""

Formula: TypeAlias = Callable[..., "Number"]
"""``formula(m, *numbers) -> Number``, over any arithmetic ``m``."""


class Number:
    """An array of numbers in one arithmetic.

    ``value`` holds them; ``error``, where the arithmetic keeps one, bounds how far each is from the truth.
    ``given`` marks the inputs, which have no error; ``direct`` what one operation made of inputs alone.
    """

    __slots__ = ("maths", "value", "error", "given", "direct")

    def __init__(
        self,
        maths: Maths,
        value: NDArray[Any],
        error: NDArray[Any],
        *,
        given: bool = False,
        direct: bool = False,
    ) -> None:
        self.maths = maths
        self.value = value
        self.error = error
        self.given = given
        self.direct = direct

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """The number of its dimensions."""
        return self.value.ndim

    def __add__(self, other: object) -> Number:
        return self.maths.add(self, other)

    def __radd__(self, other: object) -> Number:
        return self.maths.add(other, self)

    def __sub__(self, other: object) -> Number:
        return self.maths.sub(self, other)

    def __rsub__(self, other: object) -> Number:
        return self.maths.sub(other, self)

    def __mul__(self, other: object) -> Number:
        return self.maths.mul(self, other)

    def __rmul__(self, other: object) -> Number:
        return self.maths.mul(other, self)

    def __truediv__(self, other: object) -> Number:
        return self.maths.div(self, other)

    def __rtruediv__(self, other: object) -> Number:
        return self.maths.div(other, self)

    def __pow__(self, other: object) -> Number:
        return self.maths.pow(self, other)

    def __rpow__(self, other: object) -> Number:
        return self.maths.pow(other, self)

    def __matmul__(self, other: object) -> Number:
        return self.maths.matmul(self, other)

    def __neg__(self) -> Number:
        return self.maths.neg(self)

    def __abs__(self) -> Number:
        return self.maths.abs(self)

    def __getitem__(self, index: Any) -> Number:
        return self.maths.move(lambda a: a[index], self)

    # Comparisons look at the values alone: a branch is decided as if they were exact.

    def __lt__(self, other: object) -> NDArray[np.bool_]:
        return np.asarray(self.value < self.maths.number(other).value, bool)

    def __le__(self, other: object) -> NDArray[np.bool_]:
        return np.asarray(self.value <= self.maths.number(other).value, bool)

    def __gt__(self, other: object) -> NDArray[np.bool_]:
        return np.asarray(self.value > self.maths.number(other).value, bool)

    def __ge__(self, other: object) -> NDArray[np.bool_]:
        return np.asarray(self.value >= self.maths.number(other).value, bool)

    def __eq__(self, other: object) -> NDArray[np.bool_]:  # type: ignore[override]  # elementwise, as in NumPy
        return np.asarray(self.value == self.maths.number(other).value, bool)

    def __ne__(self, other: object) -> NDArray[np.bool_]:  # type: ignore[override]  # elementwise, as in NumPy
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]  # as arrays have none

    # NumPy's functions, and operators with an array on the left, come here.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **words: Any) -> Any:
        if method != "__call__" or words:
            return NotImplemented
        return call_ufunc(self.maths, ufunc.__name__, inputs)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], words: dict[str, Any]
    ) -> Any:
        return call_function(self.maths, function.__name__, args, words)

    def __repr__(self) -> str:
        return f"Number({self.value!r}, error={self.error!r})"


class Maths(ABC):
    """What a formula may call: operators, the functions of ``FUNCTIONS``, reductions, and moves of elements.

    Names and parameters are PyTorch's; operands are numbers, arrays or Python scalars, and broadcast.
    """

    @property
    @abstractmethod
    def pi(self) -> Number:
        """The constant, as precise as the arithmetic is."""

    @abstractmethod
    def number(self, values: object) -> Number:
        """Values as an exact input: a number is itself, a constant is converted as the arithmetic does it."""

    @abstractmethod
    def add(self, input: object, other: object) -> Number:
        """input + other."""

    @abstractmethod
    def sub(self, input: object, other: object) -> Number:
        """input - other."""

    @abstractmethod
    def mul(self, input: object, other: object) -> Number:
        """input * other."""

    @abstractmethod
    def div(self, input: object, other: object) -> Number:
        """input / other."""

    @abstractmethod
    def pow(self, input: object, exponent: object) -> Number:
        """input to the power of exponent."""

    @abstractmethod
    def atan2(self, input: object, other: object) -> Number:
        """The angle of the point (other, input)."""

    @abstractmethod
    def neg(self, input: object) -> Number:
        """-input."""

    @abstractmethod
    def abs(self, input: object) -> Number:
        """The absolute value."""

    @abstractmethod
    def maximum(self, input: object, other: object) -> Number:
        """The larger one; NaN if either is."""

    @abstractmethod
    def minimum(self, input: object, other: object) -> Number:
        """The smaller one; NaN if either is."""

    @abstractmethod
    def where(self, condition: NDArray[np.bool_], input: object, other: object) -> Number:
        """Elements of input where the condition holds, else of other."""

    @abstractmethod
    def sum(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The sum over ``dim``, or of everything."""

    @abstractmethod
    def mean(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The mean over ``dim``, or of everything."""

    @abstractmethod
    def amax(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The largest element over ``dim``, or of all."""

    @abstractmethod
    def amin(self, input: object, dim: Dim = None, keepdim: bool = False) -> Number:
        """The smallest element over ``dim``, or of all."""

    @abstractmethod
    def linear(self, op: str, compute: Arrays, input: object, n: int) -> Number:
        """The op ``op`` as sums of up to ``n`` elements of one input, with factors that are not negative.

        ``compute`` does it on any array: ``m.linear("cumsum", lambda a: np.cumsum(a, 1), x, x.shape[1])``.
        """

    @abstractmethod
    def bilinear(self, op: str, compute: Arrays, input: object, other: object, n: int) -> Number:
        """The op ``op`` as sums of up to ``n`` products of elements of two inputs: convolutions, einsum."""

    @abstractmethod
    def function(self, name: str, input: object) -> Number:
        """A function of one variable, by its name in ``FUNCTIONS``."""

    @abstractmethod
    def move(self, mover: Arrays, *inputs: object) -> Number:
        """Elements moved about and not changed: ``m.move(lambda a: a.reshape(2, -1), x)``; any NumPy function
        of arrays that only selects and places (reshape, transpose, take, concatenate, pad with zeros)."""

    def matmul(self, input: object, other: object) -> Number:
        """The matrix product, with NumPy's and PyTorch's rules for 1-d and batched operands."""
        a = self.number(input)
        return self.bilinear("matmul", np.matmul, a, other, a.shape[-1])

    def dot(self, input: object, other: object) -> Number:
        """The inner product of two vectors."""
        return self.matmul(input, other)

    def square(self, input: object) -> Number:
        """input * input."""
        return self.mul(input, input)

    def hypot(self, input: object, other: object) -> Number:
        """sqrt(input^2 + other^2); infinite if either is, be the other one NaN."""
        a, b = self.number(input), self.number(other)
        infinite = (self.abs(a) == np.inf) | (self.abs(b) == np.inf)
        root = self.function("sqrt", self.add(self.square(a), self.square(b)))
        return self.where(infinite, np.inf, root)

    def logaddexp(self, input: object, other: object) -> Number:
        """log(exp(input) + exp(other)), from the larger one and the distance."""
        larger, distance = self._apart(input, other)
        return self.add(larger, self.function("log1p", self.function("exp", self.neg(distance))))

    def logaddexp2(self, input: object, other: object) -> Number:
        """log2(2^input + 2^other), from the larger one and the distance."""
        larger, distance = self._apart(input, other)
        rest = self.function("log1p", self.function("exp2", self.neg(distance)))
        return self.add(larger, self.div(rest, self.function("log", 2.0)))

    def _apart(self, input: object, other: object) -> tuple[Number, Number]:
        """The larger one, and how far apart the two are: equal infinities are not."""
        a, b = self.number(input), self.number(other)
        return self.maximum(a, b), self.where(a == b, 0.0, self.abs(self.sub(a, b)))

    def __getattr__(self, name: str) -> Callable[[object], Number]:
        """``m.exp`` and the like: the functions of ``FUNCTIONS`` as methods."""
        if name not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS))
            raise AttributeError(f"a formula has no function {name!r}; there are {known}")
        return lambda input: self.function(name, input)


def count_over(shape: tuple[int, ...], dim: Dim) -> int:
    """How many elements a reduction of ``shape`` over ``dim`` puts into each result."""
    if dim is None:
        dim = tuple(range(len(shape)))
    dims = dim if isinstance(dim, tuple) else (dim,)
    return int(np.prod([shape[d] for d in dims], dtype=np.int64))
