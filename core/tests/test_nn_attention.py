"""Attention, alone and in Transformers, computes what PyTorch's does, with the same weights, names and printed form."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn import functional as F

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning"),
    pytest.mark.filterwarnings("ignore:Support for mismatched:UserWarning"),
]


def rows(*shape: int, seed: int = 1) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def hidden(*shape: int, seed: int = 2) -> Any:
    """A bool mask that hides about a third, and the first place never."""
    found = np.random.default_rng(seed).random(shape) < 0.35
    found[..., 0] = False
    return found


def causal(size: int) -> Any:
    return np.triu(np.full((size, size), -math.inf), 1)


# ------------------------------------------------------------------------------------------ the scaled dot product

PRODUCTS: list[tuple[list[Any], dict[str, Any]]] = [
    ([rows(2, 3, 4), rows(2, 5, 4, seed=2), rows(2, 5, 6, seed=3)], {}),
    ([rows(3, 4), rows(5, 4, seed=2), rows(5, 2, seed=3)], {"scale": 0.3}),
    ([rows(2, 2, 5, 4), rows(2, 2, 5, 4, seed=2), rows(2, 2, 5, 4, seed=3)], {"is_causal": True}),
    ([rows(2, 5, 4), rows(2, 3, 4, seed=2), rows(2, 3, 4, seed=3)], {"is_causal": True}),
    ([rows(2, 4, 3, 4), rows(2, 2, 5, 4, seed=2), rows(2, 2, 5, 4, seed=3)], {"enable_gqa": True}),
    ([rows(2, 3, 4), rows(2, 5, 4, seed=2), rows(2, 5, 4, seed=3), ~hidden(2, 3, 5)], {}),
    ([rows(2, 3, 4), rows(2, 5, 4, seed=2), rows(2, 5, 4, seed=3), hidden(1, 5)], {}),
    ([rows(2, 2, 3, 4), rows(2, 2, 5, 4, seed=2), rows(2, 2, 5, 4, seed=3), rows(2, 1, 3, 5, seed=4)], {}),
    ([rows(2, 3, 4), rows(2, 5, 4, seed=2), rows(2, 5, 4, seed=3), np.zeros((3, 5), bool)], {}),
]


@pytest.mark.parametrize(("arrays", "options"), PRODUCTS)
def test_scaled_dot_product(twins: Any, arrays: list[Any], options: dict[str, Any]) -> None:
    import torch

    inputs = [twins.pair(array) for array in arrays]
    ours = F.scaled_dot_product_attention(*(x[0] for x in inputs), **options)
    expected = torch.nn.functional.scaled_dot_product_attention(*(x[1] for x in inputs), **options)
    twins.check(ours, expected)
    twins.backward(ours, expected)
    for a, b in inputs:
        twins.check(a.grad, b.grad)


def test_dropout_of_the_weights() -> None:
    dovetail.manual_seed(0)
    q, k = dovetail.tensor(rows(4, 8), requires_grad=True), dovetail.tensor(rows(6, 8, seed=2))
    weights = F.scaled_dot_product_attention(q, k, dovetail.eye(6, dtype=dovetail.float64), dropout_p=0.5)
    plain = F.scaled_dot_product_attention(q, k, dovetail.eye(6, dtype=dovetail.float64))
    kept = weights != 0
    assert 0 < int(kept.sum()) < 24
    np.testing.assert_allclose((weights / plain)[kept].detach().numpy(), 2.0)
    weights.sum().backward()
    assert q.grad is not None
    assert float(q.grad.abs().sum()) > 0
    assert not F.scaled_dot_product_attention(q, k, k, dropout_p=1.0).any()
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.scaled_dot_product_attention(q, k, k, dropout_p=1.5)
    with pytest.raises(RuntimeError, match="must divide the number of heads"):
        F.scaled_dot_product_attention(*(dovetail.ones(1, n, 3, 2) for n in (4, 3, 3)), enable_gqa=True)


def test_long_sequences_go_in_blocks(twins: Any) -> None:
    import torch

    inputs = [twins.pair(rows(5, 3, 160, 8, seed=i)) for i in range(3)]
    ours = F.scaled_dot_product_attention(*(x[0] for x in inputs), is_causal=True)
    expected = torch.nn.functional.scaled_dot_product_attention(*(x[1] for x in inputs), is_causal=True)
    twins.check(ours, expected)
    twins.backward(ours, expected)
    for a, b in inputs:
        twins.check(a.grad, b.grad)


def test_second_derivatives() -> None:
    q, k, v = (dovetail.tensor(rows(2, 3, 2, seed=i), requires_grad=True) for i in range(3))
    mask = dovetail.tensor(rows(3, 3, seed=5), requires_grad=True)
    assert dovetail.autograd.gradgradcheck(F.scaled_dot_product_attention, (q, k, v, mask))


# ------------------------------------------------------------------------------------------ several heads

HEADS: list[tuple[str, tuple[int, int, int], dict[str, Any]]] = [
    ("MultiheadAttention(6, 2)", (6, 6, 6), {}),
    ("MultiheadAttention(6, 3, bias=False)", (6, 6, 6), {"average_attn_weights": False}),
    ("MultiheadAttention(6, 2, kdim=4, vdim=5)", (6, 4, 5), {}),
    ("MultiheadAttention(6, 2, kdim=4, bias=False)", (6, 4, 6), {}),
    ("MultiheadAttention(6, 2, add_bias_kv=True)", (6, 6, 6), {"key_padding_mask": hidden(2, 5)}),
    ("MultiheadAttention(6, 2, add_zero_attn=True, batch_first=True)", (6, 6, 6), {"attn_mask": rows(3, 5)}),
    ("MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True)", (6, 6, 6), {"attn_mask": hidden(3, 5)}),
    ("MultiheadAttention(6, 2, batch_first=True)", (6, 6, 6), {"key_padding_mask": rows(2, 5)}),
    ("MultiheadAttention(6, 2)", (6, 6, 6), {"attn_mask": rows(4, 3, 5), "key_padding_mask": rows(2, 5)}),
    ("MultiheadAttention(6, 2)", (6, 6, 6), {"attn_mask": hidden(4, 3, 5), "key_padding_mask": hidden(2, 5)}),
    ("MultiheadAttention(6, 2, dropout=1.0)", (6, 6, 6), {}),
]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(("text", "sizes", "options"), HEADS)
def test_multihead_attention(
    twins: Any, text: str, sizes: tuple[int, int, int], options: dict[str, Any], need_weights: bool
) -> None:
    ours, theirs = twins.build(text)
    lengths = (3, 5, 5)
    lead = [(2, n) if "batch_first" in text else (n, 2) for n in lengths]
    inputs = [twins.pair(rows(*shape, size, seed=i)) for i, (shape, size) in enumerate(zip(lead, sizes, strict=True))]
    words = [
        {k: (twins.pair(v)[i].detach() if isinstance(v, np.ndarray) else v) for k, v in options.items()} for i in (0, 1)
    ]
    results = [
        net(*(x[i] for x in inputs), need_weights=need_weights, **words[i]) for i, net in enumerate((ours, theirs))
    ]
    assert (results[0][1] is None) is not need_weights
    twins.compare(ours, theirs, (results[0], results[1]), inputs)


def test_without_a_batch_and_with_a_hint(twins: Any) -> None:
    ours, theirs = twins.build("MultiheadAttention(6, 2, batch_first=True)")
    x, mask = twins.pair(rows(4, 6)), twins.pair(causal(4))
    masks = [m.detach() for m in mask]
    results = [net(x[i], x[i], x[i], attn_mask=masks[i]) for i, net in enumerate((ours, theirs))]
    twins.compare(ours, theirs, (results[0], results[1]), [x])
    hinted = ours(x[0], x[0], x[0], attn_mask=masks[0], need_weights=False, is_causal=True)[0]
    twins.check(hinted, results[1][0])
    padded = ours(x[0], x[0], x[0], key_padding_mask=dovetail.tensor([False, False, True, False]))
    assert not padded[1][:, 2].any()


def test_static_keys_and_values(twins: Any) -> None:
    import torch

    ours, theirs = twins.build("MultiheadAttention(6, 2)")
    x = twins.pair(rows(3, 2, 6))
    static = [twins.pair(rows(4, 5, 3, seed=i)) for i in (4, 5)]
    results = []
    for i, (net, functional) in enumerate(((ours, F), (theirs, torch.nn.functional))):
        results.append(
            functional.multi_head_attention_forward(
                x[i], x[i], x[i], 6, 2, net.in_proj_weight, net.in_proj_bias, None, None, False, 0.0,
                net.out_proj.weight, net.out_proj.bias, static_k=static[0][i], static_v=static[1][i],
            )
        )  # fmt: skip
    for a, b in zip(twins.flat(results[0]), twins.flat(results[1]), strict=True):
        twins.check(a, b)


MISTAKES: list[tuple[str, str]] = [
    ("MultiheadAttention(6, 4)", "embed_dim must be divisible by num_heads"),
    ("MultiheadAttention(0, 4)", "embed_dim and num_heads must be greater than 0, got embed_dim=0"),
    ("MultiheadAttention(4, 2)(z(1), z(1), z(1))", "unbatched 2D or batched 3D tensor but received 1-D"),
    ("MultiheadAttention(4, 2)(z(3, 1, 4), z(3, 4), z(3, 4))", "expected `key` and `value` to be 3-D but found 2-D"),
    ("MultiheadAttention(4, 2)(z(3, 1, 6), z(3, 1, 6), z(3, 1, 6))", "expecting embedding dimension of 4, but got 6"),
    ("MultiheadAttention(4, 2)(z(3, 1, 4), z(3, 1, 4), z(2, 1, 4))", "does not match value"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, attn_mask=z(2, 3))", "2D attn_mask is"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, attn_mask=z(3, 3, 3))", "3D attn_mask is"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, key_padding_mask=z(3))", "`key_padding_mask` to be `None` or 2-D"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, key_padding_mask=z(2, 3))", "mask.shape[0] to be 1, but got 2"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, attn_mask=z(3, 3).long())", "bool and floating types of attn_mask"),
    ("MultiheadAttention(4, 2)(*[z(3, 1, 4)] * 3, is_causal=True)", "Need attn_mask if specifying the is_causal hint."),
    ("TransformerEncoderLayer(4, 2, activation='tanh')", "activation should be relu/gelu, not tanh"),
    ("Transformer(4, 2, 1, 1, 8)(z(3, 1, 4), z(3, 2, 4))", "the batch number of src and tgt must be equal"),
    ("Transformer(4, 2, 1, 1, 8)(z(3, 1, 5), z(3, 1, 4))", "of src and tgt must be equal to d_model"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_mistakes_are_named_as_in_pytorch(text: str, words: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    raised = []
    for framework in (dovetail, torch):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # the type is compared below
            eval("nn." + text, {"nn": framework.nn, "z": framework.zeros})
        raised.append(caught.value)
    assert isinstance(raised[0], type(raised[1]))
    assert words in str(raised[0])
    assert words in str(raised[1])


# ------------------------------------------------------------------------------------------ Transformers

LAYERS = [
    "(6, 2, 8, 0.0)",
    "(6, 2, 8, 0.0, 'gelu', batch_first=True)",
    "(6, 2, 8, 0.0, F.silu, norm_first=True, bias=False)",
    "(6, 3, 8, 0.0, nn.GELU(), 1e-3, True, True)",
    "(6, 2, 8, 1.0)",
]


@pytest.mark.parametrize("text", LAYERS)
def test_encoder_layers_and_stacks(twins: Any, text: str) -> None:
    first = "True" in text.replace("norm_first=True", "")
    shape, padding = ((2, 4, 6) if first else (4, 2, 6)), hidden(2, 4)
    for whole in (f"TransformerEncoderLayer{text}",
                  f"TransformerEncoder(nn.TransformerEncoderLayer{text}, 2, nn.LayerNorm(6))"):  # fmt: skip
        ours, theirs = twins.build(whole)
        for mask in ({}, {"key": hidden(4, 4)}, {"key": causal(4), "padding": padding}):
            x = twins.pair(rows(*shape))
            name = "mask" if "Encoder(" in whole else "src_mask"
            words: list[dict[str, Any]] = [{}, {}]
            for i in (0, 1):
                if "key" in mask:
                    words[i][name] = twins.pair(mask["key"])[i].detach()
                if "padding" in mask:
                    words[i]["src_key_padding_mask"] = twins.pair(mask["padding"])[i]
            results = [net(x[i], **words[i]) for i, net in enumerate((ours, theirs))]
            twins.compare(ours, theirs, (results[0], results[1]), [x])


@pytest.mark.parametrize("text", LAYERS)
def test_decoder_layers(twins: Any, text: str) -> None:
    first = "True" in text.replace("norm_first=True", "")
    ours, theirs = twins.build(f"TransformerDecoderLayer{text}")
    x, memory = (twins.pair(rows(*((2, n, 6) if first else (n, 2, 6)), seed=n)) for n in (4, 5))
    masks = [
        {
            "tgt_mask": twins.pair(causal(4))[i].detach(),
            "memory_mask": twins.pair(hidden(4, 5))[i],
            "tgt_key_padding_mask": twins.pair(hidden(2, 4))[i],
            "memory_key_padding_mask": twins.pair(hidden(2, 5))[i],
        }
        for i in (0, 1)
    ]
    for words in ([{}, {}], masks):
        results = [net(x[i], memory[i], **words[i]) for i, net in enumerate((ours, theirs))]
        twins.compare(ours, theirs, (results[0], results[1]), [x, memory])


@pytest.mark.parametrize("options", ["", ", batch_first=True, norm_first=True", ", activation='gelu', bias=False"])
def test_the_whole_transformer(twins: Any, options: str) -> None:
    ours, theirs = twins.build(f"Transformer(6, 2, 2, 2, 8, 0.0{options})")
    src, tgt = (twins.pair(rows(*((2, n, 6) if "batch_first" in options else (n, 2, 6)), seed=n)) for n in (5, 4))
    words = []
    for i, net in enumerate((ours, theirs)):
        mask = net.generate_square_subsequent_mask(4, dtype=src[i].dtype)
        words.append({"tgt_mask": mask, "src_key_padding_mask": twins.pair(hidden(2, 5))[i]})
    twins.check(words[0]["tgt_mask"], words[1]["tgt_mask"])
    results = [net(src[i], tgt[i], **words[i]) for i, net in enumerate((ours, theirs))]
    twins.compare(ours, theirs, (results[0], results[1]), [src, tgt])


def test_dropout_is_on_in_training_only() -> None:
    layer = nn.TransformerEncoderLayer(6, 2, 8, 0.5)
    x = dovetail.tensor(rows(3, 2, 6)).float()
    assert not dovetail.equal(layer(x), layer(x))
    layer.eval()
    assert dovetail.equal(layer(x), layer(x))


def test_two_kinds_of_masks_are_warned_of() -> None:
    attention = nn.MultiheadAttention(4, 2)
    x = dovetail.ones(3, 1, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="mismatched key_padding_mask and attn_mask"):
            attention(
                x, x, x, key_padding_mask=dovetail.zeros(1, 3), attn_mask=dovetail.zeros(3, 3, dtype=dovetail.bool)
            )


def test_on_jax(twins: Any) -> None:
    pytest.importorskip("jax", reason="runs on JAX, which is not installed")
    ours, theirs = twins.build("TransformerEncoderLayer(4, 2, 4, 0.0, batch_first=True)", device="jax:cpu")
    x = twins.pair(rows(2, 3, 4), "jax:cpu")
    mask = hidden(3, 3)
    results = ours(x[0], dovetail.tensor(mask, device="jax:cpu")), theirs(x[1], twins.torch.tensor(mask))
    twins.compare(ours, theirs, results, [x])
