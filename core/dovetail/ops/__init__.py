"""The catalogue of built-in ops. One op is one definition, in the file of its family.

A family is imported when one of its names is first asked for, here, in the top package or on a tensor: a program that
adds two tensors does not wait for convolutions. ``_homes.py`` has the names by family; it is generated, and a name that
it lacks is found all the same.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType
from typing import Any

from dovetail.contract import discovery

# Some of their methods are looked up by Python itself, on the type: operators, conversions, the data model.
from dovetail.ops import arithmetic, comparison, contraction, creation, dlpack, indexing, shifts, values  # noqa: F401
from dovetail.ops._homes import FAMILIES, METHODS
from dovetail.ops.deferred import defer_methods
from dovetail.record import registry


def _import_everything() -> None:
    for family in pkgutil.iter_modules(__path__):  # every file of this folder; nobody keeps a list of them
        importlib.import_module(f"{__name__}.{family.name}")


registry.expect(
    registry.imported_homes() | {name: f"{__name__}.{family}" for family, names in FAMILIES.items() for name in names},
    _import_everything,
)
defer_methods({name: f"{__name__}.{family}" for family, names in METHODS.items() for name in names})


class _Catalogue(ModuleType):
    """A package in which an op goes before a file of the same name, which importing the file would put there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and name in registry.names()):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            found = registry.function(name, public=False)
            if found is None:
                discovery.discover()  # it may be an op that a plugin defines
                found = registry.function(name, public=False)
            if found is not None:
                if registry.is_builtin(name):
                    super().__setattr__(name, found)
                return found
        raise AttributeError(f"module {__name__!r} has no op {name!r}")


for _family in [name for name in vars() if registry.is_builtin(name)]:
    del globals()[_family]  # a file imported above, of the same name as an op
sys.modules[__name__].__class__ = _Catalogue
