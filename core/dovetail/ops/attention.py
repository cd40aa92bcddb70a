"""Scaled dot-product attention (A. Vaswani et al., arXiv:1706.03762)."""

from __future__ import annotations

import math

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import front, op
from dovetail.ops.dropout import dropout
from dovetail.ops.softmax import softmax
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


def _check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool) -> None:
    """Raise PyTorch's sentences for operands that do not belong together."""
    if mask is not None and is_causal:
        raise ArgumentRuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True"
        )
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ShapeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if query.dtype is not key.dtype or query.dtype is not value.dtype:
        raise DtypeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype.name} key.dtype: {key.dtype.name} and value.dtype: {value.dtype.name} instead."
        )
    if mask is not None and mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
        raise DtypeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{mask.dtype.name} and  query.dtype: {query.dtype.name} instead."
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"scaled_dot_product_attention: query {list(query.shape)} and key {list(key.shape)} need the "
            "same last size, "
            f"key and value {list(value.shape)} the same number of rows"
        )


def _causal(query: Tensor, key: Tensor) -> Tensor:
    """Which key each query may see: those up to its own position."""
    anchor = query.detach().new_zeros((), dtype=dtypes.int64)
    return iota(anchor, query.shape[-2]).unsqueeze(1) >= iota(anchor, key.shape[-2])


def _repeated(heads: Tensor, count: int) -> Tensor:
    """Each head as often as there are query heads for it."""
    *lead, own, rows, size = heads.shape
    wide = heads.unsqueeze(-3).expand((*lead, own, count // own, rows, size))
    return wide.reshape((*lead, count, rows, size))


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float | None) -> Tensor:
    """How much each query takes of each value; a query that may see nothing takes nothing."""
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * factor) @ key.transpose(-1, -2)
    allowed = _causal(query, key) if is_causal else mask
    if allowed is None:
        return softmax(scores, -1)
    if allowed.dtype is dtypes.bool_:
        scores = select_by(allowed, scores, -math.inf)
    else:
        scores = scores + allowed.to(scores.dtype)
    found = softmax(scores, -1)
    if is_causal:
        return found
    return select_by((scores == -math.inf).all(-1, True), 0, found)


@op(
    samples=calls(
        call(Arg((2, 3, 4)), Arg((2, 5, 4)), Arg((2, 5, 6))),
        call(Arg((2, 2, 3, 4)), Arg((2, 2, 3, 4)), Arg((2, 2, 3, 4)), is_causal=True),
        call(Arg((3, 4)), Arg((5, 4)), Arg((5, 2)), Arg((3, 5)), scale=0.7),
        call(
            Arg((1, 2, 4)), Arg((1, 3, 4)), Arg((1, 3, 4)),
            Arg((2, 3), dtype="bool", values=[[True, False, True], [False, False, False]]),
        ),
        call(Arg((1, 4, 3, 2)), Arg((1, 2, 3, 2)), Arg((1, 2, 3, 2)), enable_gqa=True),
        errors=(
            error(
                RuntimeError, "Explicit attn_mask should not be set when is_causal=True",
                Arg((2, 3, 4)), Arg((2, 3, 4)), Arg((2, 3, 4)), Arg((3, 3)), is_causal=True,
            ),
            error(
                RuntimeError, "Expected query, key, and value to all be  at least 2 dimensional",
                Arg((4,)), Arg((2, 4)), Arg((2, 4)),
            ),
            error(
                RuntimeError, "Expected query, key, and value to have the same dtype",
                Arg((2, 4)), Arg((2, 4), dtype="float64"), Arg((2, 4)),
            ),
            error(
                RuntimeError, "Expected attn_mask dtype to be bool or float",
                Arg((2, 4)), Arg((2, 4)), Arg((2, 4)), Arg((2, 2), dtype="int64"),
            ),
            error(
                RuntimeError, "Number of heads in key and value must divide the number of heads in query",
                Arg((1, 4, 3, 2)), Arg((1, 3, 3, 2)), Arg((1, 3, 3, 2)), enable_gqa=True,
            ),
        ),
    ),
    agree=Agree.running(),
    internal=True,
    autocast="lower",
)  # fmt: skip
def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attention without dropout: ``softmax(q k^T * scale + mask) v``."""
    key, value = _heads(query, key, value, enable_gqa)
    _check(query, key, value, attn_mask, is_causal)
    return attention_weights(query, key, attn_mask, is_causal, scale) @ value


def _heads(query: Tensor, key: Tensor, value: Tensor, enable_gqa: bool) -> tuple[Tensor, Tensor]:
    """Keys and values with one head for each of the query's (grouped-query attention, arXiv:2305.13245)."""
    if not enable_gqa:
        return key, value
    count = query.shape[-3]
    if count % key.shape[-3] or count % value.shape[-3]:
        raise ShapeError(
            "Number of heads in key and value must divide the number of heads in query (got "
            f"{key.shape[-3]} and {value.shape[-3]} for {count})"
        )
    return _repeated(key, count), _repeated(value, count)


@front(method=False, autocast="lower")
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(q k^T * scale + mask) v``, with dropout of the weights.

    Shapes: query (..., L, E), key (..., S, E), value (..., S, Ev); result (..., L, Ev). A bool mask is True
    where a query may look, any other is added; ``is_causal`` lets each query see the keys up to its own
    position. ``scale`` is 1 / sqrt(E) by default; ``enable_gqa`` repeats the heads of key and value.

    >>> import dovetail
    >>> q = dovetail.ones(1, 2, 4)
    >>> dovetail.nn.functional.scaled_dot_product_attention(q, q, q).shape
    dovetail.Size([1, 2, 4])
    """
    if not dropout_p:
        return attention(query, key, value, attn_mask, is_causal, scale, enable_gqa)
    key, value = _heads(query, key, value, enable_gqa)
    _check(query, key, value, attn_mask, is_causal)
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return dropout(weights, dropout_p) @ value
