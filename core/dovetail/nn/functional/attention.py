"""Attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dovetail import ops

if TYPE_CHECKING:
    from dovetail.tensor.tensor import Tensor


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
