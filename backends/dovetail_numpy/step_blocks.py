"""What the optimizer steps share: arrays cut into blocks, buffers that stay, and the pieces of several formulas.

A step reads and writes each array once from memory: a block of all of them stays in the second-level cache while
a dozen calls work on it, and the only temporaries are a few buffers of a block, which each thread keeps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np

from dovetail_numpy.precision import Array, wide_dtype

BLOCK: Final = 1 << 16
"""Elements of a block. Four arrays of this many float32 are a megabyte; smaller blocks cost more in calls."""
_BUFFERS: Final = 3


class _Buffers(threading.local):
    """The buffers of a thread, by dtype."""

    def __init__(self) -> None:
        self.by_dtype: dict[np.dtype[np.generic], tuple[Array, ...]] = {}


_buffers: Final = _Buffers()


def buffers(dtype: np.dtype[np.generic]) -> tuple[Array, ...]:
    """Three buffers of a block, this thread's own, with whatever was in them."""
    found = _buffers.by_dtype.get(dtype)
    if found is None:
        found = _buffers.by_dtype[dtype] = tuple(np.empty(BLOCK, dtype) for _ in range(_BUFFERS))
    return found


def blocks(grad: Array, *written: Array) -> Iterator[tuple[tuple[Array, ...], tuple[Array, ...]]]:
    """Yield matching 1-d blocks of the gradient and of the arrays that are written, and three buffers as long.

    All are in the dtype of computation. Contiguous arrays are sliced. Any other layout, and 16-bit dtypes, go
    through buffers that `numpy.nditer` fills and writes back.
    """
    first = written[0]
    arrays = (grad, *written)
    dtype = wide_dtype(first.dtype)
    kept = buffers(dtype)
    size = first.size
    if dtype == first.dtype and all(a.flags.c_contiguous and a.dtype == dtype for a in arrays):
        flat = [array.reshape(-1) for array in arrays]
        if size <= BLOCK:
            yield tuple(flat), tuple(buffer[:size] for buffer in kept)
            return
        for start in range(0, size, BLOCK):
            stop = min(start + BLOCK, size)
            yield tuple(array[start:stop] for array in flat), tuple(buffer[: stop - start] for buffer in kept)
        return
    for block in _buffered(arrays, dtype):
        yield block, tuple(buffer[: block[0].size] for buffer in kept)


def _buffered(arrays: Sequence[Array], dtype: np.dtype[np.generic]) -> Iterator[tuple[Array, ...]]:
    access: list[list[Literal["readonly", "readwrite"]]] = [["readonly"]]
    access += [["readwrite"] for _ in arrays[1:]]
    iterator = np.nditer(
        arrays,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=access,
        op_dtypes=[dtype] * len(arrays),
        casting="unsafe",
        buffersize=BLOCK,
    )
    with iterator:
        for block in iterator:
            yield tuple(block)


def rounded(param: Array, *numbers: float) -> list[Array]:
    """Numbers as 0-d arrays in the dtype in which a step of this parameter computes."""
    dtype = wide_dtype(param.dtype)
    return [np.array(number, dtype) for number in numbers]


def ascent(grad: Array, param: Array, decay: Array | None, maximize: bool, held: Array, free: Array) -> Array:
    """The gradient with the sign of the search and weight decay joined to it: itself, or in ``held``."""
    if maximize:
        grad = np.negative(grad, out=held)
    if decay is not None:
        np.multiply(param, decay, out=free)
        grad = np.add(grad, free, out=held)
    return grad


class Average:
    """A running mean: the weight of the new value and of the old one, rounded."""

    __slots__ = ("kept", "near", "weight")

    def __init__(self, param: Array, kept: float) -> None:
        self.weight, self.kept = rounded(param, 1 - kept, kept)
        self.near = 1 - kept < 0.5

    def move(self, mean: Array, value: Array, free: Array) -> None:
        """Move the mean towards a value, in place."""
        np.subtract(value, mean, out=free)
        if self.near:
            free *= self.weight
            mean += free
        else:
            # the form of linear interpolation that is exact where the weight is 1
            free *= self.kept
            np.subtract(value, free, out=mean)

    def move_square(self, square: Array, value: Array, free: Array) -> None:
        """Move the mean square towards the square of a value, in place."""
        square *= self.kept
        np.multiply(value, self.weight, out=free)
        free *= value
        square += free
