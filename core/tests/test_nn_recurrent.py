"""Recurrent networks and their cells compute what PyTorch's do, with the same weights, names and printed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn.utils import rnn

pytestmark = pytest.mark.oracle

OPTIONS = (
    "",
    ", 2",
    ", bias=False",
    ", batch_first=True",
    ", bidirectional=True",
    ", num_layers=2, bidirectional=True, batch_first=True",
)
NETWORKS = [f"{kind}(3, 4{options})" for kind in ("LSTM", "GRU", "RNN") for options in OPTIONS] + [
    "RNN(3, 4, 1, 'relu')",
    "RNN(3, 4, 2, nonlinearity='relu', bidirectional=True)",
    "LSTM(3, 4, proj_size=2)",
    "LSTM(3, 4, 2, bias=False, proj_size=2, bidirectional=True)",
]
LENGTHS = [2, 5, 1, 4]


def rows(*shape: int, seed: int = 1, dtype: str = "float64") -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def states(network: Any, batch: tuple[int, ...], dtype: str = "float64") -> list[Any]:
    """Arrays of the state that goes with a network."""
    count = network.num_layers * (2 if network.bidirectional else 1)
    sizes = [network.proj_size or network.hidden_size]
    if isinstance(network, nn.LSTM):
        sizes.append(network.hidden_size)
    return [rows(count, *batch, size, seed=i + 5, dtype=dtype) for i, size in enumerate(sizes)]


def run(twins: Any, text: str, shape: tuple[int, ...], batch: tuple[int, ...] | None, dtype: str = "float64") -> None:
    """Compare both on an input of a shape, with a given state of a batch or with zeros."""
    ours, theirs = twins.build(text, dtype)
    x = twins.pair(rows(*shape, dtype=dtype))
    given = [] if batch is None else [twins.pair(array) for array in states(ours, batch, dtype)]
    arguments: list[Any] = [[x[i]] for i in (0, 1)]
    for i in (0, 1):
        if given:
            arguments[i].append(given[0][i] if len(given) == 1 else tuple(g[i] for g in given))
    twins.compare(ours, theirs, (ours(*arguments[0]), theirs(*arguments[1])), [x, *given])


@pytest.mark.parametrize("text", NETWORKS)
def test_sequences(twins: Any, text: str) -> None:
    # five steps of two sequences, or the other way round with batch_first
    run(twins, text, (5, 2, 3), None)
    run(twins, text, (5, 2, 3), (5 if "batch_first" in text else 2,))


@pytest.mark.parametrize("text", ["LSTM(3, 4, 2)", "GRU(3, 4, bidirectional=True)", "RNN(3, 4, batch_first=True)"])
def test_without_a_batch_and_in_float32(twins: Any, text: str) -> None:
    run(twins, text, (5, 3), ())
    run(twins, text, (7, 6, 3), None, "float32")
    run(twins, text, (4, 0, 3) if "batch_first" not in text else (0, 4, 3), None)


@pytest.mark.parametrize("text", [t for t in NETWORKS if "batch_first" not in t])
@pytest.mark.parametrize("given", [False, True])
def test_packed_sequences(twins: Any, text: str, given: bool) -> None:
    import torch

    ours, theirs = twins.build(text)
    x = twins.pair(rows(5, 4, 3))
    packers = (rnn.pack_padded_sequence, torch.nn.utils.rnn.pack_padded_sequence)
    padders = (rnn.pad_packed_sequence, torch.nn.utils.rnn.pad_packed_sequence)
    state = [twins.pair(array) for array in states(ours, (4,))] if given else []
    results = []
    for i, network in enumerate((ours, theirs)):
        packed = packers[i](x[i], LENGTHS, enforce_sorted=False)
        start = tuple(s[i] for s in state)
        out, last = network(packed, *((start if len(start) > 1 else start[0],) if given else ()))
        assert type(out).__name__ == "PackedSequence"
        results.append((padders[i](out)[0], last))
    twins.compare(ours, theirs, (results[0], results[1]), [x, *state])


@pytest.mark.parametrize(
    "text",
    [
        "RNNCell(3, 4)",
        "RNNCell(3, 4, False, 'relu')",
        "LSTMCell(3, 4)",
        "LSTMCell(3, 4, bias=False)",
        "GRUCell(3, 4)",
        "GRUCell(3, 4, bias=False)",
    ],
)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_cells(twins: Any, text: str, batch: tuple[int, ...]) -> None:
    ours, theirs = twins.build(text)
    x = twins.pair(rows(*batch, 3))
    twins.compare(ours, theirs, (ours(x[0]), theirs(x[1])), [x])
    given = [twins.pair(rows(*batch, 4, seed=i)) for i in range(2 if "LSTM" in text else 1)]
    arguments = [tuple(g[i] for g in given) if len(given) > 1 else given[0][i] for i in (0, 1)]
    twins.compare(ours, theirs, (ours(x[0], arguments[0]), theirs(x[1], arguments[1])), [x, *given])


def test_second_derivatives_are_those_of_the_steps() -> None:
    network = nn.LSTM(2, 3, proj_size=2).double()
    weights = list(network.parameters())
    x = dovetail.tensor(rows(3, 2, 2), requires_grad=True)

    def slopes(*values: Any) -> Any:
        state = dict(zip((n for n, _ in network.named_parameters()), values[1:], strict=True))
        h = dovetail.zeros(2, 2, dtype=dovetail.float64)
        c = dovetail.zeros(2, 3, dtype=dovetail.float64)
        gates = values[0].reshape(6, 2) @ state["weight_ih_l0"].t() + state["bias_ih_l0"] + state["bias_hh_l0"]
        return dovetail.ops.lstm_scan(gates, h, c, state["weight_hh_l0"], state["weight_hr_l0"], (2, 2, 2))

    assert dovetail.autograd.gradgradcheck(slopes, (x, *weights))


def test_dropout_is_between_the_layers_only(twins: Any) -> None:
    with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1"):
        single = nn.LSTM(3, 4, dropout=0.5)
    x = dovetail.tensor(rows(5, 2, 3, dtype="float32"))
    assert dovetail.equal(single(x)[0], single(x)[0])
    double = nn.GRU(3, 4, 2, dropout=0.5)
    assert not dovetail.equal(double(x)[0], double(x)[0])
    double.eval()
    assert dovetail.equal(double(x)[0], double(x)[0])
    # with everything dropped the second layer sees zeros
    ours, theirs = twins.build("LSTM(3, 4, 2, dropout=1.0)")
    x, y = twins.pair(rows(5, 2, 3))
    twins.compare(ours, theirs, (ours(x), theirs(y)), [])


MISTAKES: list[tuple[str, str]] = [
    ("LSTM(2, 3)(z(0, 2, 2))", "Expected sequence length to be larger than 0 in RNN"),
    ("LSTM(2, 3)(z(2, 2, 5))", "input.size(-1) must be equal to input_size. Expected 2, got 5"),
    ("LSTM(2, 3)(z(2))", "LSTM: Expected input to be 2D or 3D, got 1D instead"),
    ("GRU(2, 3)(z(2))", "GRU: Expected input to be 2D or 3D, got 1D instead"),
    ("RNN(2, 3)(z(2))", "RNN: Expected input to be 2D or 3D, got 1D tensor instead"),
    ("LSTM(2, 3)(z(2, 2, 2).double())", "does not match weight dtype"),
    ("LSTM(2, 3)(z(2, 2, 2), (z(1, 3, 3), z(1, 2, 3)))", "Expected hidden[0] size (1, 2, 3), got [1, 3, 3]"),
    ("LSTM(2, 3)(z(2, 2, 2), (z(1, 2, 3), z(1, 2, 4)))", "Expected hidden[1] size (1, 2, 3), got [1, 2, 4]"),
    ("LSTM(2, 3)(z(2, 2, 2), (z(2, 3), z(2, 3)))", "hx and cx should also be 3-D but got (2-D, 2-D) tensors"),
    ("LSTM(2, 3)(z(2, 2), (z(1, 2, 3), z(1, 2, 3)))", "For unbatched 2-D input, hx and cx should also be 2-D"),
    ("GRU(2, 3)(z(2, 2), z(1, 2, 3))", "For unbatched 2-D input, hx should also be 2-D but got 3-D tensor"),
    ("GRU(2, 3)(z(2, 2, 2), z(1, 3, 3))", "Expected hidden size (1, 2, 3), got [1, 3, 3]"),
    ("RNN(2, 3, nonlinearity='x')", "Unknown nonlinearity 'x'. Select from 'tanh' or 'relu'."),
    ("GRU(2, 3, proj_size=2)", "proj_size argument is only supported for LSTM, not RNN or GRU"),
    ("LSTM(2, 3, dropout=2)", "dropout should be a number in range [0, 1]"),
    ("LSTM(2, 3, bias=1)", "bias should be of type bool, got: int"),
    ("LSTM(2, 3, proj_size=3)", "proj_size has to be smaller than hidden_size"),
    ("LSTM(2, 3.0)", "hidden_size should be of type int, got: float"),
    ("LSTM(2, 0)", "hidden_size must be greater than zero"),
    ("LSTM(2, 3, 0)", "num_layers must be greater than zero"),
    ("RNNBase('X', 2, 3)", "Unrecognized RNN mode: X"),
    ("LSTMCell(2, 3)(z(2, 2, 2))", "LSTMCell: Expected input to be 1D or 2D, got 3D instead"),
    ("LSTMCell(2, 3)(z(2, 3))", "input has inconsistent input_size: got 3 expected 2"),
    ("RNNCell(2, 3)(z(2, 2), z(3, 3))", "Input batch size 2 doesn't match hidden0 batch size 3"),
    ("GRUCell(2, 3)(z(2, 2), z(2, 4))", "hidden0 has inconsistent hidden_size: got 4, expected 3"),
    ("RNNCell(2, 3, nonlinearity='x')(z(2, 2))", "Unknown nonlinearity: x"),
]


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


def test_attributes_that_programs_look_at() -> None:
    network = nn.LSTM(3, 4, 2, bidirectional=True)
    assert len(network.all_weights) == 4
    assert network.all_weights[1][0] is network.weight_ih_l0_reverse
    assert network.flatten_parameters() is None
    bound = 1 / 4**0.5
    assert all(0.5 * bound < float(p.abs().max()) <= bound for p in network.parameters())


def test_on_jax(twins: Any) -> None:
    pytest.importorskip("jax", reason="runs on JAX, which is not installed")
    for text in ("LSTM(2, 3)", "GRU(2, 3)", "RNN(2, 3)"):
        ours, theirs = twins.build(text, device="jax:cpu")
        x = twins.pair(rows(3, 2, 2), "jax:cpu")
        twins.compare(ours, theirs, (ours(x[0]), theirs(x[1])), [x])
