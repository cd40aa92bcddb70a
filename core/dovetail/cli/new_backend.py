"""``dovetail new-backend NAME``: a package that makes a backend of an array library, with its tests and its CI."""

from __future__ import annotations

import argparse
import keyword
import os
import re
import shutil
import sys
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from dovetail.contract import discovery
from dovetail.contract.backend import CONTRACT_VERSION
from dovetail.errors import ArgumentError

FILES: Final = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/conformance.yml": "conformance.yml",
    "@PACKAGE@/__init__.py": "init.py",
    "@PACKAGE@/plugin.py": "plugin.py",
    "@PACKAGE@/backend.py": "backend.py",
    "@PACKAGE@/conformance.toml": "gaps.toml",
    "tests/test_backend.py": "test_backend.py",
    "tests/test_conformance.py": "test_conformance.py",
}
"""Where each file goes, and the template that it is made of."""

EXAMPLE: Final = "array_api_compat.numpy"
"""The namespace of a package that names none: it is there wherever dovetail is, so that everything runs at once."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PLACE: Final = re.compile(r"@([A-Z]+)@")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "new-backend", help="write a package that makes a backend of an array library", description=__doc__
    )
    parser.add_argument("name", metavar="NAME", help="the id of the backend, such as acme")
    parser.add_argument("--dir", metavar="D", help="the folder to make (dovetail-NAME)")
    parser.add_argument(
        "--namespace",
        metavar="MODULE",
        help=f"the module with the functions of the array-API standard ({EXAMPLE}, for a start)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the package and say what to do next."""
    folder = Path(args.dir or f"dovetail-{args.name}")
    values = names(args.name, args.namespace)
    write(folder, render(values))
    name, there = args.name, os.path.relpath(folder)
    sys.stdout.write(
        f"{there}: {len(FILES)} files, a backend of {values['NAMESPACE']}\n\n"
        f'  pip install -e "{there}[test]"\n'
        "  dovetail backends\n"
        f"  pytest -q {there}\n"
        f"  dovetail conformance {name} --no-fallback --out {there}/certificate\n"
    )
    if find_spec(values["TOP"]) is None:
        sys.stdout.write(f"\n{values['TOP']} is not installed here: the backend is not usable before it is.\n")
    return 0


def names(name: str, namespace: str | None = None) -> dict[str, str]:
    """What the templates name. Errors: ArgumentError for a name or a module that cannot be one, or is taken."""
    check(name)
    module = namespace or EXAMPLE
    if not _MODULE.fullmatch(module) or any(keyword.iskeyword(part) for part in module.split(".")):
        raise ArgumentError(f"--namespace names a module, such as array_api_strict, got {module!r}")
    module = _wrapper(module) or module
    top = module.partition(".")[0]
    return {
        "NAME": name,
        "CLASS": "".join(part.capitalize() for part in name.split("_")) + "Backend",
        "PACKAGE": f"dovetail_{name}",
        "DISTRIBUTION": f"dovetail-{name.replace('_', '-')}",
        "NAMESPACE": module,
        "TOP": top,
        "LIBRARY": _distribution(top),
        "CONTRACT": str(CONTRACT_VERSION),
    }


def check(name: str) -> None:
    """Errors: ArgumentError for a name that cannot be the id of a backend, or is one already."""
    if not _NAME.fullmatch(name) or name.endswith("_") or keyword.iskeyword(name):
        raise ArgumentError(
            f"a backend's name is lower-case letters, digits and underscores and begins with a letter, got {name!r}"
        )
    taken = discovery.registrations.get(name)
    if taken is not None:
        raise ArgumentError(f"a backend named {name!r} exists already: {taken.source} has announced it")
    kinds = {"cpu", "cuda", "host", *(k for r in discovery.registrations.values() for k in r.spec.kinds)}
    if name in kinds:
        raise ArgumentError(f"{name!r} is a kind of device: device={name!r} would not mean your backend")
    if find_spec(f"dovetail_{name}") is not None:
        raise ArgumentError(f"a module named dovetail_{name} is installed already")


def _wrapper(module: str) -> str | None:
    """What array-api-compat has for a library that spells some functions of the standard its own way."""
    try:
        found = find_spec(f"array_api_compat.{module}")
    except ImportError:
        return None
    return None if found is None else f"array_api_compat.{module}"


def _distribution(top: str) -> str:
    """The distribution that a module comes from, or would by its name."""
    from importlib.metadata import packages_distributions  # reads the metadata of everything that is installed

    return next(iter(packages_distributions().get(top, ())), top.replace("_", "-"))


def render(values: dict[str, str]) -> dict[str, str]:
    """Return the text of every file by its path."""

    def fill(text: str) -> str:
        return _PLACE.sub(lambda found: values[found[1]], text)

    templates = files("dovetail.cli") / "new_backend_files"
    return {fill(path): fill((templates / f"{name}.tmpl").read_text(encoding="utf-8")) for path, name in FILES.items()}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Make the folder with all files, or leave everything as it was.

    Errors: ArgumentError when there is something already, or no place for it.
    """
    target = folder.absolute()
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise ArgumentError(f"{folder} exists already, and nothing is overwritten: name another one by --dir")
    if not target.parent.is_dir():
        raise ArgumentError(f"there is no folder {target.parent} to make {target.name} in")
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise ArgumentError(f"{target.parent} cannot be written: {error}") from error
    try:
        for path, text in texts.items():
            file = made / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        made.chmod(0o755)  # a temporary folder is its maker's alone
        if target.exists():
            target.rmdir()
        made.rename(target)
    except OSError as error:
        raise ArgumentError(f"{folder} could not be written: {error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
