"""The catalogue: importing it defines every built-in op. One op is one definition, in the file of its family."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from dovetail.contract import discovery
from dovetail.record import registry

for _family in pkgutil.iter_modules(__path__):  # every file of this folder; nobody keeps a list of them
    importlib.import_module(f"{__name__}.{_family.name}")

for _op in registry.ops():
    globals()[_op.name] = _op.call
for _front in registry.fronts():
    globals()[_front.name] = _front.function


def __getattr__(name: str) -> Any:
    """Find an op that a plugin has defined since."""
    if not name.startswith("_"):
        discovery.discover()
        found = registry.function(name, public=False)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no op {name!r}")
