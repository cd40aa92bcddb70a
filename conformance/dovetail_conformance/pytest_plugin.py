"""The suite under pytest: ``pytest --pyargs dovetail_conformance.suite --dovetail-device jax:cpu``.

One test for every op and check. Only options are defined when pytest starts: dovetail is imported when tests are
collected.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the suite."""
    group = parser.getgroup("dovetail", "conformance of a dovetail backend")
    group.addoption("--dovetail-device", metavar="DEVICE", help="the backend or device that the suite checks")
    group.addoption("--dovetail-ops", metavar="A,B", help="check these ops only")
    group.addoption("--dovetail-seed", type=int, default=0, metavar="N", help="seed of all that is drawn")
    group.addoption(
        "--dovetail-no-fallback", action="store_true", help="an op that would run on the host fails"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of the suite for every op and check, or for every check of the whole backend."""
    if metafunc.module.__name__ != "dovetail_conformance.suite.test_conformance":
        return
    from dovetail_conformance.runner import EACH, ONCE, WHOLE
    from dovetail_conformance.session import selected

    text = metafunc.config.getoption("--dovetail-ops")
    names = text.split(",") if text else None
    if "op_check" in metafunc.fixturenames:
        pairs = [(op.name, check) for op in selected(names) for check in (*EACH, *ONCE)]
        metafunc.parametrize("op_check", pairs, ids=[f"{op}-{check}" for op, check in pairs])
    elif "whole_check" in metafunc.fixturenames:
        metafunc.parametrize("whole_check", list(WHOLE))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Checks of the whole backend are left out where ops are named."""
    if not config.getoption("--dovetail-ops"):
        return
    left = [item for item in items if item.nodeid.partition("[")[0].endswith("test_conformance.py::test_backend")]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)
