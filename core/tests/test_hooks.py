"""The page on hooks is right: every hook with its exact arguments, and its examples are plugins that work."""

from __future__ import annotations

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dovetail
from dovetail.cli import main
from dovetail.contract import discovery, hookspecs
from dovetail.errors import ArgumentError

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
Install = Callable[[str], types.ModuleType]


def declared() -> dict[str, str]:
    """Every hook's declaration as it is written in the source."""
    found: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(hookspecs)).body:
        if isinstance(node, ast.FunctionDef):
            assert [ast.unparse(d) for d in node.decorator_list] == ["hookspec"]
            answer = ast.unparse(node.returns) if node.returns is not None else "None"
            found[node.name] = f"{node.name}({ast.unparse(node.args)}) -> {answer}"
    return found


def documented() -> dict[str, str]:
    headings = re.findall(r"^### `(\w+)(.*)`$", PAGE, re.MULTILINE)
    return {name: name + rest for name, rest in headings}


def example(hook: str) -> str:
    section = PAGE.partition(f"### `{hook}(")[2].partition("\n### ")[0]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert block is not None, f"{hook} has no example"
    return block.group(1)


@pytest.fixture
def install() -> Iterator[Install]:
    """Register the example of a hook as a plugin; take it out at the end."""
    installed: list[str] = []

    def register(hook: str) -> types.ModuleType:
        module = types.ModuleType(f"example_of_{hook}")
        exec(compile(example(hook), module.__name__, "exec"), module.__dict__)
        discovery.discover()
        discovery.register_plugin(module, module.__name__)
        installed.append(module.__name__)
        return module

    yield register
    for name in installed:
        if discovery.manager().has_plugin(name):
            discovery.unregister_plugin(name)


def test_every_hook_is_on_the_page_with_its_exact_arguments() -> None:
    assert documented() == declared()


def test_pluggy_knows_the_same_hooks() -> None:
    assert set(vars(discovery.manager().hook)) >= set(declared())
    for name in declared():
        assert getattr(discovery.manager().hook, name).spec is not None


def test_the_example_of_backends(install: Install) -> None:
    install("dovetail_backends")
    assert "acme" in discovery.registrations
    with pytest.raises(RuntimeError, match="no Acme driver was found"):
        dovetail.ones(2, device="acme:npu:0")


def test_the_example_of_kernels(install: Install) -> None:
    module = install("dovetail_kernels")
    table = dovetail.backend.KernelTable()
    module.dovetail_kernels(backend="numpy", table=table)
    assert list(table) == ["exp2"]
    module.dovetail_kernels(backend="another", table=table)
    assert len(table) == 1


def test_the_example_of_ops(install: Install) -> None:
    plugin = install("dovetail_ops")
    x = dovetail.tensor([2.0, 4.0], requires_grad=True)
    assert dovetail.halved(x).tolist() == [1.0, 2.0]
    x.halved().sum().backward()  # type: ignore[operator]  # an op that the stubs cannot know
    assert x.grad is not None
    assert x.grad.tolist() == [0.5, 0.5]
    discovery.unregister_plugin(plugin.__name__)
    assert not hasattr(dovetail, "halved")
    assert not hasattr(dovetail.Tensor, "halved")


def test_the_example_of_observers(install: Install) -> None:
    module = install("dovetail_observers")
    dovetail.ones(2) + 1
    assert module.counts["add"] == 1
    discovery.unregister_plugin(module.__name__)
    dovetail.ones(2) + 1
    assert module.counts["add"] == 1


def test_the_example_of_commands(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("dovetail_commands")
    assert main.main(["greet", "you"]) == 0
    assert capsys.readouterr().out == "hello you\n"


def test_a_plugin_is_unregistered_by_its_name() -> None:
    with pytest.raises(ArgumentError, match="no plugin named 'nobody' is registered"):
        discovery.unregister_plugin("nobody")


def test_a_hook_that_nobody_declared_is_refused() -> None:
    module = types.ModuleType("misspelt")
    exec("from dovetail.backend import hookimpl\n@hookimpl\ndef dovetail_backend(): return []\n", module.__dict__)
    with pytest.raises(Exception, match="dovetail_backend"):
        discovery.register_plugin(module, "misspelt")
    assert not discovery.manager().has_plugin("misspelt")


def test_a_hook_with_arguments_that_do_not_exist_is_refused() -> None:
    module = types.ModuleType("wrong_arguments")
    code = "from dovetail.backend import hookimpl\n@hookimpl\ndef dovetail_kernels(backend, tables): pass\n"
    exec(code, module.__dict__)
    with pytest.raises(Exception, match="tables"):
        discovery.register_plugin(module, "wrong_arguments")
    assert not discovery.manager().has_plugin("wrong_arguments")
