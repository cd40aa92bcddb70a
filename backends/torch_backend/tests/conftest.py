"""The backend from this folder, registered for the tests whether it is installed or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(scope="session", autouse=True)
def registered() -> Iterator[None]:
    import dovetail_torch.plugin as plugin

    from dovetail.backend import inspection, register_plugin, unregister_plugin

    if "torch" in inspection.announced():
        yield
        return
    register_plugin(plugin, "torch")
    yield
    unregister_plugin("torch")
