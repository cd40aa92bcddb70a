"""Attention: the scaled dot product, and several heads of it between linear maps."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from dovetail import dtypes, ops
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ShapeError
from dovetail.nn.functional.convolution import pad
from dovetail.nn.functional.dropout import dropout
from dovetail.nn.functional.linear import linear

if TYPE_CHECKING:
    from dovetail.dtypes import dtype as Dtype
    from dovetail.tensor.tensor import Tensor

Projected = tuple["Tensor", "Tensor", "Tensor"]


class AttentionError(ArgumentError, AssertionError):
    """Arguments of attention that do not belong together."""


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
    """Return ``softmax(q k^T * scale + mask) v``, with dropout of the weights.

    Shapes: query (..., L, E), key (..., S, E), value (..., S, Ev); the result is (..., L, Ev). ``scale`` is
    1 / sqrt(E) by default.
    """
    return ops.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


# ------------------------------------------------------------------------------------------ several heads


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return the result of multi-head attention and, with ``need_weights``, the weights (arXiv:1706.03762, 3.2.2).

    Shapes: query (L, N, E) or (L, E), key (S, N, *), value (S, N, *), key_padding_mask (N, S) or (S), attn_mask (L, S)
    or (N * heads, L, S); result as the query, weights (N, L, S), or (N, heads, L, S) without
    ``average_attn_weights``. In a bool mask True keeps a query from looking; a float mask is added.

    Args:
        embed_dim_to_check: E, the features of the query.
        in_proj_weight: (3 E, E), the maps of query, key and value in one piece.
        bias_k: with ``bias_v``, (1, 1, E): one more key and value for every sequence.
        add_zero_attn: one more key and value of zeros.
        use_separate_proj_weight: take ``q_proj_weight`` and its like instead of ``in_proj_weight``.
        static_k: keys (N * heads, S, E / heads) to be used instead of the mapped ones; ``static_v`` likewise.
        is_causal: a hint that ``attn_mask`` is the causal mask.

    Raises:
        AttentionError: sizes or options that do not belong together (an AssertionError, as in PyTorch).
        ArgumentRuntimeError: ``is_causal`` without ``attn_mask``, or a mask of the wrong shape.
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    rows, batch, features = query.shape
    key_padding_mask = canonical_mask(
        key_padding_mask, "key_padding_mask", None if attn_mask is None else attn_mask.dtype, "attn_mask", query.dtype
    )
    if is_causal and attn_mask is None:
        raise ArgumentRuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    hinted = is_causal and key_padding_mask is None and not need_weights
    attn_mask = None if hinted else canonical_mask(attn_mask, "attn_mask", None, "", query.dtype)
    _check_features(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    weights: tuple[Tensor | None, ...]
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        weights = (None, None, None) if in_proj_weight is None else in_proj_weight.chunk(3)
    q, k, v = _projected((query, key, value), weights, in_proj_bias, use_separate_proj_weight)
    attn_mask = _check_mask(attn_mask, rows, key.shape[0], batch, num_heads)
    heads = (num_heads, features // num_heads)
    k, v, added = _extended(k, v, bias_k, bias_v, static_k, static_v)
    q = _by_head(q, heads)
    k = _by_head(k, heads) if static_k is None else _static(static_k, "static_k", batch, heads)
    v = _by_head(v, heads) if static_v is None else _static(static_v, "static_v", batch, heads)
    if add_zero_attn:
        zeros = k.new_zeros((batch, num_heads, 1, heads[1]))
        k, v, added = ops.cat((k, zeros), 2), ops.cat((v, zeros), 2), added + 1
    mask = _merged(attn_mask, key_padding_mask, added, k.shape[2], batch, num_heads)
    chance = dropout_p if training else 0.0
    if need_weights:
        out, shares = _with_weights(q, k, v, mask, chance)
    else:
        out, shares = scaled_dot_product_attention(q, k, v, mask, chance, hinted), None
    out = linear(out.permute(2, 0, 1, 3).reshape(rows, batch, features), out_proj_weight, out_proj_bias)
    if shares is not None and average_attn_weights:
        shares = shares.mean(1)
    if batched:
        return out, shares
    return out.squeeze(1), None if shares is None else shares.squeeze(0)


def _with_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, chance: float) -> tuple[Tensor, Tensor]:
    """Attention in parts: a row that may look nowhere gives NaN, as its weights are."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask
    shares = ops.softmax(scores, -1)
    if chance > 0:
        shares = dropout(shares, chance)
    return shares @ v, shares


def _check_shapes(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None, num_heads: int
) -> bool:
    """Tell whether there is a batch; raise where the numbers of dimensions do not fit."""
    if query.ndim not in (2, 3):
        raise AttentionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor"
        )
    word, size = ("batched", 3) if query.ndim == 3 else ("unbatched", 2)
    if key.ndim != size or value.ndim != size:
        raise AttentionError(
            f"For {word} ({size}-D) `query`, expected `key` and `value` to be {size}-D but found {key.ndim}-D and "
            f"{value.ndim}-D tensors respectively"
        )
    if padding is not None and padding.ndim != size - 1:
        raise AttentionError(
            f"For {word} ({size}-D) `query`, expected `key_padding_mask` to be `None` or {size - 1}-D but found "
            f"{padding.ndim}-D tensor instead"
        )
    if mask is not None and mask.ndim not in (2, 3):
        raise AttentionError(
            f"For {word} ({size}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.ndim}-D "
            "tensor instead"
        )
    expected = (num_heads, query.shape[0], key.shape[0])
    if mask is not None and size == 2 and mask.ndim == 3 and tuple(mask.shape) != expected:
        raise AttentionError(f"Expected `attn_mask` shape to be {expected} but got {tuple(mask.shape)}")
    return query.ndim == 3


def _check_features(query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_heads: int, separate: bool) -> None:
    features = query.shape[-1]
    if features != embed_dim:
        raise AttentionError(f"was expecting embedding dimension of {embed_dim}, but got {features}")
    if features % num_heads:
        raise AttentionError(f"embed_dim {features} not divisible by num_heads {num_heads}")
    if not separate and key.shape != value.shape:
        raise AttentionError(f"key shape {tuple(key.shape)} does not match value shape {tuple(value.shape)}")
    if key.shape[:2] != value.shape[:2]:
        raise AttentionError(
            f"key's sequence and batch dims {tuple(key.shape[:2])} do not match value's {tuple(value.shape[:2])}"
        )


def canonical_mask(
    mask: Tensor | None, name: str, other_type: Dtype | None, other_name: str, target_type: Dtype
) -> Tensor | None:
    """Return a mask as numbers to be added: 0 and -inf for a bool one.

    Raises:
        AttentionError: the mask is neither bool nor floating.
    """
    if mask is None:
        return None
    if mask.dtype is not dtypes.bool_ and not mask.is_floating_point():
        raise AttentionError(f"only bool and floating types of {name} are supported")
    if other_type is not None and mask.dtype is not other_type:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    return ops.zeros_like(mask, dtype=target_type).masked_fill(mask, -math.inf)


def _projected(given: Projected, weights: tuple[Tensor | None, ...], bias: Tensor | None, separate: bool) -> Projected:
    """Query, key and value by their maps."""
    biases = (None, None, None) if bias is None else bias.chunk(3)
    features = given[0].shape[-1]
    found = []
    for name, x, weight, shift in zip(("q", "k", "v"), given, weights, biases, strict=True):
        if weight is None:
            missing = f"{name}_proj_weight" if separate else "in_proj_weight"
            raise AttentionError(f"use_separate_proj_weight is {separate} but {missing} is None")
        if tuple(weight.shape) != (features, x.shape[-1]):
            raise AttentionError(
                f"expecting {name} weights shape of {(features, x.shape[-1])}, but got {tuple(weight.shape)}"
            )
        found.append(linear(x, weight, shift))
    return found[0], found[1], found[2]


def _check_mask(mask: Tensor | None, rows: int, keys: int, batch: int, num_heads: int) -> Tensor | None:
    """The mask as (1, 1, L, S) or (N, heads, L, S)."""
    if mask is None:
        return None
    expected = (rows, keys) if mask.ndim == 2 else (batch * num_heads, rows, keys)
    if tuple(mask.shape) != expected:
        raise ShapeError(f"The shape of the {mask.ndim}D attn_mask is {tuple(mask.shape)}, but should be {expected}.")
    return mask.reshape((1, 1, rows, keys) if mask.ndim == 2 else (batch, num_heads, rows, keys))


def _extended(
    k: Tensor, v: Tensor, bias_k: Tensor | None, bias_v: Tensor | None, static_k: Tensor | None, static_v: Tensor | None
) -> tuple[Tensor, Tensor, int]:
    """Keys and values with the biases as one more of each, and how many were added."""
    if bias_k is None and bias_v is None:
        return k, v, 0
    if bias_k is None or bias_v is None:
        there, absent = ("bias_v", "bias_k") if bias_k is None else ("bias_k", "bias_v")
        raise AttentionError(f"{there} is set but {absent} is None")
    for name, static in (("key", static_k), ("value", static_v)):
        if static is not None:
            raise AttentionError(f"bias cannot be added to static {name}.")
    shape = (1, *k.shape[1:])
    return ops.cat((k, bias_k.expand(shape)), 0), ops.cat((v, bias_v.expand(shape)), 0), 1


def _by_head(x: Tensor, heads: tuple[int, int]) -> Tensor:
    """(L, N, E) as (N, heads, L, E / heads)."""
    return x.reshape(*x.shape[:2], *heads).permute(1, 2, 0, 3)


def _static(x: Tensor, name: str, batch: int, heads: tuple[int, int]) -> Tensor:
    count = batch * heads[0]
    if x.shape[0] != count:
        raise AttentionError(f"expecting {name}.size(0) of {count}, but got {x.shape[0]}")
    if x.shape[2] != heads[1]:
        raise AttentionError(f"expecting {name}.size(2) of {heads[1]}, but got {x.shape[2]}")
    return x.reshape(batch, heads[0], *x.shape[1:])


def _merged(
    mask: Tensor | None, padding: Tensor | None, added: int, keys: int, batch: int, num_heads: int
) -> Tensor | None:
    """Both masks as one; nothing is added to the scores of the keys that were added last."""
    if mask is not None and added:
        mask = pad(mask, (0, added))
    if padding is None:
        return mask
    if added:
        padding = pad(padding, (0, added))
    for position, size in enumerate((batch, keys)):
        if padding.shape[position] != size:
            raise AttentionError(
                f"Expected key_padded_mask.shape[{position}] to be {size}, but got {padding.shape[position]}"
            )
    padding = padding.reshape(batch, 1, 1, keys)
    return padding if mask is None else mask + padding
