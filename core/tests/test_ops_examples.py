"""The examples in the docstrings of ops are run, and give what they say."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from dovetail.record import registry

TEXTS = {op.name: op.doc for op in registry.ops()} | {f.name: f.function.__doc__ or "" for f in registry.fronts()}
SHOWN = sorted(name for name, text in TEXTS.items() if ">>>" in text)


def failures(text: str, name: str) -> int:
    """How many lines of an example give something else."""
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(example)
    return runner.failures


@pytest.mark.parametrize("name", SHOWN)
def test_examples_give_what_they_say(name: str) -> None:
    assert failures(TEXTS[name], name) == 0


def test_a_wrong_example_is_seen(capsys: Any) -> None:
    assert failures(">>> import dovetail\n>>> dovetail.ones(1)\ntensor([2.])\n", "wrong") == 1
    assert "tensor([1.])" in capsys.readouterr().out
