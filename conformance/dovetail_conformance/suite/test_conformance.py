"""One test for every op and check on the device of ``--dovetail-device``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import dovetail
from dovetail.backend.inspection import record
from dovetail_conformance import deviations
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models
from dovetail_conformance.runner import WHOLE, cell, cells, falling_back
from dovetail_conformance.session import Session


@pytest.fixture(scope="module")
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """The run on the device that was asked for, or on the default one."""
    config = request.config
    device = dovetail.device(config.getoption("--dovetail-device") or str(dovetail.get_default_device()))
    allowed = not config.getoption("--dovetail-no-fallback")
    with falling_back("silent" if allowed else "error"), Models() as models:
        yield Session(device, models, config.getoption("--dovetail-seed"), allowed)


def judge(session: Session, rows: list[Row]) -> None:
    """Fail with the messages of all rows that do."""
    deviations.apply(rows, deviations.declared(session.device.backend))
    failed = [f"{row.dtype}: {row.message}" for row in rows if row.failed]
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)


def test_op(session: Session, op_check: tuple[str, str]) -> None:
    """One check of one op in all its dtypes."""
    op = record(op_check[0])
    rows = [cell(session, op, check, dtype) for check, dtype in cells(op, [op_check[1]])]
    judge(session, [row for row in rows if row is not None])


def test_backend(session: Session, whole_check: str) -> None:
    """One check of the backend."""
    judge(session, WHOLE[whole_check](session))
