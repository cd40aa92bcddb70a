"""uint16, uint32 and uint64, which PyTorch stores and cannot calculate with: their kernels are those of int64.

What a narrow number wraps to is cut off at the end. For uint64 the bits of sums, differences and products are the
same as for int64; comparisons take the numbers with their highest bit flipped, which keeps their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch

from dovetail.backend import Array, Call, Spec, dtypes, ops
from dovetail_torch.words import TOP

UNSIGNED: Final = (dtypes.uint16, dtypes.uint32, dtypes.uint64)

_OWN_WAY: Final = frozenset(
    op.record.name
    for op in (
        ops.cast, ops.copy_to, ops.clone, ops.random_words, ops.uniform_from_words, ops.normal_from_words,
        ops.randint_from_words, ops.permutation_from_words, ops.bernoulli_from_words, ops.bernoulli_each_from_words,
    )
)  # fmt: skip
"""Kernels that know unsigned numbers."""

_ORDERED: Final = frozenset(
    op.record.name
    for op in (
        ops.lt, ops.le, ops.gt, ops.ge, ops.maximum, ops.minimum, ops.amax, ops.amin, ops.argmax, ops.argmin,
        ops.argsort,
    )
)  # fmt: skip
"""Kernels for which numbers are more or less than others."""

_BY_HAND: Final[dict[str, Callable[[Array, Array], Array]]] = {}
"""Kernels of uint64 alone, on the bits."""

Bind = Callable[[str, Call], Callable[..., Any] | None]


def has_unsigned(name: str, call: Call) -> bool:
    """Tell whether a call needs this module."""
    return name not in _OWN_WAY and any(map(_unsigned, (*call.inputs, *call.outputs)))


def _unsigned(s: Spec | None) -> bool:
    return s is not None and s.dtype in UNSIGNED


def bind(name: str, call: Call, bind: Bind) -> Callable[..., Any] | None:
    """Bind the kernel for int64 in place of every unsigned type."""
    flip = name in _ORDERED
    longest = any(_unsigned(s) and s.dtype is dtypes.uint64 for s in call.inputs)
    by_hand = _BY_HAND.get(name) if longest else None
    kernel = by_hand or bind(name, _signed(call))
    if kernel is None:
        return None
    run, targets = kernel, [s.dtype if s.dtype in UNSIGNED else None for s in call.outputs]

    def unsigned(*arrays: Any, **live: Any) -> Any:
        result = run(*(_widen(a, flip) for a in arrays), **live)
        if isinstance(result, tuple):
            return tuple(_narrow(r, t, flip) for r, t in zip(result, targets, strict=True))
        return _narrow(result, targets[0], flip)

    return unsigned


def _signed(call: Call) -> Call:
    def wide(specs: Sequence[Spec]) -> tuple[Spec, ...]:
        return tuple(s.with_dtype(dtypes.int64) if _unsigned(s) else s for s in specs)

    return Call(wide(call.inputs), wide(call.outputs), call.statics, call.device, call.layout)


def _widen(x: Any, flip: bool) -> Any:
    if isinstance(x, tuple | list):
        return tuple(_widen(each, flip) for each in x)
    if not isinstance(x, torch.Tensor):
        return x
    if x.dtype is torch.uint64:
        return x.view(torch.int64) ^ TOP if flip else x.view(torch.int64)
    return x.to(torch.int64) if x.dtype in (torch.uint16, torch.uint32) else x


def _narrow(x: Array, target: dtypes.dtype | None, flip: bool) -> Array:
    if target is None:
        return x
    if target is dtypes.uint64:
        return (x ^ TOP if flip else x).contiguous().view(torch.uint64)
    return x.to(torch.uint16 if target is dtypes.uint16 else torch.uint32)


# ------------------------------------------------------------------------------------------ division of uint64


def _quotient(a: Array, b: Array) -> Array:
    """Half of the dividend is an int64: twice its quotient is right or one too small (Hacker's Delight, 9-3)."""
    half = (a >> 1) & (2**63 - 1)
    safe = torch.where(b == 0, 1, b)
    twice = torch.div(half, torch.where(safe < 0, 1, safe), rounding_mode="floor") << 1
    rest = a - twice * safe
    small = twice + ((rest ^ TOP) >= (safe ^ TOP)).to(torch.int64)
    return torch.where(safe < 0, ((a ^ TOP) >= (safe ^ TOP)).to(torch.int64), small)


def _rest(a: Array, b: Array) -> Array:
    return a - _quotient(a, b) * b


def _positive(x: Array) -> Array:
    return (x != 0).to(torch.int64)


_BY_HAND[ops.floor_divide.record.name] = _quotient
_BY_HAND[ops.remainder.record.name] = _rest
_BY_HAND[ops.fmod.record.name] = _rest
_BY_HAND[ops.abs.record.name] = lambda x: x  # type: ignore[assignment,misc]  # one operand
_BY_HAND[ops.sign.record.name] = _positive  # type: ignore[assignment]  # one operand
