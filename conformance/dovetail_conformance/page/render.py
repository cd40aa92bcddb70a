"""The page and the badge from their templates, by jinja2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from dovetail_conformance.difference import bound, figure
from dovetail_conformance.page import model

COLOURS: Final = {"conformant": "#1a7f4b", "quick-only": "#2f6fb3", "not-conformant": "#c0362c"}
"""Of the badge's right half."""
LETTER: Final = 6.6
"""Width of a letter of the badge, in pixels: enough in any of its fonts."""


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("dovetail_conformance.page"),
        autoescape=select_autoescape(("html.j2", "svg.j2"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = lambda value: f"{value:,}"
    made.filters["figure"] = lambda entry: f"{figure(entry):.3g} of {bound(entry):g}"
    made.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    made.filters["used"] = model.used
    return made


def render(made: Mapping[str, Any]) -> str:
    """The page of a certificate."""
    groups = model.families(made)
    counts = model.counted(made)
    title, words = model.VERDICTS[made["verdict"]]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            made=made,
            title=title,
            words=words,
            groups=groups,
            details=model.details(groups, made),
            dtypes=model.DTYPES,
            classes=model.WORDS,
            checks=model.CHECKS,
            counts=counts,
            cells=sum(sum(c.values()) for c in counts.values()),
            failing=model.failing(made),
            enumerated=model.enumerated(made),
            worst=model.worst(made["ops"] + made["reductions"]),
            gradients=model.worst(made["gradients"]),
            tested=model.tested(made),
            badge=badge(made),
        )
    )


def badge(made: Mapping[str, Any]) -> str:
    """An SVG with the name of the device and the verdict."""
    subject = made["subject"]
    version = next(iter(subject["versions"].values()), "")
    left = "dovetail"
    right = f"{subject['backend']} {version} {made['verdict'].replace('quick-only', 'quick checks passed')}"
    right = right.replace("not-conformant", "not conformant")
    widths = [round(len(text) * LETTER) + 14 for text in (left, right)]
    return (
        _environment()
        .get_template("badge.svg.j2")
        .render(left=left, right=right, widths=widths, colour=COLOURS[made["verdict"]])
    )
