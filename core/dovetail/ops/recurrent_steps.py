"""The order in which a recurrent network visits the rows of a sequence, and its cells, in public ops.

A batch of sequences is packed: first the first elements of all sequences, then the second ones, and so on. The
sequences are sorted by length, the longest first, so the sequences that are still running at a step are the first
rows of the state. ``batch_sizes`` says how many run at each step; a batch of equal lengths is the special case in
which all of these numbers are equal.

Sources: J. Elman 1990 (the simple network); S. Hochreiter and J. Schmidhuber 1997 with the forget gate of F. Gers
et al. 2000 (LSTM); H. Sak et al., arXiv:1402.1128 (its projection); K. Cho et al., arXiv:1406.1078, in the form that
multiplies by the reset gate after the product, as cuDNN does (GRU).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dovetail.ops.joining import cat
from dovetail.tensor.tensor import Tensor

State = tuple[Tensor, ...]
Weights = tuple[Tensor | None, ...]
Forward = Callable[[Tensor, State, Weights], tuple[State, State]]
"""``forward(x, state, weights)`` gives the next state, whose first part is the output, and what backward needs."""
Backward = Callable[[State, State, State, Weights], tuple[Tensor, State, Weights]]
"""``backward(slopes of the state, kept, state before, weights)``: slopes of x, of the state before, and of weights."""


def order(batch_sizes: Sequence[int], reverse: bool) -> list[tuple[int, int]]:
    """Return (first row, rows) of every step in the order in which they are visited.

    >>> order((3, 2), reverse=True)
    [(3, 2), (0, 3)]
    """
    steps = []
    start = 0
    for rows in batch_sizes:
        steps.append((start, rows))
        start += rows
    return steps[::-1] if reverse else steps


def _first(state: State, rows: int) -> State:
    return tuple(s.narrow(0, 0, rows) for s in state)


def _replaced(state: State, first: State) -> State:
    """The state with new values in its first rows."""
    rows, whole = first[0].shape[0], state[0].shape[0]
    if rows == whole:
        return first
    return tuple(cat((f, s.narrow(0, rows, whole - rows)), 0) for f, s in zip(first, state, strict=True))


def _summed(total: Tensor | None, share: Tensor | None) -> Tensor | None:
    return share if total is None or share is None else total + share


class Walk:
    """One pass over a packed batch: the outputs, the last state, and what each step keeps for the way back."""

    def __init__(
        self, forward: Forward, x: Tensor, state: State, weights: Weights, steps: Sequence[tuple[int, int]]
    ) -> None:
        self.steps = steps
        self.weights = weights
        self.before: list[State] = []
        self.kept: list[State] = []
        found: dict[int, Tensor] = {}
        for start, rows in steps:
            self.before.append(_first(state, rows))
            new, kept = forward(x.narrow(0, start, rows), self.before[-1], weights)
            self.kept.append(kept)
            state = _replaced(state, new)
            found[start] = new[0]
        self.state = state
        # steps without rows share their start, and have nothing to add
        self.out = cat(tuple(found[start] for start in sorted(found)), 0)

    def back(self, backward: Backward, grad: Tensor | None, slopes: State) -> tuple[Tensor, State, list[Tensor | None]]:
        """Return the gradients of x, of the state at the start, and of the weights."""
        found: dict[int, Tensor] = {}
        totals: list[Tensor | None] = [None] * len(self.weights)
        for (start, rows), before, kept in zip(self.steps[::-1], self.before[::-1], self.kept[::-1], strict=True):
            own = _first(slopes, rows)
            if grad is not None:
                own = (own[0] + grad.narrow(0, start, rows), *own[1:])
            found[start], own, shares = backward(own, kept, before, self.weights)
            slopes = _replaced(slopes, own)
            totals = [_summed(total, share) for total, share in zip(totals, shares, strict=True)]
        return cat(tuple(found[start] for start in sorted(found)), 0), slopes, totals


# ------------------------------------------------------------------------------------------ the cells


def _slope_of_sigmoid(s: Tensor) -> Tensor:
    return s * (1 - s)


def tanh_forward(x: Tensor, state: State, weights: Weights) -> tuple[State, State]:
    """``h' = tanh(x + W h)``."""
    (weight,) = weights
    assert weight is not None, "every cell has recurrent weights"
    h = (x + state[0] @ weight.t()).tanh()
    return (h,), (h,)


def relu_forward(x: Tensor, state: State, weights: Weights) -> tuple[State, State]:
    """``h' = max(x + W h, 0)``."""
    (weight,) = weights
    assert weight is not None, "every cell has recurrent weights"
    h = (x + state[0] @ weight.t()).clamp(min=0)
    return (h,), (h,)


def _simple_backward(slopes: State, inner: Tensor, before: State, weights: Weights) -> tuple[Tensor, State, Weights]:
    (weight,) = weights
    assert weight is not None, "every cell has recurrent weights"
    own = slopes[0] * inner
    return own, (own @ weight,), (own.t() @ before[0],)


def tanh_backward(slopes: State, kept: State, before: State, weights: Weights) -> tuple[Tensor, State, Weights]:
    """The gradients of `tanh_forward`."""
    return _simple_backward(slopes, 1 - kept[0] * kept[0], before, weights)


def relu_backward(slopes: State, kept: State, before: State, weights: Weights) -> tuple[Tensor, State, Weights]:
    """The gradients of `relu_forward`."""
    return _simple_backward(slopes, (kept[0] > 0).to(kept[0].dtype), before, weights)


def lstm_forward(x: Tensor, state: State, weights: Weights) -> tuple[State, State]:
    """``c' = f c + i g`` and ``h' = o tanh(c')``, by the projection where there is one: gates in the order i f g o."""
    h, c = state
    weight, projection = weights
    assert weight is not None, "every cell has recurrent weights"
    i, f, g, o = (x + h @ weight.t()).chunk(4, 1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f * c + i * g
    bounded = c.tanh()
    h = o * bounded
    return (h if projection is None else h @ projection.t(), c), (i, f, g, o, bounded, h)


def lstm_backward(slopes: State, kept: State, before: State, weights: Weights) -> tuple[Tensor, State, Weights]:
    """The gradients of `lstm_forward`."""
    along_h, along_c = slopes
    i, f, g, o, bounded, h = kept
    weight, projection = weights
    assert weight is not None, "every cell has recurrent weights"
    share = None
    if projection is not None:
        share = along_h.t() @ h
        along_h = along_h @ projection
    along_c = along_c + along_h * (o * (1 - bounded * bounded))
    own = cat(
        (
            along_c * (g * _slope_of_sigmoid(i)),
            along_c * (before[1] * _slope_of_sigmoid(f)),
            along_c * (i * (1 - g * g)),
            along_h * (bounded * _slope_of_sigmoid(o)),
        ),
        1,
    )
    return own, (own @ weight, along_c * f), (own.t() @ before[0], share)


def gru_forward(x: Tensor, state: State, weights: Weights) -> tuple[State, State]:
    """``h' = (1 - z) n + z h`` with ``n = tanh(x + r (W h + b))``: gates in the order r z n."""
    (h,) = state
    weight, bias = weights
    assert weight is not None, "every cell has recurrent weights"
    own = h @ weight.t()
    if bias is not None:
        own = own + bias
    (xr, xz, xn), (hr, hz, hn) = x.chunk(3, 1), own.chunk(3, 1)
    r, z = (xr + hr).sigmoid(), (xz + hz).sigmoid()
    n = (xn + r * hn).tanh()
    return ((1 - z) * n + z * h,), (r, z, n, hn)


def gru_backward(slopes: State, kept: State, before: State, weights: Weights) -> tuple[Tensor, State, Weights]:
    """The gradients of `gru_forward`."""
    (along,) = slopes
    r, z, n, hn = kept
    weight, bias = weights
    assert weight is not None, "every cell has recurrent weights"
    along_n = along * ((1 - z) * (1 - n * n))
    along_r = along_n * (hn * _slope_of_sigmoid(r))
    along_z = along * ((before[0] - n) * _slope_of_sigmoid(z))
    own = cat((along_r, along_z, along_n * r), 1)
    share = None if bias is None else own.sum(0)
    return cat((along_r, along_z, along_n), 1), (own @ weight + along * z,), (own.t() @ before[0], share)
