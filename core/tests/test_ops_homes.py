"""Families of ops are imported when they are needed, and nobody notices but the clock."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dovetail.ops import definition
from dovetail.ops._homes import FAMILIES, METHODS
from dovetail.record import registry


def run(program: str) -> str:
    """What a new process prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOADED = "print('convolution' in families(), 'softmax' in families())"
START = """
import sys
def families():
    return {name.rpartition('.')[2] for name in sys.modules if name.startswith('dovetail.ops.')}
import dovetail
"""


@pytest.mark.parametrize(
    ("code", "imported"),
    [
        ("dovetail.ones(2) + 1", False),
        ("dovetail.softmax", True),
        ("dovetail.ops.softmax", True),
        ("dovetail.Tensor.softmax", True),
        ("dovetail.ones(2).softmax(0)", True),
        ("from dovetail import softmax", True),
    ],
)
def test_a_family_is_imported_by_its_names(code: str, imported: bool) -> None:
    assert run(f"{START}{code}\n{LOADED}") == f"False {imported}"


def test_an_op_goes_before_the_file_of_the_same_name() -> None:
    code = "import dovetail.ops.softmax, dovetail.ops.einsum\nfrom dovetail.ops import dropout\n"
    assert run(f"{START}{code}print(*(callable(f) for f in (dovetail.ops.softmax, dovetail.ops.einsum, dropout)))") == (
        "True True True"
    )


def test_operators_are_there_from_the_start() -> None:
    """Python looks for them on the type, where nothing can be put off."""
    late = {name: home for name, home in definition.bound.items() if name.startswith("__")}
    at_once = run(f"{START}print(*families())").split()
    registry.load_all()
    assert {home.rpartition(".")[2] for home in late.values()} <= set(at_once)


def test_every_name_is_found_without_the_table() -> None:
    """A table that has not been made anew is no more than slow."""
    names = [word for words in FAMILIES.values() for word in words if not word.startswith("_")]
    methods = [word for words in METHODS.values() for word in words]
    program = f"""
import sys, types
table = types.ModuleType("dovetail.ops._homes")
table.FAMILIES, table.METHODS = {{"no_such_family": ("softmax", "conv2d")}}, {{"no_such_family": ("softmax",)}}
sys.modules[table.__name__] = table
import dovetail
print(dovetail.ones(2).softmax(0).tolist())
print([name for name in {names} if not callable(getattr(dovetail.ops, name))])
print([name for name in {methods} if not hasattr(dovetail.Tensor, name)])
"""
    assert run(program).split("\n") == ["[0.5, 0.5]", "[]", "[]"]


def test_an_op_of_a_plugin_may_not_have_the_name_of_one_that_waits() -> None:
    program = f"""{START}
from dovetail.ops.definition import op
try:
    @op()
    def conv2d(input: dovetail.Tensor) -> dovetail.Tensor:
        return input
except ValueError as error:
    print(error)
"""
    assert "an op named 'conv2d' exists already, defined in dovetail.ops.convolution" in run(program)


def test_a_plugin_that_uses_an_op_does_not_own_it() -> None:
    program = f"""{START}
from dovetail.backend import hookimpl, register_plugin, unregister_plugin
class Plugin:
    @hookimpl
    def dovetail_ops(self):
        dovetail.softmax
register_plugin(Plugin(), "guest")
unregister_plugin("guest")
print(dovetail.ones(2).softmax(0).tolist())
"""
    assert run(program) == "[0.5, 0.5]"


def test_names_are_listed_whether_imported_or_not() -> None:
    assert run(f"{START}print({{'conv2d', 'softmax', 'cat'}} <= set(dir(dovetail)))") == "True"
