"""Facts of the arithmetic: are casts rounded once, is a * b + c two roundings in a program, is x / 3 a division?"""

from __future__ import annotations

from typing import Final

import numpy as np

import dovetail
from dovetail.backend.inspection import capture
from dovetail_conformance.calls import array
from dovetail_conformance.outcome import Row
from dovetail_conformance.session import Session, quiet

TWICE: Final = {
    "bfloat16": (1 + 2.0**-8 + 2.0**-40, 1 + 2.0**-7),
    "float16": (1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-10),
}
"""Float64 values just above a tie, and the number that one rounding gives: two roundings give 1."""


def arithmetic(session: Session) -> list[Row]:
    """Casts from float64 to 16 bits, judged; contraction and division by a number, reported."""
    casts = Row("cast", "float64", "arithmetic", kind="CR")
    facts = Row("arithmetic", "float32", "arithmetic", kind="reported", cases=1)
    for row, measure in ((casts, _casts), (facts, _facts)):
        try:
            measure(session, row)
        except Exception as error:  # whatever a backend raises is a failure of the cell
            row.fail(f"{row.op}: {type(error).__name__}: {error}")
    return [casts, facts]


def _casts(session: Session, row: Row) -> None:
    """Conversions from float64 to 16 bits round once."""
    for dtype, (value, right) in TWICE.items():
        if not (session.supports(dtype) and session.supports("float64")):
            continue
        row.cases += 1
        row.tested += 1
        host = np.array([value])
        with quiet():
            got = dovetail.tensor(host, device=session.device).to(getattr(dovetail, dtype)).to(dovetail.float64)
        if float(array(got)[0]) != right:
            row.fail(
                f"a cast of {value!r} to {dtype} is rounded twice",
                expected=right,
                got=float(array(got)[0]),
            )


def _facts(session: Session, row: Row) -> None:
    """Whether a captured a * b + c is one rounding or two, and whether x / 3 is a division: reported."""
    rng = np.random.default_rng(session.seed)
    a, b, c = (rng.standard_normal(256).astype(np.float32) for _ in range(3))
    with quiet(), dovetail.use_backend(session.device):
        tensors = [dovetail.tensor(h, device=session.device) for h in (a, b, c)]
        program = capture(lambda x, y, z: x * y + z, *tensors)(*tensors)
        fused = array(program[0] if isinstance(program, list | tuple) else program)
        thirds = array(tensors[0] / 3)
    row.tested = 2 * a.size
    row.facts = {
        "fma_contraction_in_programs": bool((fused != a * b + c).any()),
        "scalar_division_exact": bool((thirds == a / np.float32(3)).all()),
    }
