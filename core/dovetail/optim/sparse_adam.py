"""SparseAdam, which there is no use for without sparse gradients."""

from __future__ import annotations

from typing import Any

from dovetail.errors import UnsupportedError
from dovetail.optim.optimizer import Optimizer


class SparseAdam(Optimizer):
    """Adam for sparse gradients alone: it exists to say that there are none.

    Errors: UnsupportedError, always. Gradients are dense here, also those of an embedding.
    """

    def __init__(self, *given: Any, **options: Any) -> None:
        raise UnsupportedError(
            "SparseAdam updates the rows that a sparse gradient names, and dovetail has no sparse tensors: every "
            "gradient is dense. Use dovetail.optim.Adam(params, lr=...)"
        )
