"""What a class says of its attributes and methods, read off its source: order, signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, NamedTuple


class Member(NamedTuple):
    """A field, an attribute, a property or a method."""

    name: str
    declaration: str
    """As it is written: ``name: type = value`` or ``name(arguments) -> result``."""
    doc: str
    abstract: bool
    """Whether all that its body does is to raise an error: the class leaves it to subclasses."""


def members(owner: type) -> list[Member]:
    """The public members that a class itself defines, in their order."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = tree.body[0]
    assert isinstance(body, ast.ClassDef)
    found = []
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef) and (node.name == "__call__" or not node.name.startswith("_")):
            found.append(_function(node))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
            found.append(Member(node.target.id, _field(node), _text(after), False))
    return found


def functions(module: Any) -> list[Member]:
    """The functions of a module that are declared as hooks or are public, in their order."""
    tree = ast.parse(inspect.getsource(module))
    return [_function(n) for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]


def _function(node: ast.FunctionDef) -> Member:
    arguments = ast.unparse(node.args).removeprefix("self").removeprefix(", ")
    result = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    if any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list):
        declaration = f"{node.name}: {ast.unparse(node.returns)}" if node.returns is not None else node.name
    else:
        declaration = f"{node.name}({arguments}){result}"
    code = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    abstract = len(code) == 1 and isinstance(code[0], ast.Raise)
    return Member(node.name, declaration, ast.get_docstring(node) or "", abstract)


def _field(node: ast.AnnAssign) -> str:
    value = f" = {ast.unparse(node.value)}" if node.value is not None else ""
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}{value}"


def _text(node: ast.stmt | None) -> str:
    """The text under an attribute."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""
