"""The page on support: how each certified device runs each op, as the certificates in the repository have it.

Nothing is said of a device without a certificate, and nothing of an op beyond what a run of the suite has seen.
`dovetail backends --ops` shows what would run here and now.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dovetail
from dovetail.record import registry

ROOT: Final = Path(dovetail.__file__).resolve().parents[2]
PATH: Final = ROOT / "docs" / "support_matrix.md"
"""Where the page is in a checkout; an installed package has no docs."""

FOLDERS: Final = ("docs/certificates", "backends/*/certificates")
"""Where certificates are: those of the backends in the distribution, and of those beside it."""

SCHEMA: Final = "dovetail.certificate/"
_SECTIONS: Final = ("ops", "reductions", "gradients", "checks")
_WORDS: Final = {
    "kernel": "kernel",
    "decomposition": "composed",
    "compiled decomposition": "composed",
    "fallback": "**host**",
}

HEAD: Final = """# Support

Written by `python -m dovetail.describe` from the certificates of whole runs of the conformance suite. `dovetail
backends --ops` shows the same for what is installed.

"""

LEGEND: Final = """
*kernel*: the backend's own; *composed*: of other operations of the same device; **host**: on NumPy, with a transfer
there and back. `-`: the certificate is older than the operation. In brackets: the dtypes in which it does not run;
**fails** and *deviates* name the dtypes of cells that break their bound, undeclared or declared.
"""

Certificate = Mapping[str, Any]


def certificates() -> list[Certificate]:
    """The certificates of whole runs: for each device the one of the highest tier, of these the latest."""
    found: dict[str, Certificate] = {}
    for folder in FOLDERS:
        for path in sorted(ROOT.glob(f"{folder}/*.json")):
            made = json.loads(path.read_text(encoding="utf-8"))
            if str(made.get("schema", "")).startswith(SCHEMA) and made.get("complete"):
                place = made["subject"]["device"]
                found[place] = max(found.get(place, made), made, key=_rank)
    return list(found.values())


def _rank(made: Certificate) -> tuple[bool, str]:
    return made["mode"] == "full", made["suite"]["started"]


def text(made: Sequence[Certificate] | None = None) -> str:
    """Return the page."""
    chosen = certificates() if made is None else made
    return HEAD + _summary(chosen) + LEGEND + "\n" + _matrix(chosen)


def _summary(made: Sequence[Certificate]) -> str:
    lines = [
        "| device | certificate | operations | unsupported cells | deviations | made with |",
        "|---|---|---|---|---|---|",
    ]
    for one in made:
        ways = Counter(_WORDS.get(way, "none") for way in one["coverage"].values())
        versions = ", ".join(f"{k} {v}" for k, v in one["subject"].get("versions", {}).items() if v)
        lines.append(
            f"| `{one['subject']['device']}` | {one['verdict']} ({one['mode']}) | "
            f"{', '.join(f'{n} {way}' for way, n in ways.most_common())} | {len(one['unsupported'])} | "
            f"{len(one['deviations'])} | {versions} |"
        )
    return "\n".join(lines) + "\n"


def _matrix(made: Sequence[Certificate]) -> str:
    known = {op.name for op in registry.ops()}  # an op that went since has no row any more
    ops = sorted({op for one in made for op in one["coverage"]} & known)
    remarks = [_remarks(one) for one in made]
    head = ["op", *(f"`{one['subject']['device']}`" for one in made)]
    lines = [_row(head), _row(["---"] * len(head))]
    for op in ops:
        cells = [_cell(one["coverage"].get(op), found.get(op, "")) for one, found in zip(made, remarks, strict=True)]
        lines.append(_row([f"`{op}`", *cells]))
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(way: str | None, remark: str) -> str:
    if way is None:
        return "-"
    return f"{_WORDS.get(way, '**none**')}{remark}"


def _remarks(one: Certificate) -> dict[str, str]:
    """What there is to say of each op: where it fails, deviates or does not exist."""
    rows = [row for section in _SECTIONS for row in one[section]]
    failing = _dtypes(row for row in rows if row.get("status", "pass") in ("fail", "stale"))
    deviating = _dtypes(one["deviations"])
    lacking = _dtypes(one["unsupported"])
    found: dict[str, str] = {}
    for op in {*failing, *deviating, *lacking}:
        parts = [f" (no {', '.join(lacking[op])})"] if op in lacking else []
        parts += [f", *deviates*: {', '.join(deviating[op])}"] if op in deviating else []
        parts += [f", **fails**: {', '.join(failing[op])}"] if op in failing else []
        found[op] = "".join(parts)
    return found


def _dtypes(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        named = found.setdefault(row["op"], [])
        dtype = row.get("dtype") or row["check"]
        if dtype not in named:
            named.append(dtype)
    return found
