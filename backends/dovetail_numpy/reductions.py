"""Sums, means and variances over any axes of arrays in any layout, with a bounded depth of addition.

``np.add.reduce`` adds pairwise along the innermost axis only and in sequence along every other one, so that a
float32 column of 100,000 numbers loses four digits. Here no term passes through more than ceil(log2 n) + 32
additions, whatever the axes and the strides, so |error| <= (ceil(log2 n) + 32) u sum|terms| to first order
(N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 4.2: the error of a sum grows
with the height of its tree).

Along an outer axis the array is cut into slabs: 16 slabs of n / 16 rows are added onto each other, which
gives n / 16 partial sums in one contiguous sweep, and so on. That touches a tenth more memory than one
sequential sweep, and is up to 12 times as fast on narrow rows, because the inner loop runs over whole slabs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator

import numpy as np

from dovetail_numpy.geometry import blocks
from dovetail_numpy.precision import Array, narrow, widen

Axes = tuple[int, ...]

# Additions above the height of a perfect binary tree that a term may pass through.
SLACK = 32
# What NumPy's pairwise sum takes of them: blocks of up to 128 terms in 8 running sums, and a tail of up to 7.
_PAIRWISE_SLACK = 21
# This many terms may be added in any order: n - 1 <= ceil(log2 n) + SLACK.
_ANY_ORDER = 38
# An innermost axis as short as this is added slice by slice.
_SHORT_AXIS = 16
# Below this size the number of calls decides.
_MANY_TERMS = 8192
# Temporaries of this size stay in a second-level cache.
_BLOCK_BYTES = 1 << 19


def _height(count: int) -> int:
    """Return ceil(log2 count), the height of a perfect tree over ``count`` terms."""
    return (count - 1).bit_length()


def _slab_count(slack: int) -> int:
    """Return into how many slabs to cut: as many as the slack allows, since fewer levels touch less
    memory."""
    for slabs in (16, 8, 4):
        if slabs - 1 - _height(slabs) <= slack:
            return slabs
    return 2


def _fold(terms: Array, axis: int, slack: int) -> tuple[Array, int]:
    """Sum one axis that is not the innermost; return the sum and the slack that is left.

    A level of B slabs adds B - 1 to the depth and takes log2 B off the height that is left; slabs of 2 take
    no slack, so the bound holds for every length.
    """
    before, after = terms.shape[:axis], terms.shape[axis + 1 :]
    lead = (slice(None),) * axis
    while True:
        length = terms.shape[axis]
        spent = length - 1 - _height(length)
        if spent <= max(slack, 0):
            return np.add.reduce(terms, axis=axis, out=...), slack - spent
        slabs = _slab_count(slack)
        slack -= slabs - 1 - _height(slabs)
        rows, rest = divmod(length, slabs)
        partial = np.empty((*before, rows + bool(rest), *after), terms.dtype)
        whole = terms[(*lead, slice(0, rows * slabs))].reshape(*before, slabs, rows, *after)
        np.add.reduce(whole, axis=axis, out=partial[(*lead, slice(0, rows))])
        if rest:
            np.add.reduce(terms[(*lead, slice(rows * slabs, None))], axis=axis, out=partial[(*lead, rows, ...)])
        terms = partial


def _add_slices(terms: Array, slack: int) -> tuple[Array, int]:
    """Sum a short innermost axis slice by slice: NumPy's inner loop would start anew for every few
    numbers."""
    length = terms.shape[-1]
    total = terms[..., 0] + terms[..., 1]
    for index in range(2, length):
        total += terms[..., index]
    return total, slack - (length - 1 - _height(length))


def _sum_innermost(terms: Array, slack: int) -> tuple[Array, int]:
    """Sum the innermost axis, along which NumPy adds pairwise whatever the stride."""
    length = terms.shape[-1]
    if length <= _SHORT_AXIS:
        return _add_slices(terms, slack)
    spent = min(_PAIRWISE_SLACK, length - 1 - _height(length))
    return np.add.reduce(terms, axis=-1, out=...), slack - spent


def _memory_order(array: Array) -> tuple[int, ...]:
    """Return the axes from the longest stride to the shortest."""
    strides = array.strides
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(strides[axis])))


def _merge(array: Array, flags: list[bool]) -> tuple[Array, list[bool]]:
    """Merge neighbouring axes that are both reduced or both kept, where their strides make them one run."""
    lengths: list[int] = []
    strides: list[int] = []
    merged: list[bool] = []
    for length, stride, flag in zip(array.shape, array.strides, flags):
        if length == 1:
            continue
        if merged and merged[-1] == flag and strides[-1] == length * stride:
            lengths[-1] *= length
            strides[-1] = stride
        else:
            lengths.append(length)
            strides.append(stride)
            merged.append(flag)
    return array.reshape(lengths), merged


def _sum_kept(array: Array, axes: Axes) -> Array:
    """Sum ``axes`` of a floating-point array of any layout; the kept axes stay in their order."""
    if array.size < _MANY_TERMS:
        count = count_over(array, axes)
        if count <= _ANY_ORDER:
            return np.add.reduce(array, axis=axes, out=...)
        if array.dtype == np.float32:
            # Any order will do in float64, and one call is half as dear as finding a good order for few
            # numbers.
            return np.add.reduce(array, axis=axes, dtype=np.float64, out=...).astype(np.float32)
    if len(axes) == array.ndim and array.flags.c_contiguous:
        return np.add.reduce(array.reshape(-1), out=...)
    return _sum_in_memory_order(array, axes) if array.size else np.add.reduce(array, axis=axes, out=...)


def _sum_in_memory_order(array: Array, axes: Axes) -> Array:
    """Sum ``axes`` from the innermost in memory to the outermost, the longest first, within the slack."""
    order = _memory_order(array)
    work, flags = _merge(array.transpose(order), [axis in axes for axis in order])
    lengths = [length for length, flag in zip(work.shape, flags) if flag]
    slack = SLACK + _height(count_over(array, axes)) - sum(_height(length) for length in lengths)
    if flags and flags[-1]:
        work, slack = _sum_innermost(work, slack)
        flags.pop()
    while True in flags:
        axis = max((i for i, flag in enumerate(flags) if flag), key=work.shape.__getitem__)
        work, slack = _fold(work, axis, slack)
        flags.pop(axis)
    kept_order = [axis for axis in order if axis not in axes]
    work = work.reshape([array.shape[axis] for axis in kept_order])
    return work.transpose([kept_order.index(axis) for axis in range(array.ndim) if axis not in axes])


def sum_over(array: Array, axes: Axes, keepdims: bool = False) -> Array:
    """Sum ``axes``, which are distinct and not negative.

    Integers and bools give int64; 16-bit floats are added in float32 and rounded once; other dtypes keep
    theirs. Always an array, also without dimensions. |error| <= G(ceil(log2 n) + 32), and u for the 16-bit
    rounding.
    """
    if array.dtype.kind in "biu":
        return np.add.reduce(array, axis=axes, dtype=np.int64, keepdims=keepdims, out=...)
    result = narrow(_sum_kept(widen(array), axes), array.dtype)
    return _with_ones(result, array.shape, axes) if keepdims else result


# A product with ones adds in an order of its own: in 8 lanes none of so few terms passes through more additions than
# allowed.
_BLAS_TERMS = 256


@functools.lru_cache(maxsize=256)
def _ones(count: int, dtype: np.dtype[np.float32]) -> Array:
    return np.ones((count, 1), dtype)


def row_sums(rows: Array) -> Array:
    """Sum the last axis of floating numbers in 32 or 64 bits, kept as an axis of length 1; the bound of `sum_over`.

    Rows of medium length are one product with a vector of ones, which takes a fifth of the time.
    """
    length = rows.shape[-1]
    if not _SHORT_AXIS < length <= _BLAS_TERMS or not rows.flags.c_contiguous:
        return sum_over(rows, (rows.ndim - 1,), keepdims=True)
    flat = rows.reshape(-1, length)
    total: Array = np.matmul(flat, _ones(length, rows.dtype))
    return total.reshape(*rows.shape[:-1], 1)


def _with_ones(result: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Put axes of length 1 back where axes were summed."""
    return result.reshape([1 if axis in axes else length for axis, length in enumerate(shape)])


def count_over(array: Array, axes: Axes) -> int:
    """Return how many elements each sum over ``axes`` has."""
    return math.prod(array.shape[axis] for axis in axes)


def mean_over(array: Array, axes: Axes, keepdims: bool = False) -> Array:
    """Average floating-point numbers over ``axes``: their sum, divided once; nan where there are none."""
    total = _sum_kept(widen(array), axes)
    with np.errstate(invalid="ignore"):
        np.divide(total, count_over(array, axes), out=total)
    result = narrow(total, array.dtype)
    return _with_ones(result, array.shape, axes) if keepdims else result


def cuts(array: Array) -> Iterator[slice]:
    """Cut the first axis into blocks whose temporaries stay in a second-level cache."""
    length = array.shape[0]
    return blocks(length, max(1, _BLOCK_BYTES * length // max(array.nbytes, 1)))


def sum_blocks(parts: Iterable[Array], axes: Axes) -> Array:
    """Sum ``axes``, the first of which is 0, of an array that comes in blocks along axis 0.

    The bound of `sum_over` grows by 32 for more than one block: their sums have a tree of their own.
    """
    sums = [_sum_kept(part, axes) for part in parts]
    return sums[0] if len(sums) == 1 else _sum_kept(np.stack(sums), (0,))


def dot_over(left: Array, right: Array, axes: Axes) -> Array:
    """Sum ``left * right`` over ``axes``, without a temporary of their size where axis 0 is one of them.

    Both have the same shape and a dtype of 32 bits or more. The bound is that of `sum_blocks`, and 1 for the
    product.
    """
    if 0 not in axes or not left.size:
        return _sum_kept(left * right, axes)
    return sum_blocks((left[cut] * right[cut] for cut in cuts(left)), axes)


def variance_over(array: Array, axes: Axes, correction: float, keepdims: bool = False) -> Array:
    """Return the variance of floating-point numbers, their squared distance from the mean / (n - correction).

    The corrected two-pass algorithm: sum (x - m)^2 - (sum (x - m))^2 / n with the rounded mean m (T. Chan, G.
    Golub and R. LeVeque, *Algorithms for computing the sample variance*, The American Statistician 37, 1983).
    nan or inf where n <= correction, as PyTorch gives.
    """
    wide = widen(array)
    count = count_over(array, axes)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        centred = wide - mean_over(wide, axes, keepdims=True)
        drift = _sum_kept(centred, axes)
        total = dot_over(centred, centred, axes)
        total -= drift * drift / count
        total /= max(count - correction, 0)
    result = narrow(total, array.dtype)
    return _with_ones(result, array.shape, axes) if keepdims else result
