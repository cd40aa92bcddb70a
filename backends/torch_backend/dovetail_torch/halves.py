"""16-bit floats that are only moved stay as they are: a passage through float32 would quiet a signalling NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dovetail.backend import Call, ops
from dovetail.backend.array_api_halves import Halves

_MOVING: Final = frozenset(
    op.record.name
    for op in (
        ops.clone, ops.cat, ops.stack, ops.flip, ops.roll, ops.select_by, ops.index_select, ops.index_copy, ops.gather,
        ops.scatter_elements, ops.basic_index_put, ops.embedding,
    )
)  # fmt: skip
"""Ops that calculate nothing."""


class TorchHalves(Halves):
    """PyTorch moves its 16-bit numbers itself; what calculates goes through float32 and is rounded once."""

    def bind(
        self, name: str, call: Call, bind: Callable[[str, Call], Callable[..., Any] | None]
    ) -> Callable[..., Any] | None:
        """Bind a kernel on 16-bit numbers."""
        return bind(name, call) if name in _MOVING else super().bind(name, call, bind)
