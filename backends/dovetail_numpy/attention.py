"""Attention in blocks of heads, each of which keeps its scores in the cache.

Formulas: A. Vaswani et al., arXiv:1706.03762. On the way back sum(P dP) of a row is the product of its output with
that output's gradient, as T. Dao et al., arXiv:2205.14135, point out: one short sum in place of a pass over the scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dovetail_numpy.geometry import blocks
from dovetail_numpy.precision import Array, widen, widen_optional
from dovetail_numpy.reductions import row_sums

# Scores of this many bytes are worked on at a time.
_BLOCK_BYTES = 1 << 19


def _with_batch(array: Array, batch: tuple[int, ...]) -> Array:
    """View an array with all dimensions of the batch, and one at least."""
    wanted = (*batch, *array.shape[-2:])
    if array.shape != wanted:
        array = np.broadcast_to(array, wanted)
    return array if batch else array[None]


def _cuts(weights: Array) -> list[slice]:
    """Cut the first dimension into blocks."""
    length = weights.shape[0]
    return list(blocks(length, max(1, _BLOCK_BYTES * length // max(weights.nbytes, 1))))


def _like(array: Array, shape: tuple[int, ...]) -> Array:
    """New memory in the order of an array, so that heads that were views of rows are given back as such."""
    if array.shape == shape and 0 not in array.strides:
        return np.empty_like(array)
    return np.empty(shape, array.dtype)


def future(rows: int, columns: int, dtype: Any) -> Array:
    """What causal attention adds: -inf where a key comes after its query."""
    found = np.zeros((rows, columns), dtype)
    found[np.arange(columns) > np.arange(rows)[:, None]] = -np.inf
    return found


def _added(mask: Array | None, weights: Array) -> Array | None:
    """A mask as what is added to the scores, with the batch's dimensions."""
    if mask is None:
        return None
    if mask.dtype == np.bool_:
        added = np.zeros(mask.shape, weights.dtype)
        added[~mask] = -np.inf
        mask = added
    return np.broadcast_to(widen(mask), weights.shape)


def _softmax(scores: Array, empty_rows: bool) -> None:
    """exp(x - max) / sum in the place of x; a row of -inf becomes zeros where there may be one."""
    top = np.maximum.reduce(scores, axis=-1, keepdims=True, initial=-np.inf)
    if empty_rows:
        top[top == -np.inf] = 0
    scores -= top
    np.exp(scores, out=scores)
    total = row_sums(scores)
    if empty_rows:
        total[total == 0] = 1
    scores /= total


@np.errstate(all="ignore")
def attention(
    query: Array, key: Array, value: Array, mask: Array | None, kept: Array | None, *, causal: Array | None,
    scale: float, dropout_p: float, scores: tuple[int, ...],
) -> tuple[Array, Array]:  # fmt: skip
    """Return the result and the weights before dropout; ``causal`` is what `future` gives."""
    batch = scores[:-2]
    weights = np.empty(scores if batch else (1, *scores), widen(query).dtype)
    q, k, v = (_with_batch(widen(a), batch) for a in (query, key, value))
    out = _like(q, (*q.shape[:-1], v.shape[-1]))
    added = _added(mask, weights)
    keep = None if kept is None else np.broadcast_to(kept, weights.shape)
    for cut in _cuts(weights):
        part = np.matmul(q[cut] * scale, k[cut].swapaxes(-1, -2), out=weights[cut])
        if causal is not None:
            part += causal
        elif added is not None:
            part += added[cut]
        _softmax(part, added is not None)
        if keep is not None:
            part = part * keep[cut]
            part *= _factor(dropout_p)
        np.matmul(part, v[cut], out=out[cut])
    return (out, weights) if batch else (out[0], weights[0])


def _factor(dropout_p: float) -> float:
    return 1.0 / (1.0 - dropout_p) if dropout_p < 1 else 0.0


@np.errstate(all="ignore")
def attention_backward(
    grad: Array, query: Array, key: Array, value: Array, mask: Array | None, kept: Array | None, out: Array,
    weights: Array, *, scale: float, dropout_p: float, mask_grad: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """Return the gradients of query, key and value for the whole batch, and of the scores where they are wanted."""
    batch = weights.shape[:-2]
    q, k, v, g, result = (_with_batch(widen(a), batch) for a in (query, key, value, grad, out))
    weights = _with_batch(widen(weights), batch)
    keep = widen_optional(None if kept is None else np.broadcast_to(kept, weights.shape))
    grads = [_like(a, a.shape) for a in (q, k, v)]
    slopes = np.empty_like(weights) if mask_grad else None
    for cut in _cuts(weights):
        part, gradient = weights[cut], g[cut]
        along = np.matmul(gradient, v[cut].swapaxes(-1, -2), out=None if slopes is None else slopes[cut])
        used = part
        if keep is not None:
            factor = keep[cut] * weights.dtype.type(_factor(dropout_p))
            along *= factor
            used = part * factor
        np.matmul(used.swapaxes(-1, -2), gradient, out=grads[2][cut])
        if out.dtype == weights.dtype:
            along -= np.einsum("...i,...i->...", gradient, result[cut])[..., None]
        else:
            along -= row_sums(along * part)
        along *= part
        np.matmul(along, k[cut], out=grads[0][cut])
        grads[0][cut] *= scale
        np.matmul(along.swapaxes(-1, -2), q[cut] * scale, out=grads[1][cut])
    found = [*grads, np.zeros(0, weights.dtype) if slopes is None else slopes]
    return tuple(a if batch or not a.ndim > 1 else a[0] for a in found)
