"""A tiny GPT of width 128 with 2 layers and 4 heads on 16 x 64 characters of 65 kinds, and AdamW.

Pre-norm blocks as in GPT-2: layer norm, causal self-attention, layer norm, linear maps to 4 times the width and back
with gelu between them; embeddings of characters and places, a last layer norm, and a head without bias.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers import adam
from peers.mlp import cross_entropy

Array = NDArray[np.float32]
Step = Callable[[], float]

BATCH, LENGTH, WIDTH, HEADS, LAYERS, KINDS = 16, 64, 128, 4, 2, 65
SIZE = WIDTH // HEADS
DECAY, EPS = 0.01, 1e-5
BLOCK = ("n1", "c1", "qkv", "b_qkv", "out", "b_out", "n2", "c2", "up", "b_up", "down", "b_down")
"""The parameters of a block in PyTorch's order: norms as weight and bias, maps as (out, in) and bias."""


@dataclass(frozen=True)
class Problem:
    """Characters and those that follow them (16, 64); the embeddings, the blocks, the last norm, the head."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    parameters: tuple[Array, ...]


def problem() -> Problem:
    """Return the initial arrays, the same ones every time: maps and embeddings normal with deviation 0.02."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return (0.02 * rng.standard_normal(shape)).astype(np.float32)

    def vector(size: int, value: float = 0.0) -> Array:
        return np.full(size, value, np.float32)

    parameters = [normal(KINDS, WIDTH), normal(LENGTH, WIDTH)]
    for _ in range(LAYERS):
        parameters += [vector(WIDTH, 1), vector(WIDTH)]
        parameters += [normal(3 * WIDTH, WIDTH), vector(3 * WIDTH), normal(WIDTH, WIDTH), vector(WIDTH)]
        parameters += [vector(WIDTH, 1), vector(WIDTH)]
        parameters += [normal(4 * WIDTH, WIDTH), vector(4 * WIDTH), normal(WIDTH, 4 * WIDTH), vector(WIDTH)]
    parameters += [vector(WIDTH, 1), vector(WIDTH), normal(KINDS, WIDTH)]
    text = rng.integers(0, KINDS, (BATCH, LENGTH + 1))
    return Problem(text[:, :-1], text[:, 1:].copy(), tuple(parameters))


# ------------------------------------------------------------------------------------------ NumPy


def _norm(x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(EPS))
    normal = centred * scale
    return normal * weight + bias, (normal, scale)


def _norm_back(grad: Array, kept: tuple[Array, Array], weight: Array) -> tuple[Array, Array, Array]:
    normal, scale = kept
    h = grad * weight
    slope = h - h.mean(axis=-1, keepdims=True) - normal * (h * normal).mean(axis=-1, keepdims=True)
    return slope * scale, (grad * normal).sum(axis=0), grad.sum(axis=0)


def _heads(x: Array) -> Array:
    return x.reshape(BATCH, LENGTH, HEADS, SIZE).transpose(0, 2, 1, 3)


def _joined(x: Array) -> Array:
    return x.transpose(0, 2, 1, 3).reshape(BATCH * LENGTH, WIDTH)


_HIDDEN = np.triu(np.full((LENGTH, LENGTH), -np.inf, np.float32), 1)
_ROOT, _BELL = np.float32(0.5**0.5), np.float32((2 * np.pi) ** -0.5)


def _block(x: Array, p: Mapping[str, Array]) -> tuple[Array, dict[str, Any]]:
    """One block, and what its gradient needs."""
    from scipy.special import erf

    k: dict[str, Any] = {}
    k["a"], k["norm1"] = _norm(x, p["n1"], p["c1"])
    mapped = k["a"] @ p["qkv"].T + p["b_qkv"]
    k["q"], k["k"], k["v"] = (_heads(part) for part in np.split(mapped, 3, axis=1))
    scores = k["q"] @ k["k"].transpose(0, 1, 3, 2) * np.float32(SIZE**-0.5) + _HIDDEN
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    k["w"] = powers / powers.sum(axis=-1, keepdims=True)
    k["z"] = _joined(k["w"] @ k["v"])
    x = x + (k["z"] @ p["out"].T + p["b_out"])
    k["m"], k["norm2"] = _norm(x, p["n2"], p["c2"])
    k["u"] = k["m"] @ p["up"].T + p["b_up"]
    k["phi"] = np.float32(0.5) * (1 + erf(k["u"] * _ROOT))
    k["s"] = k["u"] * k["phi"]
    return x + (k["s"] @ p["down"].T + p["b_down"]), k


def _block_back(g: Array, p: Mapping[str, Array], k: Mapping[str, Any]) -> tuple[Array, list[Array]]:
    """The gradient of a block's input, and those of its parameters in order."""
    d: dict[str, Array] = {"down": g.T @ k["s"], "b_down": g.sum(axis=0)}
    u = k["u"]
    g_u = (g @ p["down"]) * (k["phi"] + u * np.exp(u * u * np.float32(-0.5)) * _BELL)
    d["up"], d["b_up"] = g_u.T @ k["m"], g_u.sum(axis=0)
    g_m, d["n2"], d["c2"] = _norm_back(g_u @ p["up"], k["norm2"], p["n2"])
    g = g + g_m
    d["out"], d["b_out"] = g.T @ k["z"], g.sum(axis=0)
    g_z = _heads(g @ p["out"])
    g_w = g_z @ k["v"].transpose(0, 1, 3, 2)
    scores = k["w"] * (g_w - (g_w * k["w"]).sum(axis=-1, keepdims=True)) * np.float32(SIZE**-0.5)
    parts = (scores @ k["k"], scores.transpose(0, 1, 3, 2) @ k["q"], k["w"].transpose(0, 1, 3, 2) @ g_z)
    g_mapped = np.concatenate([_joined(part) for part in parts], axis=1)
    d["qkv"], d["b_qkv"] = g_mapped.T @ k["a"], g_mapped.sum(axis=0)
    g_a, d["n1"], d["c1"] = _norm_back(g_mapped @ p["qkv"], k["norm1"], p["n1"])
    return g + g_a, [d[name] for name in BLOCK]


class _NumpyAdamW(adam.NumpyAdam):
    """Adam with decoupled weight decay (arXiv:1711.05101), as PyTorch has it."""

    def step(self, grads: Sequence[Array]) -> None:
        """Update all parameters."""
        for array in self.parameters:
            array *= 1 - adam.RATE * DECAY
        super().step(grads)


def numpy_by_hand() -> Step:
    """Gradients by hand, one function per block; gelu by SciPy's erf."""
    start = problem()
    x, y = start.x, start.y.reshape(-1)
    parameters = [array.copy() for array in start.parameters]
    characters, places, *inner = parameters
    *inner, last, shift, head = inner
    blocks = [dict(zip(BLOCK, inner[i * len(BLOCK) : (i + 1) * len(BLOCK)])) for i in range(LAYERS)]
    optimizer = _NumpyAdamW(parameters)

    def step() -> float:
        h = (characters[x] + places).reshape(BATCH * LENGTH, WIDTH)
        kept = []
        for block in blocks:
            h, k = _block(h, block)
            kept.append(k)
        final, norm = _norm(h, last, shift)
        loss, grad = cross_entropy(final @ head.T, y)
        grads = [grad.T @ final]
        g, *of_norm = _norm_back(grad @ head, norm, last)
        grads = [*of_norm, *grads]
        for block, k in zip(reversed(blocks), reversed(kept)):
            g, of_block = _block_back(g, block, k)
            grads = [*of_block, *grads]
        of_characters = np.zeros_like(characters)
        np.add.at(of_characters, x.reshape(-1), g)
        optimizer.step([of_characters, g.reshape(BATCH, LENGTH, WIDTH).sum(axis=0), *grads])
        return loss

    return step


# ------------------------------------------------------------------------------------------ PyTorch


def network(torch: Any) -> Any:
    """The model in modules of a framework with PyTorch's surface."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]  # the framework is an argument
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH)
            self.proj, self.ln_2 = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            parts = self.attn(self.ln_1(x)).split(WIDTH, dim=2)
            q, k, v = (part.view(batch, length, HEADS, SIZE).transpose(1, 2) for part in parts)
            z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(z.transpose(1, 2).reshape(batch, length, WIDTH))
            return x + self.down(F.gelu(self.up(self.ln_2(x))))

    class Model(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(KINDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
            self.ln_f, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, KINDS, bias=False)

        def forward(self, x: Any, places: Any) -> Any:
            h = self.wte(x) + self.wpe(places)
            for block in self.blocks:
                h = block(h)
            return self.head(self.ln_f(h))

    return Model()


def torch_eager() -> Step:
    """Modules and torch.optim.AdamW with its defaults."""
    torch = import_module("torch")

    start = problem()
    model = network(torch)
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), start.parameters):
            parameter.copy_(torch.from_numpy(array))
    x, y, places = torch.from_numpy(start.x), torch.from_numpy(start.y), torch.arange(LENGTH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=adam.RATE, weight_decay=DECAY)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x, places).view(-1, KINDS), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


# ------------------------------------------------------------------------------------------ JAX


def jax_jit() -> Step:
    """The whole step in one program: parameters, moments, step count and learning rate are its arguments."""
    jax = import_module("jax")
    jnp = import_module("jax.numpy")

    start = problem()
    x, y = jnp.array(start.x), jnp.array(start.y.reshape(-1))
    hidden = jnp.array(_HIDDEN)

    def norm(h: Any, weight: Any, bias: Any) -> Any:
        centred = h - h.mean(axis=-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred * centred).mean(axis=-1, keepdims=True) + EPS) * weight + bias

    def block(h: Any, p: Mapping[str, Any]) -> Any:
        mapped = norm(h, p["n1"], p["c1"]) @ p["qkv"].T + p["b_qkv"]
        q, k, v = (part.reshape(BATCH, LENGTH, HEADS, SIZE) for part in jnp.split(mapped, 3, axis=1))
        scores = jnp.einsum("blhs,bmhs->bhlm", q, k) * SIZE**-0.5 + hidden
        z = jnp.einsum("bhlm,bmhs->blhs", jax.nn.softmax(scores, axis=-1), v).reshape(BATCH * LENGTH, WIDTH)
        h = h + (z @ p["out"].T + p["b_out"])
        up = norm(h, p["n2"], p["c2"]) @ p["up"].T + p["b_up"]
        return h + (jax.nn.gelu(up, approximate=False) @ p["down"].T + p["b_down"])

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        characters, places, *inner = parameters
        *inner, last, shift, head = inner
        h = (characters[x] + places).reshape(BATCH * LENGTH, WIDTH)
        for i in range(LAYERS):
            h = block(h, dict(zip(BLOCK, inner[i * len(BLOCK) : (i + 1) * len(BLOCK)])))
        return adam.jax_cross_entropy(norm(h, last, shift) @ head.T, y)

    return adam.jax_step(loss_of, start.parameters, x, y, DECAY)


PEERS: Mapping[str, Callable[[], Step]] = {
    "NumPy by hand": numpy_by_hand,
    "torch eager": torch_eager,
    "jax.jit": jax_jit,
}
