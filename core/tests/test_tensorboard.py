"""Event files: what is written is what TensorBoard's format holds."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dovetail
from dovetail.utils.tensorboard import SummaryWriter, on_host


def events(folder: Path) -> Iterator[Any]:
    """The events of the only file in a folder: records of a length, its checksum, the bytes and theirs."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason='pip install "dovetail[tensorboard]"')
    (file,) = folder.glob("events.*")
    data = file.read_bytes()
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        yield event_pb2.Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


@pytest.fixture(scope="module", autouse=True)
def _library() -> None:
    pytest.importorskip("tensorboardX", reason='pip install "dovetail[tensorboard]"')


def test_scalars_and_histograms(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("loss", dovetail.tensor(0.5, requires_grad=True), 3)
        writer.add_scalar("rate", 0.25, 4)
        writer.add_histogram("weights", dovetail.arange(10.0), 5)
        writer.add_text("note", "hello")
        assert writer.log_dir == writer.get_logdir() == str(tmp_path)
    found = {value.tag: (event.step, value) for event in events(tmp_path) for value in event.summary.value}
    assert (found["loss"][0], found["loss"][1].simple_value) == (3, 0.5)
    assert (found["rate"][0], found["rate"][1].simple_value) == (4, 0.25)
    histogram = found["weights"][1].histo
    assert (histogram.min, histogram.max, histogram.num, histogram.sum) == (0, 9, 10, 45)


def test_pictures_of_any_backend(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="tensorboardX encodes pictures by Pillow")
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_image("picture", dovetail.zeros(3, 4, 5), 1)
    images = [value.image for event in events(tmp_path) for value in event.summary.value]
    assert [(image.height, image.width) for image in images] == [(4, 5)]


def test_tensors_anywhere_in_the_arguments() -> None:
    given = {"a": dovetail.tensor(1.5), "b": [dovetail.ones(2, dtype=dovetail.bfloat16), "x"]}
    found = on_host(given)
    assert found["a"] == 1.5
    assert found["b"][0].tolist() == [1, 1]
    assert found["b"][1] == "x"


def test_what_it_can_not_do(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        with pytest.raises(NotImplementedError, match=r"dovetail\.summary"):
            writer.add_graph(dovetail.nn.Linear(1, 1))
        with pytest.raises(AttributeError, match="add_scalar"):
            writer.add_colour("x")


def test_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "dovetail\[tensorboard\]"'):
        SummaryWriter()
