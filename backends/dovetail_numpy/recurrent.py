"""The steps of recurrent networks over packed batches, and their gradients through time.

A step of the forward pass is one matrix product and a few passes over the gates, all into memory that is there
already. On the way back everything that does not depend on the slopes (the derivatives of the gates) is worked out
for all steps at once, so that a step is one matrix product and a handful of multiplications; the gradients of the
weights are one product at the end. Formulas: those of ``dovetail.ops.recurrent_steps``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dovetail_numpy.precision import Array, widen, widen_optional
from dovetail_numpy.reductions import sum_over

Steps = list[tuple[int, int]]


def steps_of(batch_sizes: Sequence[int], reverse: bool) -> Steps:
    """Return (first row, rows) of every step in the order in which they are visited."""
    steps = []
    start = 0
    for rows in batch_sizes:
        steps.append((start, rows))
        start += rows
    return steps[::-1] if reverse else steps


def _before(values: Array, start: Array, batch_sizes: Sequence[int], reverse: bool) -> Array:
    """For each row the state that its step began with, given those that all steps ended with."""
    found = np.empty((values.shape[0], start.shape[1]), values.dtype)
    batch = batch_sizes[0]
    if batch_sizes[-1] == batch:
        last = values.shape[0] - batch
        if reverse:
            found[:last] = values[batch:]
            found[last:] = start
        else:
            found[:batch] = start
            found[batch:] = values[:last]
        return found
    previous, count = 0, 0
    for first, rows in steps_of(batch_sizes, reverse):
        known = min(count, rows)
        found[first : first + known] = values[previous : previous + known]
        found[first + known : first + rows] = start[known:rows]
        previous, count = first, rows
    return found


def _turned(weight: Array) -> Array:
    """The transposed weights in memory of their own: small products with a view of them take half as long again."""
    return np.ascontiguousarray(widen(weight).T)


def _sigmoid(x: Array) -> None:
    """1 / (1 + exp(-x)) in the place of x; exp may overflow to infinity."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.divide(1, x, out=x)  # numpy.reciprocal takes twice the time


def _slope_of_sigmoid(s: Array) -> Array:
    """s (1 - s) in a new array."""
    found = 1 - s
    found *= s
    return found


def _slope_of_tanh(t: Array) -> Array:
    """1 - t^2 in a new array."""
    found: Array = t * t
    np.subtract(1, found, out=found)
    return found


def _slopes(grad: Array | None, like: Array, dtype: np.dtype[np.float32]) -> Array:
    """The gradient of a last state as an array to work in: zeros where nothing arrived."""
    if grad is None:
        return np.zeros(like.shape, dtype)
    return grad.astype(dtype)


# ------------------------------------------------------------------------------------------ the simple network


@np.errstate(all="ignore")
def rnn(
    x: Array, h0: Array, weight: Array, *, batch_sizes: Sequence[int], reverse: bool, nonlinearity: str
) -> tuple[Array, Array]:
    """Return the outputs of all steps and the last state of ``h = f(x + W h)``."""
    wide, turned = widen(x), _turned(weight)
    h = widen(h0).copy()
    out = np.empty_like(wide)
    for start, rows in steps_of(batch_sizes, reverse):
        own = np.matmul(h[:rows], turned, out=out[start : start + rows])
        own += wide[start : start + rows]
        if nonlinearity == "tanh":
            np.tanh(own, out=own)
        else:
            np.maximum(own, 0, out=own)
        h[:rows] = own
    return out, h


@np.errstate(all="ignore")
def rnn_backward(
    x: Array,
    h0: Array,
    weight: Array,
    out: Array,
    grad: Array | None,
    grad_h: Array | None,
    *,
    batch_sizes: Sequence[int],
    reverse: bool,
    nonlinearity: str,
) -> tuple[Array, Array, Array]:
    """Return the gradients of x, h0 and the weights."""
    out, weight, start_state, grad = widen(out), widen(weight), widen(h0), widen_optional(grad)
    own = _slope_of_tanh(out) if nonlinearity == "tanh" else (out > 0).astype(out.dtype)
    along = _slopes(grad_h, h0, out.dtype)
    for start, rows in steps_of(batch_sizes, not reverse):
        cut = slice(start, start + rows)
        a = along[:rows]
        if grad is not None:
            a += grad[cut]
        own[cut] *= a
        np.matmul(own[cut], weight, out=a)
    return own, along, own.T @ _before(out, start_state, batch_sizes, reverse)


# ------------------------------------------------------------------------------------------ LSTM


@np.errstate(all="ignore")
def lstm(
    x: Array,
    h0: Array,
    c0: Array,
    weight: Array,
    projection: Array | None,
    *,
    batch_sizes: Sequence[int],
    reverse: bool,
) -> tuple[Array, ...]:
    """Return outputs, last hidden and cell state, and for the gradient the gates and the cells of all steps."""
    wide, turned, projection = widen(x), _turned(weight), widen_optional(projection)
    h, c = widen(h0).copy(), widen(c0).copy()
    size = c.shape[1]
    gates = np.empty_like(wide)
    kept = np.empty((wide.shape[0], size), wide.dtype)
    out = np.empty((wide.shape[0], h.shape[1]), wide.dtype)
    spare = np.empty_like(c)
    for start, rows in steps_of(batch_sizes, reverse):
        cut = slice(start, start + rows)
        own = np.matmul(h[:rows], turned, out=gates[cut])
        own += wide[cut]
        new = np.tanh(own[:, 2 * size : 3 * size], out=spare[:rows])
        _sigmoid(own)  # all in one go; what it made of g is overwritten
        own[:, 2 * size : 3 * size] = new
        new *= own[:, :size]
        now = np.multiply(own[:, size : 2 * size], c[:rows], out=kept[cut])
        now += new
        c[:rows] = now
        np.tanh(now, out=new)
        new *= own[:, 3 * size :]
        if projection is None:
            out[cut] = new
        else:
            np.matmul(new, projection.T, out=out[cut])
        h[:rows] = out[cut]
    return out, h, c, gates, kept


@np.errstate(all="ignore")
def lstm_backward(
    x: Array,
    h0: Array,
    c0: Array,
    weight: Array,
    projection: Array | None,
    out: Array,
    gates: Array,
    kept: Array,
    grad: Array | None,
    grad_h: Array | None,
    grad_c: Array | None,
    *,
    batch_sizes: Sequence[int],
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the gradients of x, h0, c0, the weights and the projection."""
    weight, projection, grad = widen(weight), widen_optional(projection), widen_optional(grad)
    gates, kept = widen(gates), widen(kept)
    size = kept.shape[1]
    forget = gates[:, size : 2 * size]
    own, bounded, through = _lstm_derivatives(gates, kept, _before(kept, widen(c0), batch_sizes, reverse))
    parts = own.reshape(-1, 4, size)
    along, along_c = _slopes(grad_h, h0, gates.dtype), _slopes(grad_c, c0, gates.dtype)
    arrived = None if projection is None else np.empty((gates.shape[0], along.shape[1]), gates.dtype)
    for start, rows in steps_of(batch_sizes, not reverse):
        cut = slice(start, start + rows)
        a, c = along[:rows], along_c[:rows]
        if grad is not None:
            a += grad[cut]
        to_h = a
        if projection is not None and arrived is not None:
            arrived[cut] = a
            to_h = a @ projection
        through[cut] *= to_h
        c += through[cut]
        parts[cut, :3] *= c[:, None]
        parts[cut, 3] *= to_h
        c *= forget[cut]
        np.matmul(own[cut], weight, out=a)
    total = own.T @ _before(widen(out), widen(h0), batch_sizes, reverse)
    if arrived is None:
        return own, along, along_c, total, np.zeros(0, own.dtype)
    bounded *= gates[:, 3 * size :]
    return own, along, along_c, total, arrived.T @ bounded


def _lstm_derivatives(gates: Array, kept: Array, before: Array) -> tuple[Array, Array, Array]:
    """What the slopes of cell and output are multiplied by: for the four gates, and between output and cell."""
    size = kept.shape[1]
    i, g, o = (gates[:, k * size : (k + 1) * size] for k in (0, 2, 3))
    bounded = np.tanh(kept)
    own = np.subtract(1, gates)
    own *= gates
    own[:, :size] *= g
    own[:, size : 2 * size] *= before
    own[:, 3 * size :] *= bounded
    through = _slope_of_tanh(g)
    np.multiply(through, i, out=own[:, 2 * size : 3 * size])
    np.multiply(bounded, bounded, out=through)
    np.subtract(1, through, out=through)
    through *= o
    return own, bounded, through


# ------------------------------------------------------------------------------------------ GRU


@np.errstate(all="ignore")
def gru(
    x: Array, h0: Array, weight: Array, bias: Array | None, *, batch_sizes: Sequence[int], reverse: bool
) -> tuple[Array, Array, Array]:
    """Return outputs and last state, and for the gradient r, z, n and the recurrent part of n."""
    wide, turned, bias = widen(x), _turned(weight), widen_optional(bias)
    h = widen(h0).copy()
    size = h.shape[1]
    gates = np.empty((wide.shape[0], 4 * size), wide.dtype)
    out = np.empty((wide.shape[0], size), wide.dtype)
    product = np.empty((h.shape[0], 3 * size), wide.dtype)
    for start, rows in steps_of(batch_sizes, reverse):
        cut = slice(start, start + rows)
        own, given, now = gates[cut], wide[cut], h[:rows]
        part = np.matmul(now, turned, out=product[:rows])
        if bias is not None:
            part += bias
        own[:, 3 * size :] = part[:, 2 * size :]
        both = np.add(part[:, : 2 * size], given[:, : 2 * size], out=own[:, : 2 * size])
        _sigmoid(both)
        n = np.multiply(own[:, :size], part[:, 2 * size :], out=own[:, 2 * size : 3 * size])
        n += given[:, 2 * size :]
        np.tanh(n, out=n)
        z = own[:, size : 2 * size]
        new = np.subtract(1, z, out=out[cut])
        new *= n
        now *= z
        now += new
        out[cut] = now
    return out, h, gates


@np.errstate(all="ignore")
def gru_backward(
    x: Array,
    h0: Array,
    weight: Array,
    bias: Array | None,
    out: Array,
    gates: Array,
    grad: Array | None,
    grad_h: Array | None,
    *,
    batch_sizes: Sequence[int],
    reverse: bool,
) -> tuple[Array, ...]:
    """Return the gradients of x, h0, the weights and the recurrent bias."""
    weight, gates, grad = widen(weight), widen(gates), widen_optional(grad)
    size = h0.shape[1]
    r, z, n, part = (gates[:, k * size : (k + 1) * size] for k in range(4))
    before = _before(widen(out), widen(h0), batch_sizes, reverse)
    own = np.empty((gates.shape[0], 3, size), gates.dtype)
    along_n = _slope_of_tanh(n)
    along_n *= 1 - z
    np.multiply(_slope_of_sigmoid(z), before - n, out=own[:, 1])
    np.multiply(along_n, r, out=own[:, 2])
    np.multiply(own[:, 2], part, out=own[:, 0])
    own[:, 0] *= 1 - r
    flat = own.reshape(-1, 3 * size)
    along = _slopes(grad_h, h0, gates.dtype)
    spare = np.empty_like(along)
    for start, rows in steps_of(batch_sizes, not reverse):
        cut = slice(start, start + rows)
        a = along[:rows]
        if grad is not None:
            a += grad[cut]
        own[cut] *= a[:, None]
        along_n[cut] *= a
        held = np.multiply(a, z[cut], out=spare[:rows])
        np.matmul(flat[cut], weight, out=a)
        a += held
    total = flat.T @ before
    share = np.zeros(0, flat.dtype) if bias is None else sum_over(flat, (0,))
    given = flat.copy()
    given[:, 2 * size :] = along_n
    return given, along, total, share
