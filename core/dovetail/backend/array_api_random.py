"""The random stream in the array-API standard: its portable form, for every namespace."""

from __future__ import annotations

from typing import Any

from dovetail import dtypes, ops
from dovetail.backend.array_api_halves import Halves
from dovetail.backend.array_api_space import Space
from dovetail.contract.kernels import Array, KernelTable
from dovetail.random import streams


def kernels_for(space: Space, halves: Halves) -> KernelTable:
    """Return the kernels of this family; they need 64-bit integers, and float64 for distributions."""
    table = KernelTable()
    xp = space.xp

    @table(ops.random_words)
    def random_words(state: Array, shape: Any, width: int) -> Array:
        return streams.random_words(xp, state, shape=shape, width=width)

    if not space.has_double:
        return table

    def own(dtype: dtypes.dtype) -> Any:
        return dtype if halves.carries(dtype) else space.own[dtype]

    @table(ops.uniform_from_words)
    def uniform(words: Array, dtype: dtypes.dtype, low: float, high: float) -> Array:
        return streams.uniform_from_words(halves.namespace, words, dtype=own(dtype), low=low, high=high)

    @table(ops.normal_from_words)
    def normal(words: Array, dtype: dtypes.dtype, mean: float, std: float) -> Array:
        return streams.normal_from_words(halves.namespace, words, dtype=own(dtype), mean=mean, std=std)

    @table(ops.randint_from_words)
    def randint(words: Array, low: int, high: int) -> Array:
        return streams.randint_from_words(xp, words, low=low, high=high)

    @table(ops.permutation_from_words)
    def permutation(words: Array) -> Array:
        return streams.permutation_from_words(xp, words)

    @table(ops.bernoulli_from_words)
    def bernoulli(words: Array, p: float) -> Array:
        return streams.bernoulli_from_words(xp, words, p=p)

    @table(ops.bernoulli_each_from_words)
    def bernoulli_each(words: Array, p: Array) -> Array:
        return streams.bernoulli_from_words(xp, words, p=p)

    return table
