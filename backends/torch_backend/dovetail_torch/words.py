"""The random stream on PyTorch, which has unsigned words and no arithmetic of them: their bits are int64 here.

`dovetail.backend.streams` defines every result, bit for bit. Its functions take any object with the operators that
they use, so they get one that knows what a shift of an unsigned number is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import array_api_compat.torch as standard
import torch

from dovetail.backend import Array, KernelTable, dtypes, ops, streams
from dovetail_torch.exact import sqrt

TOP: Final = -(2**63)
"""The highest bit alone: flipped, it makes the order of int64 that of uint64."""


class Bits:
    """Unsigned 64-bit numbers: int64 tensors with their bits, and the dtype that the words had."""

    __slots__ = ("bits", "dtype")

    def __init__(self, bits: Array, dtype: Any = torch.uint64) -> None:
        self.bits = bits
        self.dtype = dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the words."""
        return tuple(self.bits.shape)

    def __add__(self, other: Any) -> Bits:
        return Bits(self.bits + _signed(other), self.dtype)

    def __mul__(self, other: Any) -> Bits:
        return Bits(self.bits * _signed(other), self.dtype)

    def __and__(self, other: Any) -> Bits:
        return Bits(self.bits & _signed(other), self.dtype)

    def __or__(self, other: Any) -> Bits:
        return Bits(self.bits | _signed(other), self.dtype)

    def __xor__(self, other: Any) -> Bits:
        return Bits(self.bits ^ _signed(other), self.dtype)

    def __lshift__(self, count: int) -> Bits:
        return Bits(self.bits << count, self.dtype)

    def __rshift__(self, count: int) -> Bits:
        kept = (1 << (64 - count)) - 1
        return Bits((self.bits >> count) & kept if count else self.bits, self.dtype)

    def __getitem__(self, index: Any) -> Bits:
        return Bits(self.bits[index], self.dtype)


def _signed(value: Any) -> Any:
    """The int64 with the same bits."""
    if isinstance(value, Bits):
        return value.bits
    return value - 2**64 if value >= 2**63 else value


class _Namespace:
    """PyTorch's namespace for code that mixes words and numbers, with a root that is rounded correctly."""

    sqrt = staticmethod(sqrt)

    def __getattr__(self, name: str) -> Any:
        return getattr(standard, name)

    def astype(self, x: Any, dtype: Any) -> Array:
        """Convert words, which must be below 2^63, or numbers."""
        return (x.bits if isinstance(x, Bits) else x).to(dtype)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Reshape words or numbers."""
        return Bits(x.bits.reshape(shape), x.dtype) if isinstance(x, Bits) else x.reshape(shape)


_xp: Final = _Namespace()


def bits_of(words: Array) -> Bits:
    """The words of a draw with their arithmetic."""
    wide = words.view(torch.int64) if words.dtype is torch.uint64 else words.to(torch.int64)
    return Bits(wide, words.dtype)


def random_words(state: Array, shape: Sequence[int], width: int) -> Array:
    """The random words of one draw: uint32 for width 32, uint64 for width 64."""
    count = streams.blocks(shape, width)
    seed, stream, offset = (Bits(state[i : i + 1]) for i in range(3))
    c0 = offset + Bits(torch.arange(1, count + 1, device=state.device))
    carry = ((c0.bits ^ TOP) < (offset.bits ^ TOP)).to(torch.int64)
    zero = torch.zeros_like(carry)
    drawn = torch.stack([w.bits for w in _rounds([c0, Bits(carry), Bits(zero), Bits(zero)], seed, stream)], dim=-1)
    flat = drawn.reshape(-1)
    words = flat.view(torch.int32).view(torch.uint32) if width == 32 else flat.view(torch.uint64)
    return words[: math.prod(shape)].reshape(tuple(shape))


def _rounds(counter: list[Bits], k0: Bits, k1: Bits) -> list[Bits]:
    """Ten rounds of Philox4x64 (J. Salmon and others, Parallel random numbers: as easy as 1, 2, 3, SC'11)."""
    c0, c1, c2, c3 = counter
    m0, m1 = streams.multiplier_halves()
    for _ in range(streams.PHILOX_ROUNDS):
        high0, low0 = streams.multiply_wide(c0, *m0)
        high1, low1 = streams.multiply_wide(c2, *m1)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + streams.PHILOX_WEYL[0], k1 + streams.PHILOX_WEYL[1]
    return [c0, c1, c2, c3]


def own(dtype: dtypes.dtype) -> Any:
    """PyTorch's dtype of the same name."""
    return getattr(torch, dtype.name)


def extend(table: KernelTable) -> None:
    """Add the kernels of random numbers."""
    table(ops.random_words)(random_words)

    @table(ops.uniform_from_words)
    def uniform(words: Array, dtype: dtypes.dtype, low: float, high: float) -> Array:
        return streams.uniform_from_words(_xp, bits_of(words), dtype=own(dtype), low=low, high=high)

    @table(ops.normal_from_words)
    def normal(words: Array, dtype: dtypes.dtype, mean: float, std: float) -> Array:
        return streams.normal_from_words(_xp, bits_of(words), dtype=own(dtype), mean=mean, std=std)

    @table(ops.randint_from_words)
    def randint(words: Array, low: int, high: int) -> Array:
        return streams.randint_from_words(_xp, bits_of(words), low=low, high=high)

    @table(ops.permutation_from_words)
    def permutation(words: Array) -> Array:
        return torch.argsort(bits_of(words).bits ^ TOP, stable=True)

    @table(ops.bernoulli_from_words)
    def bernoulli(words: Array, p: float) -> Array:
        return streams.bernoulli_from_words(_xp, bits_of(words), p=p)

    @table(ops.bernoulli_each_from_words)
    def bernoulli_each(words: Array, p: Array) -> Array:
        return streams.bernoulli_from_words(_xp, bits_of(words), p=p)
