"""The ops as backends name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dovetail.contract.kernels import Reference
from dovetail.record import registry

if TYPE_CHECKING:
    from dovetail import ops as ops
else:

    class _Catalogue:
        """``ops.add`` is a reference to the op; a name that no op has is an error."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_") or not (registry.is_builtin(name) or registry.find(name)):
                raise AttributeError(f"there is no op {name!r}")
            reference = Reference(name)
            setattr(self, name, reference)
            return reference

    ops = _Catalogue()
