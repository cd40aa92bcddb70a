"""A model shaped as GPT-2, written once for both frameworks: a state dict that PyTorch has saved gives its numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dovetail

pytestmark = pytest.mark.oracle

VOCABULARY, LENGTH, WIDTH, HEADS, LAYERS = 37, 12, 24, 3, 2


def gpt(torch: Any, *, fused: bool = True) -> Any:
    """The model in the names of the published checkpoints; ``torch`` is either framework."""
    nn, F = torch.nn, torch.nn.functional

    class Conv1D(nn.Module):  # type: ignore[misc, name-defined]  # the framework is an argument
        """A linear map whose weight is (in, out), as GPT-2's checkpoints have it."""

        def __init__(self, outputs: int, inputs: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.empty(inputs, outputs))
            self.bias = nn.Parameter(torch.zeros(outputs))
            nn.init.normal_(self.weight, std=0.02)

        def forward(self, x: Any) -> Any:
            size = (*x.shape[:-1], self.weight.shape[1])
            return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(size)

    class Attention(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("bias", torch.tril(torch.ones(LENGTH, LENGTH)).view(1, 1, LENGTH, LENGTH))
            self.c_attn, self.c_proj = Conv1D(3 * WIDTH, WIDTH), Conv1D(WIDTH, WIDTH)
            self.attn_dropout, self.resid_dropout = nn.Dropout(0.1), nn.Dropout(0.1)

        def forward(self, x: Any) -> Any:
            batch, length, width = x.size()
            q, k, v = self.c_attn(x).split(width, dim=2)
            q, k, v = (t.view(batch, length, HEADS, width // HEADS).transpose(1, 2) for t in (q, k, v))
            if fused:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
                scores = scores.masked_fill(self.bias[:, :, :length, :length] == 0, float("-inf"))
                y = self.attn_dropout(F.softmax(scores, dim=-1)) @ v
            y = y.transpose(1, 2).contiguous().view(batch, length, width)
            return self.resid_dropout(self.c_proj(y))

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn, self.ln_2 = nn.LayerNorm(WIDTH), Attention(), nn.LayerNorm(WIDTH)
            self.mlp = nn.ModuleDict(
                {
                    "c_fc": Conv1D(4 * WIDTH, WIDTH),
                    "c_proj": Conv1D(WIDTH, 4 * WIDTH),
                    "act": nn.GELU(approximate="tanh"),
                    "dropout": nn.Dropout(0.1),
                }
            )

        def forward(self, x: Any) -> Any:
            x = x + self.attn(self.ln_1(x))
            m = self.mlp
            return x + m.dropout(m.c_proj(m.act(m.c_fc(self.ln_2(x)))))

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(VOCABULARY, WIDTH),
                    "wpe": nn.Embedding(LENGTH, WIDTH),
                    "drop": nn.Dropout(0.1),
                    "h": nn.ModuleList([Block() for _ in range(LAYERS)]),
                    "ln_f": nn.LayerNorm(WIDTH),
                }
            )
            self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
            self.transformer.wte.weight = self.lm_head.weight  # one matrix for both

        def forward(self, tokens: Any, targets: Any) -> Any:
            t = self.transformer
            places = torch.arange(tokens.size(1), device=tokens.device).unsqueeze(0)
            x = t.drop(t.wte(tokens) + t.wpe(places))
            for block in t.h:
                x = block(x)
            logits = self.lm_head(t.ln_f(x))
            return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    return GPT()


def saved(torch: Any, folder: Path) -> tuple[Any, Path]:
    """PyTorch's model with weights that are not small, and the file of its state dict."""
    torch.manual_seed(3)
    model = gpt(torch).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    path = folder / "gpt.pt"
    torch.save(model.state_dict(), path)
    return model, path


def batch(length: int = LENGTH - 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, VOCABULARY, (3, length + 1))
    targets = tokens[:, 1:].copy()
    targets[0, 3] = -1
    return tokens[:, :-1].copy(), targets


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("device", ["numpy:cpu", "jax:cpu"])
def test_a_saved_state_dict_gives_pytorchs_numbers(twins: Any, tmp_path: Path, device: str, fused: bool) -> None:
    import torch

    if device.startswith("jax"):
        pytest.importorskip("jax", reason="runs on JAX, which is not installed")
        if not fused:
            pytest.skip("one of the two forms is enough where every shape compiles")
    theirs, path = saved(torch, tmp_path)
    ours = gpt(dovetail, fused=fused).eval()
    assert repr(ours) == repr(theirs)
    assert ours.load_state_dict(dovetail.load(path)) is not None
    ours = ours.to(device)
    assert ours.transformer.wte.weight is ours.lm_head.weight
    tokens, targets = batch()
    logits, loss = ours(dovetail.tensor(tokens, device=device), dovetail.tensor(targets, device=device))
    their_logits, their_loss = theirs(torch.tensor(tokens), torch.tensor(targets))
    twins.check(logits, their_logits, "logits")
    twins.check(loss, their_loss, "loss")
    loss.backward()
    their_loss.backward()
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        twins.check(a.grad, b.grad, f"gradient of {name}")


def test_the_comparison_sees_a_wrong_model(twins: Any, tmp_path: Path) -> None:
    import torch

    theirs, path = saved(torch, tmp_path)
    ours = gpt(dovetail).eval()
    state = dovetail.load(path)
    state["transformer.h.1.ln_2.bias"] += 1e-3
    ours.load_state_dict(state)
    tokens, targets = batch()
    logits, _ = ours(dovetail.tensor(tokens), dovetail.tensor(targets))
    expected, _ = theirs(torch.tensor(tokens), torch.tensor(targets))
    with pytest.raises(AssertionError, match="logits"):
        twins.check(logits, expected, "logits")


def test_dropout_in_training_and_a_captured_step() -> None:
    dovetail.manual_seed(1)
    model = gpt(dovetail)
    tokens, targets = (dovetail.tensor(array) for array in batch())
    assert float(model(tokens, targets)[1].detach()) != float(model(tokens, targets)[1].detach())
    model.eval()
    optimizer = dovetail.optim.AdamW(model.parameters(), lr=1e-2)

    @dovetail.compile
    def step(tokens: Any, targets: Any) -> Any:
        optimizer.zero_grad()
        _, loss = model(tokens, targets)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(tokens, targets).item() for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]
