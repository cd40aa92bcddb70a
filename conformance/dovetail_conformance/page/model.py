"""What the page shows, worked out of a certificate: the matrix, its colours and details, and the lists beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail_conformance.certificate import GRADIENTS, VALUES
from dovetail_conformance.difference import bound, cells_of, figure

Entry = Mapping[str, Any]

DTYPES: Final = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool")
FORMS: Final = ("forms", "errors")
BITWISE: Final = frozenset("ESD") | {"CR"}
"""Classes with one right answer: nothing of a bound is used there."""

BANDS: Final = ((0.2, "u1"), (0.4, "u2"), (0.6, "u3"), (0.8, "u4"), (float("inf"), "u5"))
"""Colours by the share of the bound that is used."""

WORDS: Final = {
    "E": "exact: the bits are fixed",
    "CR": "correctly rounded: the nearest number",
    "U": "so many ULP from the exact result at most",
    "G": "so many u times the sum of the absolute terms at most",
    "C": "composite: within the running error of its parts",
    "S": "random stream: the bits are fixed",
    "D": "distribution: the bits are fixed",
}

VERDICTS: Final = {
    "conformant": ("Conformant", "Every check of the full suite passed."),
    "quick-only": ("Quick checks passed", "Every check that ran passed. Only the full tier makes a device conformant."),
    "not-conformant": ("Not conformant", "At least one check fails. The cells below say which."),
}

CHECKS: Final = {
    "values": "results of the op's samples",
    "specials": "zeros, infinities, NaN, edges of the format, the whole range",
    "exhaustive": "all 65,536 numbers of the format",
    "every": "all 2^32 numbers of float32",
    "large": "large shapes",
    "shapes": "unusual shapes",
    "layouts": "views that are not contiguous",
    "programs": "the op in a captured program",
    "sums": "long sums that betray a poor order",
    "gradients": "values of the gradient",
    "derivatives": "the gradient against the function's own derivative",
    "differences": "the gradient against differences",
    "second": "the second derivative",
    "forms": "dtype, shape and device of results",
    "errors": "calls that must fail",
    "semantics": "the written meaning of PyTorch-shaped programs",
    "promotion": "dtypes of mixed operands",
    "indexing": "indexing against a model",
    "aliasing": "views and in-place writes",
    "streams": "random draws",
    "known": "known answers of the random stream",
    "transfer": "values on the way to the device and back",
    "saving": "files",
    "precision": "products in their own precision",
    "arithmetic": "casts, contraction, division",
    "repeats": "the same again in one process",
    "processes": "the same in fresh processes",
    "batches": "rows alone and in a batch",
    "training": "what training begins with",
    "against": "beside another backend",
}
"""What each check looks at, in a few words."""


@dataclass
class Square:
    """One cell of the matrix: a colour, a short text, and the rows behind it."""

    key: str
    style: str = "none"
    text: str = ""
    title: str = ""
    rows: list[Entry] = field(default_factory=list)


@dataclass
class Line:
    """One op of the matrix."""

    op: str
    kind: str
    origin: str
    squares: list[Square]

    @property
    def worst(self) -> str:
        """The most conspicuous style of the line, for the filter."""
        order = ("fail", "deviation", "u5", "unsupported")
        found = {s.style for s in self.squares}
        return next((style for style in order if style in found), "")


@dataclass
class Family:
    """Ops that belong together."""

    name: str
    lines: list[Line]


def families(made: Mapping[str, Any]) -> list[Family]:
    """The matrix, by family."""
    by_op: dict[str, dict[tuple[str, str], Entry]] = {}
    for (op, dtype, check), entry in cells_of(made).items():
        if op in made["coverage"] or check in VALUES:
            by_op.setdefault(op, {})[dtype, check] = entry
    groups: dict[str, list[Line]] = {}
    for op in sorted(by_op):
        facts = made.get("records", {}).get(op, {})
        groups.setdefault(facts.get("family", "ops"), []).append(_line(op, by_op[op], made))
    return [Family(name.replace("_", " "), lines) for name, lines in sorted(groups.items())]


def _line(op: str, cells: Mapping[tuple[str, str], Entry], made: Mapping[str, Any]) -> Line:
    squares = [
        _square(f"{op} {dtype}", [e for (d, c), e in cells.items() if d == dtype and c in (*VALUES, "sums")])
        for dtype in DTYPES
    ]
    first = [e for (_, c), e in cells.items() if GRADIENTS.get(c) == 1]
    second = [e for (_, c), e in cells.items() if GRADIENTS.get(c) == 2]
    forms = [e for (_, c), e in cells.items() if c in FORMS]
    squares += [_square(f"{op} {w}", rows) for w, rows in (("gradient", first), ("second", second), ("form", forms))]
    kind = made.get("records", {}).get(op, {}).get("class", "")
    return Line(op, kind, made["coverage"].get(op, ""), squares)


def _square(key: str, rows: list[Entry]) -> Square:
    """The worst of some rows: a failure before a deviation before what is not supported before the share used."""
    if not rows:
        return Square(key)
    statuses = {r["status"] for r in rows}
    for status, style, text in (("fail", "fail", "✕"), ("stale", "fail", "!"), ("deviation", "deviation", "D")):
        if status in statuses:
            return Square(key, style, text, f"{key}: {status}", rows)
    if statuses == {"unsupported"}:
        return Square(key, "unsupported", "–", f"{key}: {rows[0].get('reason', 'unsupported')}", rows)
    measured = [r for r in rows if r.get("class", r.get("kind", "")) not in BITWISE and bound(r)]
    if not measured and any(r.get("class") in BITWISE for r in rows):
        return Square(key, "exact", "=", f"{key}: the same bits", rows)
    if not measured:
        return Square(key, "right", "✓", f"{key}: right", rows)
    worst = max(measured, key=used)
    share = used(worst)
    style = next(name for limit, name in BANDS if share <= limit)
    title = f"{key}: {100 * share:.0f} % of the bound ({worst['check']}: {_figure(worst)})"
    return Square(key, style, f"{100 * share:.0f}", title, rows)


def used(entry: Entry) -> float:
    """The share of the bound that is used; the half ULP that rounding costs anyway is nobody's fault."""
    if "used" in entry:
        return float(entry["used"])
    return figure(entry) / bound(entry) if bound(entry) else 0.0


def _figure(entry: Entry) -> str:
    unit = entry.get("unit", "")
    return f"{figure(entry):.3g} of {bound(entry):g} {unit}".strip()


def detail(entry: Entry) -> dict[str, Any]:
    """What the panel shows of one row, under short names, since there are thousands."""
    made = {
        "c": entry["check"],
        "w": CHECKS.get(entry["check"], ""),
        "s": entry["status"],
        "d": entry["dtype"],
        "n": entry.get("inputs_tested", entry.get("tested", 0)),
    }
    if bound(entry):
        made["f"] = _figure(entry)
    if "correctly_rounded_fraction" in entry:
        made["r"] = f"{100 * entry['correctly_rounded_fraction']:.2f} %"
    for short, name in (("a", "at"), ("e", "expected"), ("g", "got"), ("m", "message"), ("x", "reason")):
        if entry.get(name) and (name != "message" or entry["status"] != "pass"):
            made[short] = entry[name]
    return made


def details(groups: Sequence[Family], made: Mapping[str, Any]) -> dict[str, Any]:
    """All that the panel may show, by the key of the square, and the agreement of each op."""
    rows = {s.key: [detail(r) for r in s.rows] for f in groups for line in f.lines for s in line.squares if s.rows}
    words = {op: facts.get("agreement", "") for op, facts in made.get("records", {}).items()}
    return {"rows": rows, "agreements": words}


def counted(made: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """How many cells of each check have which status."""
    found: dict[str, Counter[str]] = {}
    for (_, _, check), entry in cells_of(made).items():
        found.setdefault(check, Counter())[entry["status"]] += 1
    return found


def failing(made: Mapping[str, Any]) -> list[Entry]:
    """The cells that break conformance."""
    return [e for e in cells_of(made).values() if e["status"] in ("fail", "stale")]


def enumerated(made: Mapping[str, Any]) -> list[Entry]:
    """Functions of which every float32 input was tried."""
    return [e for e in made["ops"] if e["check"] == "every"]


def worst(entries: Sequence[Entry], count: int = 12) -> list[Entry]:
    """The cells that come closest to their bounds."""
    measured = [e for e in entries if bound(e) and e.get("class", "") not in BITWISE and e["status"] == "pass"]
    return sorted(measured, key=used, reverse=True)[:count]


def tested(made: Mapping[str, Any]) -> int:
    """All elements that were compared."""
    return sum(int(e.get("inputs_tested", e.get("tested", 0))) for e in cells_of(made).values())
