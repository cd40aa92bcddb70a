"""What the recurrent modules share: their parameters, the checks of their inputs, and the walk through the layers."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from dovetail import ops
from dovetail.dispatch import autocast
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError, ShapeError
from dovetail.nn import functional as F
from dovetail.nn import init
from dovetail.nn.module import Module
from dovetail.nn.parameter import Parameter, fresh
from dovetail.nn.utils.rnn import PackedSequence
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.contract.device import Device
    from dovetail.dtypes import dtype as Dtype

State = tuple[Tensor, ...]
Sizes = tuple[int, ...]

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
"""How many gates each kind has: rows of the weights per unit of the state."""


class RNNBase(Module):
    """Layers of a recurrent network, in one direction or two: the base of RNN, LSTM and GRU.

    Shapes: input (T, B, input_size), (B, T, input_size) with ``batch_first``, or (T, input_size) without a batch; or a
    :class:`PackedSequence`, which gives one as the output. Parameters per layer k and direction: ``weight_ih_lk``,
    ``weight_hh_lk``, ``bias_ih_lk``, ``bias_hh_lk`` and with ``proj_size`` ``weight_hr_lk``, with the suffix
    ``_reverse`` for the second direction, all drawn from U(-x, x) with x = 1 / sqrt(hidden_size).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device | str | None = None,
        dtype: Dtype | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(input_size, hidden_size, num_layers, proj_size)
        _check_options(bias, batch_first, dropout, num_layers)
        if mode not in GATES:
            raise ArgumentError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for direction in range(self._directions):
                shapes = self._shapes(layer, direction)
                for name, shape in shapes.items():
                    self.register_parameter(name, fresh(ops.empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(list(shapes))
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _shapes(self, layer: int, direction: int) -> dict[str, tuple[int, ...]]:
        """The parameters of one layer and direction, in PyTorch's order."""
        rows = GATES[self.mode] * self.hidden_size
        suffix = f"_l{layer}" + ("_reverse" if direction else "")
        columns = self._output_size * self._directions if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {
            f"weight_ih{suffix}": (rows, columns),
            f"weight_hh{suffix}": (rows, self._output_size),
        }
        if self.bias:
            shapes |= {f"bias_ih{suffix}": (rows,), f"bias_hh{suffix}": (rows,)}
        if self.proj_size:
            shapes[f"weight_hr{suffix}"] = (self.proj_size, self.hidden_size)
        return shapes

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing: no backend wants the parameters in one piece of memory."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [getattr(self, name) for name in self._flat_weights_names]

    # ------------------------------------------------------------------------------------------- checks

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless the input has the features, dimensions and dtype of the weights."""
        kind = getattr(self, self._flat_weights_names[0]).dtype
        if input.dtype is not kind and not autocast.current.get().enabled:
            raise InputDtypeError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({kind}). Convert input: "
                f"input.to({kind}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.ndim != expected:
            raise ShapeError(f"input must have {expected} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the hidden state that goes with an input."""
        return self._state_shapes(self._batch(input, batch_sizes))[0]

    def _batch(self, input: Tensor, batch_sizes: Tensor | None) -> int:
        if batch_sizes is not None:
            return int(batch_sizes[0])
        return int(input.shape[0 if self.batch_first else 1])

    def _state_shapes(self, batch: int) -> list[tuple[int, int, int]]:
        return [(self.num_layers * self._directions, batch, self._output_size)]

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, int, int], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise unless a state has the shape that is expected."""
        if tuple(hx.shape) != expected_hidden_size:
            raise ShapeError(msg.format(expected_hidden_size, list(hx.shape)))

    def _check_state(self, state: State, batch: int) -> None:
        for part, expected in zip(state, self._state_shapes(batch), strict=True):
            self.check_hidden_size(part, expected)

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return a state with the sequences of the batch in another order."""
        return hx if permutation is None else ops.index_select(hx, 1, permutation)

    # ------------------------------------------------------------------------------------------- computing

    def _scan(self, rows: Tensor, state: State, weights: list[Tensor], sizes: Sizes, reverse: bool) -> State:
        """One layer and direction over packed rows: the outputs and the last state."""
        raise NotImplementedError

    def _layers(self, rows: Tensor, state: State | None, sizes: Sizes) -> tuple[Tensor, State]:
        """All layers over packed rows; states are (layers * directions, B, size), None for zeros."""
        starts = None if state is None else [part.unbind(0) for part in state]
        zeros = tuple(rows.new_zeros(shape[1:]) for shape in self._state_shapes(sizes[0])) if starts is None else ()
        last: list[State] = []
        for layer in range(self.num_layers):
            found: list[Tensor] = []
            for direction in range(self._directions):
                weights = [getattr(self, name) for name in self._all_weights[len(last)]]
                start = zeros if starts is None else tuple(part[len(last)] for part in starts)
                out, *end = self._scan(rows, start, weights, sizes, bool(direction))
                found.append(out)
                last.append(tuple(end))
            rows = found[0] if len(found) == 1 else ops.cat(found, 1)
            if self.dropout and layer < self.num_layers - 1:
                rows = F.dropout(rows, self.dropout, self.training)
        return rows, tuple(ops.stack(parts, 0) for parts in zip(*last, strict=True))

    def _padded(self, input: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The layers over a batch of equal lengths (T, B, *), or (B, T, *) with ``batch_first``."""
        steps, batch = input.shape[:2][::-1] if self.batch_first else input.shape[:2]
        if not steps:
            raise ArgumentRuntimeError("Expected sequence length to be larger than 0 in RNN")
        self.check_input(input, None)
        if state is not None:
            self._check_state(state, batch)
        by_step = input.transpose(0, 1) if self.batch_first else input
        rows, last = self._layers(by_step.reshape(steps * batch, input.shape[2]), state, (batch,) * steps)
        out = rows.reshape(steps, batch, rows.shape[1])
        return (out.transpose(0, 1) if self.batch_first else out), last

    def _packed(self, input: PackedSequence, state: Any) -> tuple[PackedSequence, Any]:
        """The layers over a packed batch; states come and go in the order in which it was packed."""
        sizes = input.steps()
        self.check_input(input.data, input.batch_sizes)
        if state is not None:
            state = self.permute_hidden(state, input.sorted_indices)
            state = state if isinstance(state, tuple) else (state,)
            self._check_state(state, sizes[0])
        rows, last = self._layers(input.data, state, sizes)
        end: Any = last if len(last) > 1 else last[0]
        return input.with_data(rows), self.permute_hidden(end, input.unsorted_indices)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not the default."""
        said = [f"{self.input_size}, {self.hidden_size}"]
        plain = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0}
        for name, default in {**plain, "bidirectional": False}.items():
            if getattr(self, name) != default:
                said.append(f"{name}={getattr(self, name)}")
        return ", ".join(said)


class InputDtypeError(ArgumentError):
    """An input of another dtype than the weights."""


def _check_options(bias: Any, batch_first: Any, dropout: Any, num_layers: int) -> None:
    if not isinstance(dropout, int | float) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ArgumentError(
            f"dropout should be a number in range [0, 1] representing the probability of an element being zeroed, "
            f"got {dropout!r}"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise ArgumentTypeError(f"{name} should be of type bool, got: {type(value).__name__}")


def _check_sizes(input_size: Any, hidden_size: Any, num_layers: int, proj_size: int) -> None:
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise ArgumentTypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ArgumentError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ArgumentError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ArgumentError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ArgumentError("proj_size has to be smaller than hidden_size")
