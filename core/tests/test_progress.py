"""Progress of a loop, on a terminal and elsewhere."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

import dovetail
from dovetail.utils import progress
from dovetail.utils.progress import track


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def run(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    for batch in (bar := track([1, 2, 3], "epoch 1")):
        bar.show(loss=dovetail.tensor(batch / 4), best=batch)
    return stream.getvalue()


def test_a_file_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run(monkeypatch, io.StringIO())
    assert text.count("\n") == 1
    assert text.startswith("epoch 1  3/3  ")
    assert text.endswith("loss 0.75  best 3\n")


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason='pip install "dovetail[demo]"')
    monkeypatch.setenv("TERM", "xterm")
    text = run(monkeypatch, Terminal())
    assert "epoch 1" in text
    assert "3/3" in text
    assert "loss 0.75" in text


def test_a_terminal_without_rich_gets_a_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(progress._Line, "interval", 0.0)
    text = run(monkeypatch, Terminal())
    assert text.count("\r") == 4
    assert text.count("\n") == 1


def test_figures_are_read_when_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []
    original = progress._said
    monkeypatch.setattr(progress, "_said", lambda value: reads.append(value) or original(value))
    run(monkeypatch, io.StringIO())
    assert len(reads) == 2


def test_lengths() -> None:
    assert len(track(range(5))) == 5
    assert len(track((i for i in range(5)), total=5)) == 5
    with pytest.raises(TypeError, match="give total="):
        len(track(i for i in range(5)))
    with pytest.raises(ValueError, match="negative"):
        track([], total=-1)


def test_an_error_in_the_loop_ends_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(KeyError):
        _fail()
    assert stream.getvalue().startswith("1/3")


def _fail() -> None:
    for i in track([1, 2, 3]):
        if i == 2:
            raise KeyError(i)
