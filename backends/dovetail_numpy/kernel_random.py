"""Random words, and the numbers made of them."""

from __future__ import annotations

from typing import Final

from dovetail.backend import Array, KernelTable, dtypes, ops
from dovetail_numpy import philox

table: Final = KernelTable()

table(ops.random_words)(philox.random_words)
table(ops.permutation_from_words)(philox.permutation_from_words)
table(ops.randint_from_words)(philox.randint_from_words)
table(ops.bernoulli_from_words)(philox.bernoulli_from_words)


@table(ops.bernoulli_each_from_words)
def _bernoulli_each(words: Array, p: Array) -> Array:
    return philox.bernoulli_from_words(words, p=p)


@table(ops.uniform_from_words)
def _uniform(words: Array, dtype: dtypes.dtype, low: float, high: float) -> Array:
    return philox.uniform_from_words(words, dtype=dtype.host, low=low, high=high)


@table(ops.normal_from_words)
def _normal(words: Array, dtype: dtypes.dtype, mean: float, std: float) -> Array:
    return philox.normal_from_words(words, dtype=dtype.host, mean=mean, std=std)
