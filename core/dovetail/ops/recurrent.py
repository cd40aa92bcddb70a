"""One layer and direction of a recurrent network as one op: the steps that follow one another, and their gradient.

The products with the inputs of all steps are one `linear` before the op; what is left is the recurrence. On a
backend without a kernel the steps are public ops one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops import recurrent_steps as cells
from dovetail.ops.definition import op
from dovetail.ops.normalization import computed
from dovetail.ops.precision import wider
from dovetail.ops.recurrent_steps import State, Walk, Weights, order
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def _check(x: Spec, weight: Spec, states: Sequence[Spec], batch_sizes: Sequence[int], gates: int) -> None:
    """Raise unless the packed rows, the states and the weights fit each other."""
    if list(batch_sizes) != sorted(batch_sizes, reverse=True):
        raise ArgumentRuntimeError(f"batch_sizes must not grow from step to step, got {list(batch_sizes)}")
    if not batch_sizes:
        raise ArgumentRuntimeError("Expected sequence length to be larger than 0 in RNN")
    width = weight.shape[0]
    if x.shape != (sum(batch_sizes), width) or width % gates:
        raise ShapeError(
            f"the rows of all steps must be [{sum(batch_sizes)}, {width}] for batch sizes {list(batch_sizes)} and "
            f"recurrent weights {list(weight.shape)} of {gates} gates, got {list(x.shape)}"
        )
    for state, size in zip(states, (weight.shape[1], width // gates)):
        if state.shape != (batch_sizes[0], size):
            raise ShapeError(f"Expected hidden size {(batch_sizes[0], size)}, got {list(state.shape)}")


def _widened(*given: Tensor | None) -> tuple[Tensor | None, ...]:
    return tuple(None if t is None else t.to(wider(t.dtype)) for t in given)


def _start(like: State, grads: Sequence[Tensor | None]) -> State:
    """The slopes of the last state: zeros where nothing arrived."""
    return tuple(s.new_zeros(s.shape) if g is None else g.to(s.dtype) for s, g in zip(like, grads, strict=True))


def _walk(
    forward: cells.Forward, x: Tensor, state: State, weights: Weights, batch_sizes: Sequence[int], reverse: bool
) -> Walk:
    wide: Any = _widened(x, *state)
    return Walk(forward, wide[0], wide[1:], _widened(*weights), order(batch_sizes, reverse))


def _forward(walk: Walk, kind: Any) -> tuple[Tensor, ...]:
    return (walk.out.to(kind), *(s.to(kind) for s in walk.state))


def _backward(
    walk: Walk, backward: cells.Backward, grads: Sequence[Tensor | None], kind: Any
) -> tuple[Tensor, State, list[Tensor | None]]:
    """The gradients of a walk from those of the outputs and of the last state."""
    out, *states = _widened(*grads)
    own, slopes, totals = walk.back(backward, out, _start(walk.state, states))
    return (
        own.to(kind),
        tuple(s.to(kind) for s in slopes),
        [None if total is None else total.to(kind) for total in totals],
    )


_SIZES = (2, 2, 1)


def _zeros(*shape: int) -> Arg:
    return Arg(shape, values=[[0.0] * shape[1]] * shape[0])


# ------------------------------------------------------------------------------------------ the simple network

_RNN_CELLS: dict[str, tuple[cells.Forward, cells.Backward]] = {
    "tanh": (cells.tanh_forward, cells.tanh_backward),
    "relu": (cells.relu_forward, cells.relu_backward),
}


@op(
    shape=lambda x, h0, weight, out, *grads, **_: [x.shape, h0.shape, weight.shape],
    dtype=computed("rnn", False, False, False),
    outputs=("x_grad", "h0_grad", "weight_grad"),
    internal=True,
    samples=calls(
        call(_zeros(5, 3), _zeros(2, 3), Arg((3, 3)), _zeros(5, 3), Arg((5, 3)), Arg((2, 3)), _SIZES, grad=False),
        call(_zeros(5, 3), _zeros(2, 3), Arg((3, 3)), _zeros(5, 3), Arg((5, 3)), None, _SIZES, True, grad=False),
    ),
    agree=Agree.running(),
)
def rnn_scan_backward(
    x: Tensor,
    h0: Tensor,
    weight: Tensor,
    out: Tensor,
    grad: Tensor | None,
    grad_h: Tensor | None,
    batch_sizes: Sequence[int],
    reverse: bool = False,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of `rnn_scan`."""
    forward, backward = _RNN_CELLS[nonlinearity]
    walk = _walk(forward, x, (h0,), (weight,), batch_sizes, reverse)
    own, (slope,), (total,) = _backward(walk, backward, (grad, grad_h), x.dtype)
    assert total is not None, "the recurrent weights have a share in every step"
    return own, slope, total


def _rnn_shape(x: Spec, h0: Spec, weight: Spec, *, batch_sizes: Sequence[int], **_: Any) -> list[Shape]:
    _check(x, weight, (h0,), batch_sizes, 1)
    return [x.shape, h0.shape]


@op(
    shape=_rnn_shape,
    dtype=computed("rnn", False, False),
    outputs=("out", "hn"),
    autocast="lower",
    internal=True,
    samples=calls(
        call(Arg((5, 3)), Arg((2, 3)), Arg((3, 3)), _SIZES),
        call(Arg((5, 3)), Arg((2, 3)), Arg((3, 3)), _SIZES, True),
        call(Arg((4, 2)), Arg((2, 2)), Arg((2, 2)), (2, 2), nonlinearity="relu"),
        errors=(
            error(
                RuntimeError, "sequence length to be larger than 0", Arg((0, 3)), Arg((2, 3)), Arg((3, 3)), ()
            ),
            error(RuntimeError, "must not grow", Arg((3, 3)), Arg((1, 3)), Arg((3, 3)), (1, 2)),
            error(RuntimeError, "Expected hidden size (2, 3)", Arg((2, 3)), Arg((1, 3)), Arg((3, 3)), (2,)),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def rnn_scan(
    x: Tensor,
    h0: Tensor,
    weight: Tensor,
    batch_sizes: Sequence[int],
    reverse: bool = False,
    nonlinearity: str = "tanh",
) -> tuple[Tensor, Tensor]:
    """The steps ``h = f(x + W h)`` of a packed batch: the outputs of all steps, and the last state.

    Shapes: x (sum of batch_sizes, H) with the biases added, h0 (B, H), weight (H, H); results (sum, H), (B, H).
    """
    walk = _walk(_RNN_CELLS[nonlinearity][0], x, (h0,), (weight,), batch_sizes, reverse)
    out, hn = _forward(walk, x.dtype)
    return out, hn


@rnn_scan.vjp
def _rnn_gradient(
    g: Any, x: Tensor, h0: Tensor, weight: Tensor, out: Tensor, *, batch_sizes: Any, reverse: bool, nonlinearity: str
) -> Any:
    return rnn_scan_backward(x, h0, weight, out, g[0], g[1], batch_sizes, reverse, nonlinearity)


# ------------------------------------------------------------------------------------------ LSTM


def _halves(rows: int) -> Arg:
    """The gates of a network in which everything is 0: i, f and o are 1/2, and g is 0."""
    return Arg((rows, 8), values=[[0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.5, 0.5]] * rows)


_STILL = (_zeros(5, 8), _zeros(2, 2), _zeros(2, 2))


@op(
    shape=lambda x, h0, c0, weight, projection, *others, **_: [
        x.shape, h0.shape, c0.shape, weight.shape, (0,) if projection is None else projection.shape,
    ],
    dtype=computed("lstm", False, False, False, False, False),
    outputs=("x_grad", "h0_grad", "c0_grad", "weight_grad", "projection_grad"),
    internal=True,
    samples=calls(
        call(
            *_STILL, Arg((8, 2)), None, _zeros(5, 2), _halves(5), _zeros(5, 2),
            Arg((5, 2)), Arg((2, 2)), None, _SIZES, grad=False,
        ),
        call(
            *_STILL, Arg((8, 2)), Arg((2, 2)), _zeros(5, 2), _halves(5), _zeros(5, 2),
            Arg((5, 2)), None, Arg((2, 2)), _SIZES, True, grad=False,
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def lstm_scan_backward(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    weight: Tensor,
    projection: Tensor | None,
    out: Tensor,
    gates: Tensor,
    cells_kept: Tensor,
    grad: Tensor | None,
    grad_h: Tensor | None,
    grad_c: Tensor | None,
    batch_sizes: Sequence[int],
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients of `lstm_scan`; that of an absent projection is empty.

    ``gates`` and ``cells_kept`` are what the forward pass has computed; the decomposition computes them anew, so
    that second derivatives are right.
    """
    walk = _walk(cells.lstm_forward, x, (h0, c0), (weight, projection), batch_sizes, reverse)
    own, (along_h, along_c), (total, share) = _backward(walk, cells.lstm_backward, (grad, grad_h, grad_c), x.dtype)
    assert total is not None, "the recurrent weights have a share in every step"
    return own, along_h, along_c, total, x.new_zeros((0,)) if share is None else share


def _lstm_shape(
    x: Spec, h0: Spec, c0: Spec, weight: Spec, projection: Spec | None, *, batch_sizes: Sequence[int], **_: Any
) -> list[Shape]:
    _check(x, weight, (h0, c0), batch_sizes, 4)
    rows, size = x.shape[0], c0.shape[1]
    if projection is not None and projection.shape != (h0.shape[1], size):
        raise ShapeError(f"Expected projection {(h0.shape[1], size)}, got {list(projection.shape)}")
    return [(rows, h0.shape[1]), h0.shape, c0.shape, x.shape, (rows, size)]


@op(
    shape=_lstm_shape,
    dtype=computed("lstm", False, False, False, True, True),
    outputs=("out", "hn", "cn", "gates", "cells_kept"),
    autocast="lower",
    hidden=2,
    internal=True,
    samples=calls(
        call(Arg((5, 8)), Arg((2, 2)), Arg((2, 2)), Arg((8, 2)), None, _SIZES),
        call(Arg((5, 8)), Arg((2, 2)), Arg((2, 2)), Arg((8, 2)), None, _SIZES, True),
        call(Arg((4, 8)), Arg((2, 1)), Arg((2, 2)), Arg((8, 1)), Arg((1, 2)), (2, 2)),
        errors=(
            error(
                RuntimeError, "Expected hidden size (2, 2)",
                Arg((4, 8)), Arg((2, 2)), Arg((2, 3)), Arg((8, 2)), None, (2, 2),
            ),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def lstm_scan(
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    weight: Tensor,
    projection: Tensor | None,
    batch_sizes: Sequence[int],
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """The steps of an LSTM over a packed batch: the outputs of all steps, the last hidden and the last cell state.

    Shapes: x (sum of batch_sizes, 4 H) with the biases added, gates in the order i f g o; h0 (B, P), c0 (B, H), weight
    (4 H, P), projection (P, H) or None with P = H; results (sum, P), (B, P), (B, H).
    """
    walk = _walk(cells.lstm_forward, x, (h0, c0), (weight, projection), batch_sizes, reverse)
    out, hn, cn = _forward(walk, x.dtype)
    return out, hn, cn


@lstm_scan.vjp
def _lstm_gradient(
    g: Any,
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    weight: Tensor,
    projection: Tensor | None,
    out: Tensor,
    gates: Tensor,
    cells_kept: Tensor,
    *,
    batch_sizes: Any,
    reverse: bool,
) -> Any:
    found = lstm_scan_backward(
        x, h0, c0, weight, projection, out, gates, cells_kept, g[0], g[1], g[2], batch_sizes, reverse
    )
    return (*found[:4], None if projection is None else found[4])


# ------------------------------------------------------------------------------------------ GRU


@op(
    shape=lambda x, h0, weight, bias, *others, **_: [
        x.shape, h0.shape, weight.shape, (0,) if bias is None else bias.shape,
    ],
    dtype=computed("gru", False, False, False, False),
    outputs=("x_grad", "h0_grad", "weight_grad", "bias_grad"),
    internal=True,
    samples=calls(
        call(
            _zeros(5, 6), _zeros(2, 2), Arg((6, 2)), Arg((6,), values=[0.0] * 6), _zeros(5, 2),
            Arg((5, 8), values=[[0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]] * 5),
            Arg((5, 2)), Arg((2, 2)), _SIZES, grad=False,
        ),
        call(
            _zeros(5, 6), _zeros(2, 2), Arg((6, 2)), None, _zeros(5, 2),
            Arg((5, 8), values=[[0.5, 0.5, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0]] * 5),
            Arg((5, 2)), None, _SIZES, True, grad=False,
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def gru_scan_backward(
    x: Tensor,
    h0: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out: Tensor,
    gates: Tensor,
    grad: Tensor | None,
    grad_h: Tensor | None,
    batch_sizes: Sequence[int],
    reverse: bool = False,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of `gru_scan`; that of an absent bias is empty. As in `lstm_scan_backward` for what was kept."""
    walk = _walk(cells.gru_forward, x, (h0,), (weight, bias), batch_sizes, reverse)
    own, (slope,), (total, share) = _backward(walk, cells.gru_backward, (grad, grad_h), x.dtype)
    assert total is not None, "the recurrent weights have a share in every step"
    return own, slope, total, x.new_zeros((0,)) if share is None else share


def _gru_shape(
    x: Spec, h0: Spec, weight: Spec, bias: Spec | None, *, batch_sizes: Sequence[int], **_: Any
) -> list[Shape]:
    _check(x, weight, (h0,), batch_sizes, 3)
    rows, size = x.shape[0], h0.shape[1]
    return [(rows, size), h0.shape, (rows, 4 * size)]


@op(
    shape=_gru_shape,
    dtype=computed("gru", False, False, True),
    outputs=("out", "hn", "gates"),
    autocast={"cpu": "widest", "accelerator": "lower"},
    hidden=1,
    internal=True,
    samples=calls(
        call(Arg((5, 6)), Arg((2, 2)), Arg((6, 2)), Arg((6,)), _SIZES),
        call(Arg((5, 6)), Arg((2, 2)), Arg((6, 2)), None, _SIZES, True),
        errors=(
            error(
                RuntimeError, "Expected hidden size (2, 2)", Arg((4, 6)), Arg((2, 3)), Arg((6, 2)), None, (2, 2)
            ),
        ),
    ),
    agree=Agree.running(),
)  # fmt: skip
def gru_scan(
    x: Tensor, h0: Tensor, weight: Tensor, bias: Tensor | None, batch_sizes: Sequence[int], reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """The steps of a GRU over a packed batch: the outputs of all steps, and the last state.

    Shapes: x (sum of batch_sizes, 3 H) with the input bias added, gates in the order r z n; h0 (B, H), weight (3 H, H),
    bias (3 H) or None; results (sum, H), (B, H). The kept gates are r, z, n and W h + b of n.
    """
    walk = _walk(cells.gru_forward, x, (h0,), (weight, bias), batch_sizes, reverse)
    out, hn = _forward(walk, x.dtype)
    return out, hn


@gru_scan.vjp
def _gru_gradient(
    g: Any,
    x: Tensor,
    h0: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    out: Tensor,
    gates: Tensor,
    *,
    batch_sizes: Any,
    reverse: bool,
) -> Any:
    found = gru_scan_backward(x, h0, weight, bias, out, gates, g[0], g[1], batch_sizes, reverse)
    return (*found[:3], None if bias is None else found[3])
