"""One layer of a Transformer: of the encoder, and of the decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dovetail.errors import ArgumentRuntimeError
from dovetail.nn import functional as F
from dovetail.nn.attention import MultiheadAttention
from dovetail.nn.dropout import Dropout
from dovetail.nn.functional.attention import canonical_mask
from dovetail.nn.linear import Linear
from dovetail.nn.module import Module
from dovetail.nn.normalization import LayerNorm
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype

Activation = Callable[[Tensor], Tensor]


def activation_of(given: str | Activation) -> Activation:
    """Return the function that "relu" or "gelu" names; a function as it is."""
    if not isinstance(given, str):
        return given
    named: dict[str, Activation] = {"relu": F.relu, "gelu": F.gelu}
    if given not in named:
        raise ArgumentRuntimeError(f"activation should be relu/gelu, not {given}")
    return named[given]


class TransformerEncoderLayer(Module):
    """Self-attention and two linear maps, each with dropout, a shortcut and a layer norm (arXiv:1706.03762, 3.1).

    Shapes: (L, N, d_model), with ``batch_first`` (N, L, d_model), or (L, d_model); so is the result. ``norm_first``
    normalises what goes into each part, not what comes out of it. ``activation`` is "relu", "gelu" or a function.

    >>> import dovetail
    >>> layer = dovetail.nn.TransformerEncoderLayer(4, 2, dim_feedforward=8)
    >>> layer(dovetail.ones(3, 1, 4)).shape
    dovetail.Size([3, 1, 4])
    """

    activation: Activation

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, device=device, dtype=dtype
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, device=device, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, device=device, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation_of(activation)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the encoded sequence; masks as those of :class:`MultiheadAttention`."""
        other = None if src_mask is None else src_mask.dtype
        padding = canonical_mask(src_key_padding_mask, "src_key_padding_mask", other, "src_mask", src.dtype)
        mask = canonical_mask(src_mask, "src_mask", None, "", src.dtype)
        if self.norm_first:
            x = src + self._sa_block(self.norm1(src), mask, padding, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(src + self._sa_block(src, mask, padding, is_causal))
        found: Tensor = self.norm2(x + self._ff_block(x))
        return found

    def _sa_block(self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool) -> Tensor:
        out: Tensor = self.dropout1(attended(self.self_attn, x, x, mask, padding, is_causal))
        return out

    def _ff_block(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return out


def attended(
    attention: MultiheadAttention,
    x: Tensor,
    memory: Tensor,
    mask: Tensor | None,
    padding: Tensor | None,
    is_causal: bool,
) -> Tensor:
    """Attention without its weights."""
    out, _ = attention(
        x, memory, memory, attn_mask=mask, key_padding_mask=padding, is_causal=is_causal, need_weights=False
    )
    found: Tensor = out
    return found


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's result and two linear maps (arXiv:1706.03762, section 3.1).

    Shapes: tgt (T, N, d_model), memory (S, N, d_model), with ``batch_first`` N first; result as tgt.

    >>> import dovetail
    >>> layer = dovetail.nn.TransformerDecoderLayer(4, 2, dim_feedforward=8)
    >>> layer(dovetail.ones(3, 1, 4), dovetail.ones(5, 1, 4)).shape
    dovetail.Size([3, 1, 4])
    """

    activation: Activation

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, device=device, dtype=dtype
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, device=device, dtype=dtype
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, device=device, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, device=device, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = activation_of(activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoded sequence; masks as those of :class:`MultiheadAttention`."""
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = tgt + self._sa_block(self.norm1(tgt), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(tgt + self._sa_block(tgt, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        found: Tensor = self.norm3(x + self._ff_block(x))
        return found

    def _sa_block(self, x: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool) -> Tensor:
        out: Tensor = self.dropout1(attended(self.self_attn, x, x, mask, padding, is_causal))
        return out

    def _mha_block(
        self, x: Tensor, memory: Tensor, mask: Tensor | None, padding: Tensor | None, is_causal: bool
    ) -> Tensor:
        out: Tensor = self.dropout2(attended(self.multihead_attn, x, memory, mask, padding, is_causal))
        return out

    def _ff_block(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return out
