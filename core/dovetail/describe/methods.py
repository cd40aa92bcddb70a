"""The stub of Tensor's base: everything that was bound to Tensor from outside its class body."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from typing import Any

from dovetail.describe.annotations import Imports
from dovetail.describe.signatures import definition
from dovetail.record import registry
from dovetail.tensor.tensor import Tensor

HEADER = '''"""What the op records bind to Tensor. Written by ``python -m dovetail.describe``."""

from __future__ import annotations
'''

PYTHON = frozenset(
    {
        "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__slots__", "__firstlineno__",
        "__static_attributes__",
    }
)  # fmt: skip
"""What Python itself puts into a class."""

OVERRIDES = frozenset({"__eq__", "__ne__"})
"""Comparisons answer with a tensor, where ``object`` promises a bool."""


def text() -> str:
    """Return the stub."""
    imports = Imports()
    imports.alias("dovetail.tensor.tensor", "Tensor")
    body: list[str] = []
    forms = dict(_forms())
    for name, value in sorted(bound().items()):
        body += _lines(name, value, forms.get(name), imports)
    head = [HEADER, *imports.lines(), "", "class TensorMethods:", "    __slots__ = ()"]
    return "\n".join([*head, *body, "    def __hash__(self) -> builtins.int: ...", ""])


def bound() -> dict[str, Any]:
    """Everything that Tensor has and its class body has not."""
    written = _class_body()
    return {name: value for name, value in vars(Tensor).items() if name not in written and name not in PYTHON}


def _class_body() -> set[str]:
    tree = ast.parse(inspect.getsource(inspect.getmodule(Tensor)))  # type: ignore[arg-type]  # it has one
    cls = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == Tensor.__name__)
    found: set[str] = set()
    for node in cls.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _lines(name: str, value: Any, form: tuple[Any, bool] | None, imports: Imports) -> list[str]:
    write = functools.partial(definition, imports=imports, indent="    ", receiver="self")
    if isinstance(value, property):
        assert value.fget is not None, "a property of Tensor can be read"
        lines = write(name, value.fget, decorator="@property")
        return [*lines, *(write(name, value.fset, decorator=f"@{name}.setter") if value.fset else [])]
    if isinstance(value, staticmethod):
        return definition(name, value.__func__, imports, decorator="@staticmethod", indent="    ")
    if form is None:
        return write(name, value)
    body, in_place = form
    if name in OVERRIDES:
        return write(name, body, operand=imports.alias("typing", "Any"), comment="  # type: ignore[override]")
    if in_place:
        return write(name, body, returns=imports.alias("typing", "Self"))
    return write(name, body)


def _forms() -> Iterator[tuple[str, tuple[Any, bool]]]:
    """The bodies behind methods and operators (bound are their hot paths), and whether they write."""
    for op in registry.ops():
        for name in op.methods:
            yield name, (op.body, False)
        for name in op.inplace:
            yield name, (op.body, True)
        if op.operator is not None:
            yield f"__{op.operator}__", (op.body, False)
            yield f"__r{op.operator}__", (op.body, False)
            yield f"__i{op.operator}__", (op.body, True)
