"""The page on the contract: hooks, specs, methods and every op, as their definitions have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import dovetail
from dovetail.backend.array_api import ArrayAPIBackend
from dovetail.contract import hookspecs, versions
from dovetail.contract.backend import CONTRACT_VERSION, Backend, BackendSpec
from dovetail.contract.kernels import Call, KernelTable
from dovetail.describe.sources import Member, functions, members
from dovetail.record import registry
from dovetail.record.op import Op
from dovetail.record.signature import LIST, LIVE, OPTIONAL

PATH: Final = Path(dovetail.__file__).resolve().parents[2] / "docs" / "backend_contract.md"
"""Where the page is in a checkout; an installed package has no docs."""

HEAD: Final = """# The backend contract

Written by `python -m dovetail.describe`: every hook, field, method and op as its definition has it.
[Writing a backend](write_a_backend.md) says what to do with them.
"""

CONDITION: Final = "only asked when"
"""What the text of a method says that only some backends must give."""

OPS: Final = """## Ops

A kernel is called with the inputs as arrays, in their order, and the other parameters by name. `?` marks an input that
may be absent (None), `[]` a list, which comes as one tuple, `#` a plain number that differs from call to call. The
dtypes are those that conformance draws; the last column is how equal results must be.
"""


def text() -> str:
    """Return the page."""
    ops = [op for op in registry.ops() if op.body.__module__.startswith("dovetail.")]
    primitives = [op for op in ops if op.primitive]
    derived = [op for op in ops if not op.primitive and op.shape is not None]
    composed = sorted(op.name for op in ops if not op.primitive and op.shape is None)
    parts = [
        HEAD,
        _versions(),
        "## Hooks\n\n" + _listed(functions(hookspecs)) + "\n[Hooks](hooks.md) has an example of each.\n",
        "## `BackendSpec`\n\nWhat `dovetail_backends` returns.\n\n" + _listed(members(BackendSpec)),
        _runtime(),
        "## `ArrayAPIBackend`\n\nWhat a subclass gives or replaces, beside all of `Backend`.\n\n" + _listed(_own()),
        "## `KernelTable`\n\n" + _listed(members(KernelTable)),
        "## `Call`\n\nWhat a binder is asked with.\n\n" + _listed(members(Call)),
        OPS,
        f"### Required: {len(primitives)}\n\nEvery backend has a kernel for these, or the host runs them.\n\n"
        + _table(primitives),
        f"### With a kernel if you like: {len(derived)}\n\nComposed of others where a backend has no kernel. `G`: "
        "the op has gradient formulas of its own, so the kernel runs while gradients are recorded too; where the mark "
        "is missing, the composition does then.\n\n" + _table(derived, gradients=True),
        f"### Always composed: {len(composed)}\n\nNothing to do: "
        + ", ".join(f"`{name}`" for name in composed)
        + ".\n",
    ]
    return "\n".join(parts)


def _versions() -> str:
    rows = "\n".join(f"- **{number}**: {change}" for number, change in versions.CHANGES.items())
    return (
        f"## Versions\n\nThis is version {CONTRACT_VERSION}. A backend states the one that it was written for; version "
        f"{versions.OLDEST} works as well, and its users are told once. Others are refused.\n\n{rows}\n"
    )


def _runtime() -> str:
    found = members(Backend)
    required = [m for m in found if m.abstract and CONDITION not in m.doc]
    rest = [m for m in found if m not in required]
    return (
        "## `Backend`\n\nThe runtime. A subclass must give\n\n"
        + _listed(required)
        + "\nand may give, where the answer here is not right for it\n\n"
        + _listed(rest)
    )


def _own() -> list[Member]:
    known = {m.name for m in members(Backend)}
    return [m for m in members(ArrayAPIBackend) if m.name not in known or m.name == "kinds"]


def _listed(found: Iterable[Member]) -> str:
    return "".join(f"- `{m.declaration}`  \n  {_plain(m.doc)}\n" for m in found)


def _plain(doc: str) -> str:
    """A docstring as one paragraph of Markdown."""
    flat = " ".join(doc.split())
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", flat.replace("``", "`"))


# ------------------------------------------------------------------------------------------ ops


def _table(ops: Iterable[Op], *, gradients: bool = False) -> str:
    lines = ["| op | inputs | parameters | dtypes | agreement |", "|---|---|---|---|---|"]
    for op in sorted(ops, key=lambda op: op.name):
        inputs = ", ".join(_input(p.name, p.kind) for p in op.signature.inputs)
        words = ", ".join(p.name for p in op.signature.statics)
        dtypes = ", ".join(op.samples.dtypes) if op.samples is not None else ""
        results = f" → {', '.join(op.output_names)}" if len(op.output_names) > 1 else ""
        mark = " `G`" if gradients and op.has_rule else ""
        agreement = str(op.agree).replace("|", "\\|") if op.agree is not None else ""
        lines.append(f"| `{op.name}`{mark} | {inputs}{results} | {words} | {dtypes} | {agreement} |")
    return "\n".join(lines) + "\n"


def _input(name: str, kind: str) -> str:
    return name + {OPTIONAL: "?", LIST: "[]", LIVE: "#"}.get(kind, "")
