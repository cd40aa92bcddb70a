"""The step of Adafactor, in place, by blocks of rows.

Formula: N. Shazeer and M. Stern, arXiv:1804.04235, with the order of operations in the documentation of
``torch.optim.Adafactor``. The change of the parameter is computed twice, once for its size and once to be applied, so
that it is never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dovetail_numpy.precision import Array, wide_dtype
from dovetail_numpy.step_blocks import BLOCK, buffers, rounded


@dataclass(frozen=True, slots=True)
class _Rows:
    """A few rows of a matrix: where they are, and a buffer of their shape."""

    batch: int
    rows: slice
    change: Array


def _blocks(shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> Iterator[_Rows]:
    """All matrices in turn, as many rows at a time as fit into a block (one row that is longer by itself)."""
    batches, rows, columns = shape
    kept = buffers(dtype)[0] if columns <= BLOCK else np.empty(columns, dtype)
    height = max(1, BLOCK // max(columns, 1))
    for batch in range(batches):
        for start in range(0, rows, height):
            part = slice(start, min(start + height, rows))
            count = part.stop - start
            yield _Rows(batch, part, kept[: count * columns].reshape(count, columns))


def _length(blocks: Iterator[Array], size: int) -> float:
    """The root mean square over all blocks."""
    total = 0.0
    for block in blocks:
        flat = block.reshape(-1)
        total += float(np.dot(flat, flat))
    return float(np.sqrt(total / max(size, 1)))


@np.errstate(all="ignore")
def adafactor_step(
    param: Array,
    grad: Array,
    row_var: Array | None,
    col_var: Array | None,
    variance: Array | None,
    *,
    lr: float,
    step: float,
    beta2_decay: float,
    eps1: float,
    eps2: float,
    d: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """Do one step of Adafactor in place; ``step`` counts from 1.

    Matrices of the last two dimensions come with the factors ``row_var`` and ``col_var``, all else with ``variance``.
    """
    if param.size == 0:
        return
    state = [array for array in (row_var, col_var, variance) if array is not None]
    own = [_plain(array) for array in (param, *state)]
    p, g = _matrices(own[0]), _matrices(_plain(grad))
    scale = _Factored(g, own[1], own[2]) if variance is None else _Whole(g, own[1])
    weight, floor = step**beta2_decay, eps1 * eps1
    scale.move(weight)
    size = p.size
    dtype = p.dtype
    relative = max(eps2, _length((p[b.batch, b.rows] for b in _blocks(p.shape, dtype)), size)) * min(lr, step**-0.5)
    excess = max(1.0, _length((scale.change(b, eps1, floor) for b in _blocks(p.shape, dtype)), size) / d)
    rate, shrink = rounded(p, (relative if maximize else -relative) / excess, 1 - lr * weight_decay)
    for block in _blocks(p.shape, dtype):
        part = p[block.batch, block.rows]
        change = scale.change(block, eps1, floor)
        change *= rate
        if weight_decay:
            part *= shrink
        part += change
    for array, mine in zip((param, *state), own, strict=True):
        if mine is not array:
            array[...] = mine


def _plain(array: Array) -> Array:
    """The array itself, or a row-major copy in the dtype of computation."""
    return np.asarray(array, wide_dtype(array.dtype), order="C")


def _matrices(array: Array) -> Array:
    """The array as (batches, rows, columns); a vector is one row."""
    shape: Sequence[int] = (1,) * max(0, 2 - array.ndim) + array.shape
    return array.reshape(int(np.prod(shape[:-2], dtype=np.int64)), *shape[-2:])


class _Factored:
    """The variance of matrices as the product of a column of row means and a row of column means."""

    def __init__(self, grad: Array, rows: Array, columns: Array) -> None:
        self.grad = grad
        self.rows, self.columns = _matrices(rows), _matrices(columns)
        self.means = self.rows

    def move(self, weight: float) -> None:
        """Move both factors towards the means of the squared gradient."""
        batches, height, width = self.grad.shape
        new_rows = np.zeros((batches, height, 1), self.grad.dtype)
        new_columns = np.zeros((batches, 1, width), self.grad.dtype)
        for block in _blocks(self.grad.shape, self.grad.dtype):
            g = self.grad[block.batch, block.rows]
            squares = np.multiply(g, g, out=block.change)
            squares.mean(axis=1, keepdims=True, out=new_rows[block.batch, block.rows])
            new_columns[block.batch, 0] += squares.sum(axis=0)
        new_columns /= max(height, 1)
        share = rounded(self.grad, weight)[0]
        self.rows += (new_rows - self.rows) * share
        self.columns += (new_columns - self.columns) * share
        self.means = self.rows.mean(axis=1)

    def change(self, block: _Rows, eps1: float, floor: float) -> Array:
        """The gradient over the root of the variance, in the block's buffer."""
        least, lowest = rounded(self.grad, eps1, floor)
        rows = self.rows[block.batch, block.rows]
        estimate = np.multiply(rows, self.columns[block.batch], out=block.change)
        estimate /= np.maximum(self.means[block.batch], least)
        return _over_root(self.grad[block.batch, block.rows], estimate, lowest)


class _Whole:
    """The variance of each element."""

    def __init__(self, grad: Array, variance: Array) -> None:
        self.grad, self.variance = grad, _matrices(variance)

    def move(self, weight: float) -> None:
        """Move the variance towards the squared gradient."""
        share = rounded(self.grad, weight)[0]
        for block in _blocks(self.grad.shape, self.grad.dtype):
            g, kept = self.grad[block.batch, block.rows], self.variance[block.batch, block.rows]
            change = np.multiply(g, g, out=block.change)
            change -= kept
            change *= share
            kept += change

    def change(self, block: _Rows, eps1: float, floor: float) -> Array:
        """The gradient over the root of the variance, in the block's buffer."""
        np.copyto(block.change, self.variance[block.batch, block.rows])
        return _over_root(self.grad[block.batch, block.rows], block.change, rounded(self.grad, floor)[0])


def _over_root(grad: Array, estimate: Array, lowest: Array) -> Array:
    np.maximum(estimate, lowest, out=estimate)
    np.sqrt(estimate, out=estimate)
    return np.divide(grad, estimate, out=estimate)
