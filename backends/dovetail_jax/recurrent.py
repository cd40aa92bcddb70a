"""Recurrent networks under XLA: one loop over the steps of a packed batch, differentiated by JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dovetail.backend import Array, Call, KernelTable, ops

table: Final = KernelTable()
Kernel = Callable[..., Any]
State = tuple[Array, ...]


def _dot(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")


def _rnn(x: Array, state: State, weights: Any, nonlinearity: str) -> tuple[State, State]:
    (h,), (weight,) = state, weights
    own = x + _dot(h, weight.T)
    return (jnp.tanh(own) if nonlinearity == "tanh" else jnp.maximum(own, 0),), ()


def _lstm(x: Array, state: State, weights: Any) -> tuple[State, State]:
    (h, c), (weight, projection) = state, weights
    i, f, g, o = jnp.split(x + _dot(h, weight.T), 4, axis=1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    c = f * c + i * g
    h = o * jnp.tanh(c)
    gates = jnp.concatenate((i, f, g, o), axis=1)
    return (h if projection is None else _dot(h, projection.T), c), (gates, c)


def _gru(x: Array, state: State, weights: Any) -> tuple[State, State]:
    (h,), (weight, bias) = state, weights
    own = _dot(h, weight.T)
    if bias is not None:
        own = own + bias
    (xr, xz, xn), (hr, hz, hn) = jnp.split(x, 3, axis=1), jnp.split(own, 3, axis=1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    n = jnp.tanh(xn + r * hn)
    return ((1 - z) * n + z * h,), (jnp.concatenate((r, z, n, hn), axis=1),)


def _wide(array: Any) -> Any:
    return array.astype(jnp.float32) if array is not None and array.dtype.itemsize == 2 else array


def _scanned(cell: Callable[..., tuple[State, State]], call: Call) -> Callable[..., Any]:
    """All steps as one loop: ``run(x, state, weights)`` gives outputs, last state, and what the cell keeps."""
    batch_sizes: Sequence[int] = call.statics["batch_sizes"]
    sizes = np.asarray(batch_sizes)
    batch, even = int(sizes[0]), bool((sizes == sizes[0]).all())
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    # where each sequence's row is at each step; a sequence that has ended reads any row, and keeps its state
    inside = np.arange(batch) < sizes[:, None]
    rows = np.where(inside, starts[:, None] + np.arange(batch), 0)
    back = np.nonzero(inside.reshape(-1))[0]
    reverse = bool(call.statics["reverse"])

    def step(carry: Any, given: Any) -> Any:
        state, weights = carry
        x, going = given
        new, kept = cell(x, state, weights)
        if not even:
            new = tuple(jnp.where(going[:, None], n, s) for n, s in zip(new, state, strict=True))
        return (new, weights), (new[0], *kept)

    def run(x: Array, state: State, weights: Any) -> tuple[Array, State, State]:
        padded = x.reshape(len(sizes), batch, -1) if even else x[rows]
        ((last, _), found) = lax.scan(step, (state, weights), (padded, jnp.asarray(inside)), reverse=reverse)
        flat = [f.reshape(len(sizes) * batch, -1) for f in found]
        out, *kept = flat if even else [f[back] for f in flat]
        return out, last, tuple(kept)

    return run


def _rounded(call: Call, found: Sequence[Array]) -> tuple[Array, ...]:
    return tuple(f.astype(s.dtype.host) for f, s in zip(found, call.outputs, strict=True))


def _enter(op: Any, backward: Any, cell_of: Callable[[Call], Any], states: int, kept: int) -> None:
    """Register the loop and its gradient for inputs (x, states, weights); ``kept`` counts what the gradient is given.

    The gradient goes through the loop once more: XLA then keeps what it wants to.
    """

    @table.binder(op)
    def forward(call: Call) -> Kernel | None:
        if not _usable(call):
            return None
        run = _scanned(cell_of(call), call)

        def kernel(*arrays: Any) -> tuple[Array, ...]:
            x, *rest = map(_wide, arrays)
            out, last, kept = run(x, tuple(rest[:states]), tuple(rest[states:]))
            return _rounded(call, (out, *last, *kept))

        return kernel

    @table.binder(backward)
    def gradient(call: Call) -> Kernel | None:
        if not _usable(call):
            return None
        run = _scanned(cell_of(call), call)

        def kernel(*arrays: Any) -> tuple[Array, ...]:
            x, *rest = map(_wide, arrays[: -kept - 1 - states])
            grads = [_wide(g) for g in arrays[-1 - states :]]
            state, weights = tuple(rest[:states]), tuple(rest[states:])
            results, pull = jax.vjp(lambda *a: run(*a)[:2], x, state, weights)
            wanted = (results[0], *results[1])
            out, *last = (jnp.zeros_like(r) if g is None else g for g, r in zip(grads, wanted, strict=True))
            along_x, along_state, along_weights = pull((out, tuple(last)))
            totals = [jnp.zeros((0,), x.dtype) if w is None else w for w in along_weights]
            return _rounded(call, (along_x, *along_state, *totals))

        return kernel


def _usable(call: Call) -> bool:
    """Whether there is a step and a row: a loop over nothing is left to the decomposition."""
    sizes = call.statics["batch_sizes"]
    return bool(sizes) and sizes[0] > 0


def _rnn_cell(call: Call) -> Any:
    kind = call.statics["nonlinearity"]
    return lambda x, state, weights: _rnn(x, state, weights, kind)


_enter(ops.rnn_scan, ops.rnn_scan_backward, _rnn_cell, states=1, kept=1)
_enter(ops.lstm_scan, ops.lstm_scan_backward, lambda call: _lstm, states=2, kept=3)
_enter(ops.gru_scan, ops.gru_scan_backward, lambda call: _gru, states=1, kept=2)
