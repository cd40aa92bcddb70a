"""16-bit floats on a namespace of the array-API standard, which has none: computed in float32, rounded once.

A namespace with such a dtype stores it. For one without, a 16-bit tensor is an array of float32 numbers that
the type can hold, under a name: as exact, in twice the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dovetail import dtypes, ops
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, Call
from dovetail.random import streams
from dovetail.record import registry
from dovetail.tensor.spec import Spec

HALF: Final = (dtypes.float16, dtypes.bfloat16)

_FORMATS: Final = {dtypes.float16: (11, 2.0**-24, 65504.0), dtypes.bfloat16: (8, 2.0**-133, 255 * 2.0**120)}
"""Bits of the significand, smallest and largest positive number."""

_CROSSING: Final = frozenset(
    op.record.name for op in (ops.copy_to, ops.cast, ops.uniform_from_words, ops.normal_from_words)
)
"""Ops that mind how numbers are stored, or round once from float64: they get the arrays as they are."""

Binder = Callable[[str, Call], Callable[..., Any] | None]
Host = np.ndarray[Any, Any]

_HOST: Final = (1, 0)
"""The CPU, in DLPack's terms."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """An array of a 16-bit dtype that the namespace lacks: its numbers, in float32."""

    values: Array
    dtype: dtypes.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return tuple(self.values.shape)

    def __dlpack_device__(self) -> tuple[int, int]:
        """A copy on the host is handed out."""
        return _HOST

    def __dlpack__(self, **words: Any) -> Any:
        """The numbers in their own format; BufferError for bfloat16, which NumPy hands out to nobody."""
        return as_half(on_host(self.values), self.dtype).__dlpack__(**words)


def on_host(array: Array) -> Host:
    """An array of a namespace as a host array, through DLPack or the array protocol."""
    try:
        return np.from_dlpack(array, device="cpu")
    except (AttributeError, BufferError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return np.asarray(array)


def as_single(array: Host) -> Host:
    """16-bit numbers as float32. ml_dtypes would make one NaN of all; bfloat16 is the upper half of a float32."""
    if array.dtype != dtypes.bfloat16.host:
        return np.array(array, np.float32, order="C", copy=True)
    bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32) << np.uint32(16)
    return bits.view(np.float32).reshape(array.shape)


def as_half(values: Host, dtype: dtypes.dtype) -> Host:
    """Float32 numbers that a 16-bit type can hold, in that type; a NaN stays one, with the bits that fit."""
    if dtype is not dtypes.bfloat16:
        return values.astype(dtype.host)
    bits = np.ascontiguousarray(values).view(np.uint32) >> np.uint32(16)
    lost = np.isnan(values).reshape(bits.shape) & ((bits & np.uint32(0x7F)) == 0)  # its bits were all below
    found = np.where(lost, bits | np.uint32(0x40), bits).astype(np.uint16).view(dtype.host)
    return found.reshape(values.shape)


def has_half(call: Call) -> bool:
    """Tell whether a 16-bit float goes into a call or comes out of it."""
    return any(map(_is_half, (*call.inputs, *call.outputs)))


def _is_half(s: Spec | None) -> bool:
    return s is not None and s.dtype in HALF


class Halves:
    """The passage between 16-bit floats and the types that a namespace computes in."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._native = [space.own[d] for d in HALF if d in space.own]

    def carries(self, dtype: dtypes.dtype) -> bool:
        """Whether a dtype is a 16-bit float that the namespace lacks."""
        return dtype in HALF and dtype not in self.space.own

    # ------------------------------------------------------------------ numbers

    def widen(self, x: Any) -> Any:
        """A 16-bit array as float32, which is exact; lists of arrays one by one, everything else as it is."""
        if isinstance(x, tuple | list):
            return tuple(map(self.widen, x))
        if isinstance(x, Carried):
            return x.values
        if self._native and getattr(x, "dtype", None) in self._native:
            return self.space.xp.astype(x, self.space.xp.float32)
        return x

    def narrow(self, x: Array, dtype: dtypes.dtype) -> Array:
        """Round float32 or float64 numbers once to a 16-bit type."""
        xp = self.space.xp
        if not self.carries(dtype):
            own = self.space.own[dtype]
            twice = self.space.has_double and x.dtype == xp.float64
            return streams.round_once(xp, x, own) if twice else xp.astype(x, own)
        return Carried(xp.astype(rounded(xp, x, dtype), xp.float32), dtype)

    def from_any(self, x: Array, dtype: dtypes.dtype) -> Array:
        """Convert an array of any dtype, rounding once."""
        x = self.widen(x)
        if not self.space.is_floating(x):
            xp = self.space.xp
            x = xp.astype(x, xp.float64 if self.space.has_double else xp.float32)
        return self.narrow(x, dtype)

    # ------------------------------------------------------------------ kernels

    def bind(self, name: str, call: Call, bind: Binder) -> Callable[..., Any] | None:
        """Bind the kernel for float32 in place of every 16-bit type, and round what it returns."""
        if name in _CROSSING:
            return bind(name, call)
        moves = registry.get(name).view is not None
        if moves and not any(self.carries(s.dtype) for s in call.outputs):
            return bind(name, call)
        kernel = bind(name, _in_single(call))
        if kernel is None:
            return None
        targets = [s.dtype if s.dtype in HALF else None for s in call.outputs]
        store = self._restore if moves else self._store
        if len(targets) == 1:
            only = targets[0]
            return lambda *arrays: store(kernel(*map(self.widen, arrays)), only)

        def run(*arrays: Any) -> tuple[Array, ...]:
            results = kernel(*map(self.widen, arrays))
            return tuple(store(r, target) for r, target in zip(results, targets, strict=True))

        return run

    def _store(self, x: Array, dtype: dtypes.dtype | None) -> Array:
        return x if dtype is None else self.narrow(x, dtype)

    def _restore(self, x: Array, dtype: dtypes.dtype | None) -> Array:
        """What was only moved needs no rounding, and a view must stay one."""
        return x if dtype is None else Carried(x, dtype)

    @property
    def namespace(self) -> Any:
        """The namespace with an ``astype`` that knows dovetail's own 16-bit dtypes."""
        return _WithHalves(self)


class _WithHalves:
    """Stands for a namespace in code written for any namespace."""

    def __init__(self, halves: Halves) -> None:
        self._halves = halves

    def __getattr__(self, name: str) -> Any:
        return getattr(self._halves.space.xp, name)

    def astype(self, x: Array, dtype: Any) -> Array:
        """Convert to a dtype of the namespace, or to one of dovetail's 16-bit floats."""
        if isinstance(dtype, dtypes.dtype):
            return self._halves.narrow(x, dtype)
        return self._halves.space.xp.astype(x, dtype)


def _in_single(call: Call) -> Call:
    """The call with float32 in place of the 16-bit types."""

    def single(s: Spec) -> Spec:
        return s.with_dtype(dtypes.float32) if _is_half(s) else s

    return Call(
        tuple(map(single, call.inputs)),
        tuple(map(single, call.outputs)),
        call.statics,
        call.device,
        call.layout,
    )


def rounded(xp: Any, x: Array, dtype: dtypes.dtype) -> Array:
    """The numbers of a 16-bit type that are nearest to ``x``, ties to even, still in the type of ``x``.

    A number is counted in units of its last place, which is a power of two, so that every step but the
    rounding is exact (the standard's ``round`` takes halves to even).
    """
    precision, smallest, largest = _FORMATS[dtype]
    size = xp.abs(x)
    unit = xp.full_like(size, smallest)
    for k in (64, 64, 64, 32, 16, 8, 4, 2, 1):  # no factor that a float32 could not hold
        unit = xp.where(size >= unit * 2.0 ** (precision - 1) * 2.0**k, unit * 2.0**k, unit)
    near = xp.round(x / unit) * unit
    infinite = xp.where(x < 0.0, xp.full_like(x, -float("inf")), xp.full_like(x, float("inf")))
    near = xp.where((xp.abs(near) > largest) | xp.isinf(x), infinite, near)
    # a zero keeps the sign of what was rounded to it
    return xp.where(near == 0.0, x * 0.0, near)
