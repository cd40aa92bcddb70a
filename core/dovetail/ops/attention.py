"""Scaled dot-product attention (A. Vaswani et al., arXiv:1706.03762)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.errors import ArgumentRuntimeError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import front, op
from dovetail.ops.dropout import masked_scale
from dovetail.ops.precision import wider
from dovetail.ops.random import dropout_mask
from dovetail.ops.softmax import softmax
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes, broadcast_shapes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


# ------------------------------------------------------------------------------------------ rules


def _check(query: Spec, key: Spec, value: Spec, mask: Spec | None, is_causal: bool) -> None:
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
    if not query.dtype.is_floating_point:
        raise DtypeError(f"scaled_dot_product_attention: not implemented for '{query.dtype.legacy_name}'")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"scaled_dot_product_attention: query {list(query.shape)} and key {list(key.shape)} need the "
            "same last size, "
            f"key and value {list(value.shape)} the same number of rows"
        )


def _scores_shape(query: Spec, key: Spec, value: Spec, mask: Spec | None) -> Shape:
    """The shape of the scores of all queries with all keys."""
    batch = broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    scores = (*batch, query.shape[-2], key.shape[-2])
    if mask is not None and broadcast_shapes(scores, mask.shape) != scores:
        raise ShapeError(
            f"scaled_dot_product_attention: attn_mask {list(mask.shape)} is larger than the scores {list(scores)}"
        )
    return scores


def _forward_shapes(
    query: Spec, key: Spec, value: Spec, mask: Spec | None, kept: Spec | None, *, is_causal: bool, **_: Any
) -> list[Shape]:
    _check(query, key, value, mask, is_causal)
    scores = _scores_shape(query, key, value, mask)
    return [(*scores[:-1], value.shape[-1]), scores]


def _backward_shapes(
    grad: Spec, query: Spec, key: Spec, value: Spec, mask: Spec | None, *others: Spec | None, **_: Any
) -> list[Shape]:
    scores = _scores_shape(query, key, value, mask)
    batch = scores[:-2]
    return [
        *((*batch, *s.shape[-2:]) for s in (query, key, value)),
        scores if mask is not None and mask.dtype is not dtypes.bool_ else (0,),
    ]


def _forward_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    query = inputs[0]
    assert query is not None, "there is always a query"
    return Dtypes([None] * len(inputs), [query.dtype, wider(query.dtype)])


def _backward_dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    query, mask = inputs[1], inputs[4]
    assert query is not None, "there is always a query"
    kind = query.dtype if mask is None or mask.dtype is dtypes.bool_ else mask.dtype
    return Dtypes([None] * len(inputs), [query.dtype, query.dtype, query.dtype, kind])


def _canonical(
    query: Spec, *others: Spec | None, is_causal: bool, scale: float | None, dropout_p: float
) -> dict[str, Any]:
    factor = 1.0 / math.sqrt(max(query.shape[-1], 1)) if scale is None and query.ndim else scale
    return {"is_causal": is_causal, "scale": factor, "dropout_p": dropout_p}


# ------------------------------------------------------------------------------------------ decompositions


def _causal(query: Tensor, key: Tensor) -> Tensor:
    """Which key each query may see: those up to its own position."""
    anchor = query.detach().new_zeros((), dtype=dtypes.int64)
    return iota(anchor, query.shape[-2]).unsqueeze(1) >= iota(anchor, key.shape[-2])


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool, scale: float) -> Tensor:
    """How much each query takes of each value; a query that may see nothing takes nothing."""
    scores = (query * scale) @ key.transpose(-1, -2)
    allowed = _causal(query, key) if is_causal else mask
    if allowed is None:
        return softmax(scores, -1)
    if allowed.dtype is dtypes.bool_:
        scores = select_by(allowed, scores, -math.inf)
    else:
        scores = scores + allowed.to(scores.dtype)
    found = softmax(scores, -1)
    if is_causal or not found.numel():
        return found
    return select_by((scores == -math.inf).all(-1, True), 0, found)


def _dropped(weights: Tensor, kept: Tensor | None, dropout_p: float) -> Tensor:
    """The weights after dropout."""
    if kept is None:
        return weights
    return masked_scale(weights, kept, 1.0 / (1.0 - dropout_p) if dropout_p < 1 else 0.0)


def _in_wide(*given: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.to(wider(t.dtype)) for t in given)


@op(
    shape=_backward_shapes,
    dtype=_backward_dtypes,
    canon=lambda grad, query, *others, **statics: _canonical(query, *others, **statics),
    outputs=("query_grad", "key_grad", "value_grad", "mask_grad"),
    internal=True,
    samples=calls(
        call(
            Arg((2, 3, 6)), Arg((2, 3, 4), values=[[[0.0] * 4] * 3] * 2), Arg((2, 4, 4)),
            Arg((2, 4, 6), values=[[[1.0] * 6, [-1.0] * 6] * 2] * 2), None, None,
            Arg((2, 3, 6), values=[[[0.0] * 6] * 3] * 2), Arg((2, 3, 4), values=[[[0.25] * 4] * 3] * 2), grad=False,
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def attention_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    kept: Tensor | None,
    out: Tensor,
    weights: Tensor,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of query, key and value, and of a mask that was added (else empty).

    ``out`` and ``weights`` are what the forward pass has computed; the decomposition computes the weights anew, so that
    second derivatives are right. With P the weights and dP the slopes of them, the slopes of the scores are
    P (dP - sum(dP P)).
    """
    assert scale is not None, "it is canonical"
    q, k, v, g = _in_wide(query, key, value, grad)
    found = _weights(q, k, attn_mask, is_causal, scale)
    used = _dropped(found, kept, dropout_p)
    along = _dropped(g @ v.transpose(-1, -2), kept, dropout_p)
    scores = found * (along - (along * found).sum(-1, True))
    batch = scores.shape[:-2]
    results = ((scores @ k) * scale, scores.transpose(-1, -2) @ (q * scale), used.transpose(-1, -2) @ g)
    first, second, third = (
        r.expand((*batch, *r.shape[-2:])).to(t.dtype) for r, t in zip(results, (query, key, value), strict=True)
    )
    if attn_mask is None or attn_mask.dtype is dtypes.bool_:
        return first, second, third, query.new_zeros((0,))
    return first, second, third, scores.to(attn_mask.dtype)


@op(
    shape=_forward_shapes,
    dtype=_forward_dtypes,
    canon=_canonical,
    outputs=("out", "weights"),
    hidden=1,
    samples=calls(
        call(Arg((2, 3, 4)), Arg((2, 5, 4)), Arg((2, 5, 6))),
        call(Arg((2, 2, 3, 4)), Arg((2, 2, 3, 4)), Arg((2, 2, 3, 4)), is_causal=True),
        call(Arg((3, 4)), Arg((5, 4)), Arg((5, 2)), Arg((3, 5)), scale=0.7),
        call(Arg((2, 2, 4)), Arg((1, 3, 4)), Arg((3, 4)), Arg((2, 1, 3))),
        call(
            Arg((1, 2, 4)), Arg((1, 3, 4)), Arg((1, 3, 4)),
            Arg((2, 3), dtype="bool", values=[[True, False, True], [False, False, False]]),
        ),
        call(
            Arg((2, 4)), Arg((3, 4)), Arg((3, 2)), None,
            Arg((2, 3), dtype="bool", values=[[True, False, True], [True, True, False]]), dropout_p=0.5,
        ),
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
            error(RuntimeError, "need the same last size", Arg((2, 4)), Arg((2, 3)), Arg((2, 4))),
            error(
                RuntimeError, "is larger than the scores", Arg((2, 4)), Arg((2, 4)), Arg((2, 4)), Arg((3, 2, 2)),
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
    kept: Tensor | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Tensor:
    """``softmax(q k^T * scale + mask) v``; ``kept`` says which weights dropout has left."""
    assert scale is not None, "it is canonical"
    q, k, v = _in_wide(query, key, value)
    weights = _dropped(_weights(q, k, attn_mask, is_causal, scale), kept, dropout_p)
    return (weights @ v).to(query.dtype)


@attention.vjp
def _gradient(
    g: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    kept: Tensor | None,
    out: Tensor,
    weights: Tensor,
    *,
    is_causal: bool,
    scale: float,
    dropout_p: float,
    specs: Any,
) -> Any:
    *found, mask = attention_backward(
        g, query, key, value, attn_mask, kept, out, weights, is_causal, scale, dropout_p
    )
    added = specs[3] is not None and specs[3].dtype is not dtypes.bool_
    return (*found, mask if added else None, None)


# ------------------------------------------------------------------------------------------ the public function


def _repeated(heads: Tensor, count: int) -> Tensor:
    """Each head as often as there are query heads for it."""
    *lead, own, rows, size = heads.shape
    if own == count:
        return heads
    wide = heads.unsqueeze(-3).expand((*lead, own, count // own, rows, size))
    return wide.reshape((*lead, count, rows, size))


def _heads(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values with one head for each of the query's (grouped-query attention, arXiv:2305.13245)."""
    if min(query.ndim, key.ndim, value.ndim) < 3:
        raise ShapeError("enable_gqa needs query, key and value with a dimension of heads, the third from the end")
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
    position. ``scale`` is 1 / sqrt(E) by default; ``enable_gqa`` repeats the heads of key and value. A query that may
    look nowhere gets zeros.

    >>> import dovetail
    >>> q = dovetail.ones(1, 2, 4)
    >>> dovetail.nn.functional.scaled_dot_product_attention(q, q, q).shape
    dovetail.Size([1, 2, 4])
    """
    if enable_gqa:
        key, value = _heads(query, key, value)
    if not dropout_p:
        return attention(query, key, value, attn_mask, None, is_causal, scale)
    if not 0 <= dropout_p <= 1:
        raise ArgumentRuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    shape = _scores_shape(query._spec, key._spec, value._spec, None)
    kept = dropout_mask(shape, 1.0 - dropout_p, query.device)
    return attention(query, key, value, attn_mask, kept, is_causal, scale, dropout_p)
