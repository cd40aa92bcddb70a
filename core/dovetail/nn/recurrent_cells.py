"""Recurrent networks step by step: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dovetail import ops
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ShapeError
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype


class RNNCellBase(Module):
    """One step of one layer: the base of RNNCell, LSTMCell and GRUCell.

    Shapes: input (B, input_size) or (input_size), state (B, hidden_size) or (hidden_size). Parameters ``weight_ih``
    (gates * hidden_size, input_size), ``weight_hh`` (gates * hidden_size, hidden_size), ``bias_ih`` and ``bias_hh``
    (gates * hidden_size), all drawn from U(-x, x) with x = 1 / sqrt(hidden_size).
    """

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        self.weight_ih = fresh(ops.empty((rows, input_size), device=device, dtype=dtype))
        self.weight_hh = fresh(ops.empty((rows, hidden_size), device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, fresh(ops.empty(rows, device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not the default."""
        said = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            said += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return said if nonlinearity == "tanh" else f"{said}, nonlinearity={nonlinearity}"

    def _rows(self, input: Tensor, states: tuple[Tensor, ...], words: tuple[str, ...]) -> tuple[Tensor, ...]:
        """Check input and states, and give them a batch; zeros for states that are not given."""
        name = type(self).__name__
        for word, given in zip(("input", *words), (input, *states)):
            if given.ndim not in (1, 2):
                raise ArgumentError(f"{name}: Expected {word} to be 1D or 2D, got {given.ndim}D instead")
        if input.ndim == 1:
            input, states = input.unsqueeze(0), tuple(s.unsqueeze(0) for s in states)
        if input.shape[1] != self.input_size:
            raise ShapeError(f"input has inconsistent input_size: got {input.shape[1]} expected {self.input_size}")
        for i, state in enumerate(states):
            if state.shape[0] != input.shape[0]:
                raise ShapeError(
                    f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {state.shape[0]}"
                )
            if state.ndim != 2 or state.shape[1] != self.hidden_size:
                raise ShapeError(
                    f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, expected {self.hidden_size}"
                )
        if not states:
            states = (input.new_zeros((input.shape[0], self.hidden_size)),) * len(words)
        return input, *states

    def _biases(self) -> Tensor | None:
        """The sum of both biases."""
        return None if self.bias_ih is None or self.bias_hh is None else self.bias_ih + self.bias_hh


class RNNCell(RNNCellBase):
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``; ``nonlinearity="relu"`` takes max(., 0) instead.

    >>> import dovetail
    >>> dovetail.nn.RNNCell(3, 4)(dovetail.ones(2, 3)).shape
    dovetail.Size([2, 4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=1, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        x, h = self._rows(input, () if hx is None else (hx,), ("hidden",))
        if self.nonlinearity not in ("tanh", "relu"):
            raise ArgumentRuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        x = F.linear(x, self.weight_ih, self._biases())
        _, h = ops.rnn_scan(x, h, self.weight_hh, (x.shape[0],), False, self.nonlinearity)
        return h if input.ndim == 2 else h.squeeze(0)


class LSTMCell(RNNCellBase):
    """``c' = f c + i g``, ``h' = o tanh(c')``: the state is the pair (h, c).

    >>> import dovetail
    >>> h, c = dovetail.nn.LSTMCell(3, 4)(dovetail.ones(2, 3))
    >>> h.shape, c.shape
    (dovetail.Size([2, 4]), dovetail.Size([2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=4, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Return the next hidden state and the next cell."""
        x, h, c = self._rows(input, () if hx is None else tuple(hx), ("hx[0]", "hx[1]"))
        x = F.linear(x, self.weight_ih, self._biases())
        _, h, c = ops.lstm_scan(x, h, c, self.weight_hh, None, (x.shape[0],))
        return (h, c) if input.ndim == 2 else (h.squeeze(0), c.squeeze(0))


class GRUCell(RNNCellBase):
    """``h' = (1 - z) n + z h`` with ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))``.

    >>> import dovetail
    >>> dovetail.nn.GRUCell(3, 4)(dovetail.ones(3)).shape
    dovetail.Size([4])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, num_chunks=3, device=device, dtype=dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next state."""
        x, h = self._rows(input, () if hx is None else (hx,), ("hidden",))
        x = F.linear(x, self.weight_ih, self.bias_ih)
        _, h = ops.gru_scan(x, h, self.weight_hh, self.bias_hh, (x.shape[0],))
        return h if input.ndim == 2 else h.squeeze(0)
