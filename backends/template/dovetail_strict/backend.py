"""The runtime of the backend: loaded when it is first used."""

from __future__ import annotations

from typing import Any

from dovetail.backend import Array, ArrayAPIBackend, KernelTable, ops


class StrictBackend(ArrayAPIBackend):
    """Every op through the functions of the namespace, or composed of them."""

    def load_namespace(self) -> Any:
        """The module with the functions of the array-API standard."""
        import array_api_strict

        return array_api_strict

    def places(self) -> list[tuple[str, Any]]:
        """The devices, the default first: their kind, and what the namespace calls them."""
        return [("cpu", None), ("cpu", self.xp.Device("device1"))]

    def extend(self, table: KernelTable) -> None:
        """A kernel under an op's name replaces the op's decomposition. Its gradient stays that of the op."""
        xp = self.xp

        @table(ops.embedding)
        def embedding(indices: Array, weight: Array, padding_idx: int | None) -> Array:
            rows = xp.take(weight, xp.reshape(indices, (-1,)), axis=0)
            return xp.reshape(rows, (*indices.shape, weight.shape[1]))
