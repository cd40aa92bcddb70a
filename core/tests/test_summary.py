"""The table of a model: counts, shapes, and a model that is left as it was."""

from __future__ import annotations

from typing import Any

import pytest

import dovetail
from dovetail import nn


class Net(nn.Module):
    """Convolution, table, recurrence, and one layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.words = nn.Embedding(5, 4)
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(78, 10)
        self.again = self.head

    def forward(self, image: Any, text: Any) -> Any:
        seen = self.conv(image).flatten(1)
        read, _ = self.lstm(self.words(text))
        return self.head(dovetail.cat([seen, read[:, -1]], 1))


def test_shapes_parameters_and_products() -> None:
    net = Net()
    made = dovetail.summary(net, [(2, 1, 8, 8), (2, 7)], dtypes=[dovetail.float32, dovetail.int64], verbose=0)
    lines = {line.name: line for line in made.lines}
    assert lines["conv"].outputs == [(2, 8, 3, 3)]
    assert lines["lstm"].outputs == [(2, 7, 6), (1, 2, 6), (1, 2, 6)]
    assert made.lines[0].outputs == [(2, 10)]
    assert made.total_params == sum(p.numel() for p in net.parameters()) == 1194
    # a kernel of 72 at 36 places, two images; a vector of 8 for each of 576 values; matrices for each row
    assert lines["0"].multiplications == 72 * 36 * 2
    assert lines["1"].multiplications == 8 * 36 * 2
    assert lines["words"].multiplications == 0
    assert lines["lstm"].multiplications == (24 * 4 + 24 * 6) * 14
    assert lines["head"].multiplications == 780 * 2
    assert lines["again"].shared
    assert lines["again"].multiplications == 0
    assert made.input_bytes == 2 * 64 * 4 + 14 * 8


def test_transposed_convolutions_count_where_the_kernel_is_laid() -> None:
    made = dovetail.summary(nn.ConvTranspose2d(2, 3, 3, bias=False), (1, 2, 5, 5), verbose=0)
    assert made.total_mult_adds == 2 * 3 * 9 * 25


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    dovetail.summary(Net(), depth=1)
    text = capsys.readouterr().out
    assert "Sequential (conv)" in text
    assert "Conv2d" not in text
    assert "(shared)" in text
    assert "Parameters: 1,194, of which 1,194 are trained" in text


def test_frozen_parameters_are_told_apart() -> None:
    net = nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    made = dovetail.summary(net, (1, 3), verbose=0)
    assert (made.total_params, made.trainable_params) == (8, 6)


def test_the_model_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    net[2].eval()
    before = {name: t.tolist() for name, t in net.state_dict().items()}
    state = dovetail.get_rng_state().tolist()
    with pytest.raises(RuntimeError):
        dovetail.summary(net, (4, 5), verbose=0)
    dovetail.summary(net, (4, 3), verbose=0)
    assert [m.training for m in net.modules()] == [True, True, True, False]
    assert {name: t.tolist() for name, t in net.state_dict().items()} == before
    assert dovetail.get_rng_state().tolist() == state
    assert not any(m._forward_hooks for m in net.modules())
    assert net[0].weight.grad is None


def test_inputs_may_be_given() -> None:
    layer = nn.Bilinear(2, 3, 4)
    data = (dovetail.ones(5, 2), dovetail.ones(5, 3))
    assert dovetail.summary(layer, input_data=data, verbose=0).lines[0].outputs == [(5, 4)]
    named = {"input1": data[0], "input2": data[1]}
    assert dovetail.summary(layer, input_data=named, verbose=0).lines[0].outputs == [(5, 4)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": (2, -3)}, "must be a shape or a list of shapes"),
        ({"input_size": (2, 3), "input_data": 1}, "not both"),
        ({"input_size": (2, 3), "dtypes": []}, "1 inputs, but 0 dtypes"),
    ],
)
def test_mistakes(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dovetail.summary(nn.Linear(3, 2), **arguments)
