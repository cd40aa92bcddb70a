"""The page on the contract is complete, and is what the definitions give now."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

import dovetail
from dovetail.backend import Backend, BackendSpec, Call, Device, KernelTable
from dovetail.contract import hookspecs, versions
from dovetail.describe import __main__ as command
from dovetail.describe import contract, sources
from dovetail.record import registry

PAGE = contract.PATH.read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[str]:
    part = PAGE.partition(f"\n### {title}: ")[2].partition("\n### ")[0]
    return re.findall(r"^\| `(\w+)`", part, re.MULTILINE)


def test_the_page_is_up_to_date() -> None:
    assert contract.text() == PAGE, "run `python -m dovetail.describe`"


def test_the_command_writes_it() -> None:
    assert contract.PATH in command.pages()


def test_every_op_is_in_the_table_where_it_belongs() -> None:
    ops = [op for op in registry.ops() if op.body.__module__.startswith("dovetail.")]
    composed = re.findall(r"`(\w+)`", PAGE.partition("\n### Always composed: ")[2])
    assert rows("Required") == sorted(op.name for op in ops if op.primitive)
    assert rows("With a kernel if you like") == sorted(
        op.name for op in ops if not op.primitive and op.shape is not None
    )
    assert composed == sorted(op.name for op in ops if not op.primitive and op.shape is None)
    assert len(ops) > 250


def test_a_row_says_what_a_kernel_gets() -> None:
    (line,) = (x for x in PAGE.splitlines() if x.startswith("| `conv2d` "))
    assert "| input, weight, bias? | stride, padding, dilation, groups |" in line
    assert "| `cat` | tensors[] | dim |" in PAGE
    assert "| `basic_index` | input, starts# | pattern |" in PAGE


def test_every_hook_and_version_is_there() -> None:
    hooks = [name for name, value in vars(hookspecs).items() if name.startswith("dovetail_") and callable(value)]
    assert sorted(hooks) == sorted(re.findall(r"^- `(\w+)\(", section("Hooks"), re.MULTILINE))
    for number in versions.CHANGES:
        assert f"- **{number}**: " in section("Versions")


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (BackendSpec, [f.name for f in dataclasses.fields(BackendSpec)]),
        (Call, [*Call._fields, "output"]),
        (KernelTable, ["__call__", "binder", "update", "remove", "get"]),
        (Backend, [n for n in [*Backend.__annotations__, *vars(Backend)] if not n.startswith("_")]),
    ],
)
def test_every_member_is_there_with_a_word_on_it(owner: type, names: list[str]) -> None:
    found = sources.members(owner)
    assert {m.name for m in found} == set(names)
    assert [m.name for m in found if not m.doc] == []
    text = section(f"`{owner.__name__}`")
    assert [m.name for m in found if f"- `{m.declaration}`" not in text] == []


def test_what_is_required_is_what_a_bare_backend_refuses() -> None:
    bare = Backend(BackendSpec(name="bare", runtime=""))
    here = Device.of("bare", "cpu")
    tries = {
        "kernels": lambda: bare.kernels,
        "devices": lambda: bare.devices(),
        "from_host": lambda: bare.from_host(np.zeros(1), here),
        "to_host": lambda: bare.to_host(None),
        "is_array": lambda: bare.is_array(None),
        "describe": lambda: bare.describe(here),
        "spec_of": lambda: bare.spec_of(np.zeros(1)),
        "supports_dtype": lambda: bare.supports_dtype(dovetail.float32, here),
        "asynchronous": lambda: bare.asynchronous(here),
    }
    refused = set()
    for name, attempt in tries.items():
        try:
            attempt()
        except NotImplementedError:
            refused.add(name)
    said = section("`Backend`").partition("and may give")[0]
    assert set(re.findall(r"^- `(\w+)", said, re.MULTILINE)) == refused
