"""Recurrent networks over whole sequences: RNN, LSTM, GRU."""

from __future__ import annotations

from typing import Any

from dovetail import ops
from dovetail.errors import ArgumentError, ShapeError
from dovetail.nn import functional as F
from dovetail.nn.recurrent_base import RNNBase, Sizes, State
from dovetail.nn.utils.rnn import PackedSequence
from dovetail.tensor.tensor import Tensor


class RNN(RNNBase):
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)`` in each layer; ``nonlinearity="relu"`` takes max(., 0) instead.

    Shapes: see :class:`RNNBase`; the state is (layers * directions, B, hidden_size). Source: J. Elman 1990.

    >>> import dovetail
    >>> out, h = dovetail.nn.RNN(3, 4, num_layers=2)(dovetail.ones(5, 2, 3))
    >>> out.shape, h.shape
    (dovetail.Size([5, 2, 4]), dovetail.Size([2, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_TANH" if nonlinearity == "tanh" else "RNN_RELU", *args, **kwargs)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs of the last layer at every step, and the last state of every layer."""
        return _single_state(self, input, hx)

    def _scan(self, rows: Tensor, state: State, weights: list[Tensor], sizes: Sizes, reverse: bool) -> State:
        x = F.linear(rows, weights[0], weights[2] + weights[3] if self.bias else None)
        return ops.rnn_scan(x, state[0], weights[1], sizes, reverse, self.nonlinearity)


class GRU(RNNBase):
    """``h' = (1 - z) n + z h`` with ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))`` in each layer.

    Gates in the parameters: r, z, n. Shapes: see :class:`RNNBase`; the state is (layers * directions, B, hidden_size).
    Source: K. Cho et al., arXiv:1406.1078; the reset gate multiplies the product, as in cuDNN.

    >>> import dovetail
    >>> out, h = dovetail.nn.GRU(3, 4, bidirectional=True)(dovetail.ones(5, 2, 3))
    >>> out.shape, h.shape
    (dovetail.Size([5, 2, 8]), dovetail.Size([2, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the outputs of the last layer at every step, and the last state of every layer."""
        return _single_state(self, input, hx)

    def _scan(self, rows: Tensor, state: State, weights: list[Tensor], sizes: Sizes, reverse: bool) -> State:
        x = F.linear(rows, weights[0], weights[2] if self.bias else None)
        return ops.gru_scan(x, state[0], weights[1], weights[3] if self.bias else None, sizes, reverse)


class LSTM(RNNBase):
    """``c' = f c + i g``, ``h' = o tanh(c')`` in each layer; with ``proj_size`` the output is ``W_hr h'``.

    Gates in the parameters: i, f, g, o. Shapes: see :class:`RNNBase`; the state is a pair of the hidden state (layers *
    directions, B, proj_size or hidden_size) and the cell (layers * directions, B, hidden_size). Sources: S. Hochreiter
    and J. Schmidhuber 1997, F. Gers et al. 2000; H. Sak et al., arXiv:1402.1128, for the projection.

    >>> import dovetail
    >>> out, (h, c) = dovetail.nn.LSTM(3, 4, batch_first=True)(dovetail.ones(2, 5, 3))
    >>> out.shape, h.shape, c.shape
    (dovetail.Size([2, 5, 4]), dovetail.Size([1, 2, 4]), dovetail.Size([1, 2, 4]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def forward(self, input: Any, hx: State | None = None) -> tuple[Any, State]:
        """Return the outputs of the last layer at every step, and the last hidden and cell state of every layer."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if input.ndim not in (2, 3):
            raise ArgumentError(f"LSTM: Expected input to be 2D or 3D, got {input.ndim}D instead")
        single = input.ndim == 2
        state = None
        if hx is not None:
            h, c = hx[0], hx[1]
            if h.ndim != input.ndim or c.ndim != input.ndim:
                kind = "unbatched 2-D" if single else "batched 3-D"
                raise ShapeError(
                    f"For {kind} input, hx and cx should also be {input.ndim}-D but got ({h.ndim}-D, {c.ndim}-D) "
                    "tensors"
                )
            state = (h.unsqueeze(1), c.unsqueeze(1)) if single else (h, c)
        batch = 0 if self.batch_first else 1
        out, (h, c) = self._padded(input.unsqueeze(batch) if single else input, state)
        return (out.squeeze(batch), (h.squeeze(1), c.squeeze(1))) if single else (out, (h, c))

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the cell that goes with an input."""
        return self._state_shapes(self._batch(input, batch_sizes))[1]

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return a state with the sequences of the batch in another order."""
        if permutation is None:
            return hx
        return tuple(super(LSTM, self).permute_hidden(part, permutation) for part in hx)

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        (hidden,) = super()._state_shapes(batch)
        return [hidden, (*hidden[:2], self.hidden_size)]

    def _check_state(self, state: State, batch: int) -> None:
        for i, (part, expected) in enumerate(zip(state, self._state_shapes(batch), strict=True)):
            self.check_hidden_size(part, expected, f"Expected hidden[{i}] size {{}}, got {{}}")

    def _scan(self, rows: Tensor, state: State, weights: list[Tensor], sizes: Sizes, reverse: bool) -> State:
        x = F.linear(rows, weights[0], weights[2] + weights[3] if self.bias else None)
        projection = weights[-1] if self.proj_size else None
        return ops.lstm_scan(x, state[0], state[1], weights[1], projection, sizes, reverse)


def _refuse_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ArgumentError("proj_size argument is only supported for LSTM, not RNN or GRU")


def _single_state(module: RNNBase, input: Any, hx: Tensor | None) -> tuple[Any, Tensor]:
    """The forward pass of a network whose state is one tensor."""
    if isinstance(input, PackedSequence):
        return module._packed(input, hx)
    if input.ndim not in (2, 3):
        said = "tensor instead" if isinstance(module, RNN) else "instead"
        raise ArgumentError(f"{type(module).__name__}: Expected input to be 2D or 3D, got {input.ndim}D {said}")
    single = input.ndim == 2
    if hx is not None and hx.ndim != input.ndim:
        kind = "unbatched 2-D" if single else "batched 3-D"
        raise ShapeError(f"For {kind} input, hx should also be {input.ndim}-D but got {hx.ndim}-D tensor")
    state = None if hx is None else (hx.unsqueeze(1) if single else hx,)
    batch = 0 if module.batch_first else 1
    out, (last,) = module._padded(input.unsqueeze(batch) if single else input, state)
    return (out.squeeze(batch), last.squeeze(1)) if single else (out, last)
