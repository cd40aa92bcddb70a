"""In-place forms of functions whose results have another dtype or come from a front: the result is copied over."""

from __future__ import annotations

from typing import Any, Final

from dovetail.ops.definition import front
from dovetail.tensor.tensor import Tensor

WRITTEN: Final = (
    "eq", "ne", "lt", "le", "gt", "ge",
    "logical_and", "logical_or", "logical_xor", "logical_not", "bitwise_not",
    "clamp_min", "clamp_max", "square", "float_power",
)  # fmt: skip
"""The names without their underscore; their other names follow them by themselves."""


def _write(name: str) -> None:
    def method(self: Tensor, *args: Any, **params: Any) -> Tensor:
        return self.copy_(getattr(self, name)(*args, **params))

    method.__name__ = f"{name}_"
    method.__doc__ = f"In-place form of ``{name}``: its result in the tensor's own dtype."
    front(method=True, public=False)(method)


for _name in WRITTEN:
    _write(_name)
