"""Annotations of one module, said in another: each name is imported from its origin, by a private alias.

A stub has methods called ``float`` and functions called ``sum``, so no name of an annotation may be taken
as it stands: ``bool`` becomes ``builtins.bool``, and ``Dims`` an alias ``_Dims`` of its definition.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
from typing import Any

PLAIN = {("dovetail.tensor.tensor", "Tensor"): "Tensor"}
"""Names that a stub imports as they are."""


@functools.cache
def origins(module: str) -> dict[str, tuple[str, str | None]]:
    """Where each top-level name of a module comes from: (module, name), with None for a module itself."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    found: dict[str, tuple[str, str | None]] = {}
    statements: list[ast.stmt] = list(tree.body)
    while statements:
        node = statements.pop(0)
        if isinstance(node, ast.If):
            statements = [*node.body, *node.orelse, *statements]
        elif isinstance(node, ast.Import):
            for name in node.names:
                found[name.asname or name.name.partition(".")[0]] = (name.name, None)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for name in node.names:
                found[name.asname or name.name] = (node.module, name.name)
        else:
            for defined in _defined(node):
                found.setdefault(defined, (module, defined))
    return found


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


class Imports:
    """The imports of one stub, collected while its annotations are written."""

    def __init__(self) -> None:
        self._aliases: dict[tuple[str, str | None], str] = {}
        self.needs_builtins = False

    def lines(self) -> list[str]:
        """Return the import statements, sorted."""
        written = ["import builtins"] if self.needs_builtins else []
        for (module, name), alias in self._aliases.items():
            if name is None:
                written.append(f"import {module} as {alias}")
            else:
                written.append(f"from {module} import {name}" + ("" if name == alias else f" as {alias}"))
        return sorted(written, key=lambda line: (line.startswith("from"), line))

    def alias(self, module: str, name: str | None) -> str:
        """Return the name under which the stub has something."""
        key = (module, name)
        if key not in self._aliases:
            wanted = PLAIN.get((module, name or "")) or f"_{name or module.rpartition('.')[2]}"
            taken = set(self._aliases.values())
            number = 2
            alias = wanted
            while alias in taken:
                alias, number = f"{wanted}{number}", number + 1
            self._aliases[key] = alias
        return self._aliases[key]

    def said(self, annotation: Any, module: str) -> str:
        """Return the text of an annotation of ``module``, with the names of this stub."""
        if annotation is inspect.Parameter.empty:
            return self.alias("typing", "Any")
        text = annotation if isinstance(annotation, str) else _text(annotation)
        tree = _Renamed(self, module).visit(ast.parse(text, mode="eval"))
        return ast.unparse(tree)

    def name(self, name: str, module: str) -> str:
        """Return what a name of ``module`` is called in this stub."""
        known = origins(module).get(name)
        if known is not None:
            return self.alias(*known)
        if not hasattr(builtins, name):
            raise LookupError(f"the annotation {name!r} in {module} is not defined, imported or built in")
        if name in ("None", "True", "False"):
            return name
        self.needs_builtins = True
        return f"builtins.{name}"


class _Renamed(ast.NodeTransformer):
    def __init__(self, imports: Imports, module: str) -> None:
        self.imports = imports
        self.module = module

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Put the stub's name in place of the module's."""
        return ast.parse(self.imports.name(node.id, self.module), mode="eval").body

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Read a quoted annotation like a plain one."""
        if not isinstance(node.value, str):
            return node
        inner: ast.expr = self.visit(ast.parse(node.value, mode="eval").body)
        return inner

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Leave the words of a Literal alone."""
        node.value = self.visit(node.value)
        if not ast.unparse(node.value).endswith("Literal"):
            node.slice = self.visit(node.slice)
        return node


def _text(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
