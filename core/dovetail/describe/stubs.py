"""The three stubs (Tensor's methods, the ops, the top package) and the table of the ops' homes."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import dovetail
from dovetail.describe import methods
from dovetail.describe.annotations import Imports
from dovetail.describe.signatures import definition
from dovetail.ops.definition import bound
from dovetail.record import registry

ROOT: Final = Path(dovetail.__file__).parent
PATHS: Final = ("tensor/methods.pyi", "ops/__init__.pyi", "__init__.pyi", "ops/_homes.py")
"""Where they are, from the folder of the package."""

HEADER: Final = '''"""{} Written by ``python -m dovetail.describe``."""

from __future__ import annotations
'''


def stubs() -> dict[Path, str]:
    """Return the text of every stub by its path."""
    texts = (methods.text(), ops_text(), package_text(), homes_text())
    return {ROOT / path: text for path, text in zip(PATHS, texts, strict=True)}


def ops_text() -> str:
    """The ops under their names, each with the signature of its definition."""
    head = HEADER.format("Every op and every front, where it is defined.")
    named = [(op.name, op.body.__module__, op.body.__name__, op.call) for op in registry.ops()]
    named += [(f.name, f.function.__module__, f.function.__name__, f.function) for f in registry.fronts()]
    found = [
        (module, defined, name)
        for name, module, defined, function in named
        if not name.startswith("_")
        and getattr(importlib.import_module(module), defined, None) in (function, inspect.unwrap(function))
    ]
    return "\n".join([head, *_exported([*found, *_own_imports(ROOT / "ops" / "__init__.py")]), ""])


def homes_text() -> str:
    """The names of ops and of Tensor's methods by the family that defines them, for families that can wait."""
    head = HEADER.format("What each family of ops defines that is imported when it is needed.")
    registry.load_all()
    ops = registry.imported_homes().items()
    at_once = {module.rpartition(".")[2] for module in _imported_at_once()}
    bindings = [(name, home) for name, home in bound.items() if not name.startswith("_")]
    lines = [head]
    for title, pairs in (("FAMILIES", ops), ("METHODS", bindings)):
        families: dict[str, list[str]] = {}
        for name, home in pairs:
            package, _, family = home.rpartition(".")
            if package == "dovetail.ops" and family not in at_once:
                families.setdefault(family, []).append(name)
        lines.append(f"{title} = {{")
        for family, names in sorted(families.items()):
            words = ", ".join(f'"{name}"' for name in sorted(names))
            lines += textwrap.wrap(f'"{family}": ({words},),', 116, initial_indent="    ", subsequent_indent="    ")
        lines.append("}  # fmt: skip")
    return "\n".join([*lines, ""])


def _imported_at_once() -> list[str]:
    """The families that ``import dovetail`` imports, asked of a new process."""
    program = "import sys, dovetail; print(*(name for name in sys.modules if name.startswith('dovetail.ops.')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def package_text() -> str:
    """The public names: what ``__init__.py`` imports, every public op and front, and the lazy parts."""
    head = HEADER.format("The public names of dovetail.")
    imports = Imports()
    functions: list[str] = []
    public: dict[str, Callable[..., Any]] = {op.name: op.body for op in registry.ops() if not op.internal}
    public |= {front.name: front.function for front in registry.fronts() if front.public}
    for name, function in sorted(public.items()):
        functions += definition(name, function, imports)
    named = _exported([*_own_imports(ROOT / "__init__.py"), *_lazy()])
    aliases = [line for line in imports.lines() if f"{line} as {line.rpartition(' ')[2]}" not in named]
    return "\n".join([head, *aliases, *named, "", "__version__: str", "", *functions, ""])


def _exported(names: Iterable[tuple[str, str, str]]) -> list[str]:
    """Imports that a stub passes on. Only ``x as x`` is passed on: another name is an alias of its own."""
    imports: list[str] = []
    aliases: list[str] = []
    for module, defined, name in sorted(names):
        if defined == name:
            imports.append(f"from {module} import {name} as {name}")
        else:
            imports.append(f"from {module} import {defined} as _as_{name}")
            aliases.append(f"{name} = _as_{name}")
    return [*imports, *(["", *aliases] if aliases else [])]


def _own_imports(path: Path) -> Iterator[tuple[str, str, str]]:
    """The names that a package's own file passes on by ``from x import y as z``."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module not in (None, "__future__"):
            for name in node.names:
                if name.asname is not None and not name.asname.startswith("_"):
                    yield str(node.module), name.name, name.asname


def _lazy() -> Iterator[tuple[str, str, str]]:
    """The parts that the top package imports when they are first named."""
    parts: Iterable[str] = vars(dovetail)["_LAZY"]
    origin: dict[str, str] = vars(dovetail)["_FROM"]
    yield from (("dovetail", name, name) for name in parts if _exists(name))
    for name, module in origin.items():
        if _exists(module) and hasattr(importlib.import_module(f"dovetail.{module}"), name):
            yield f"dovetail.{module}", name, name


def _exists(module: str) -> bool:
    parent = ROOT.joinpath(*module.split("."))
    return parent.with_suffix(".py").is_file() or (parent / "__init__.py").is_file()
