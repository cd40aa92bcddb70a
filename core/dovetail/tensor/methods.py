"""The base of Tensor that carries the methods of the op records: bound at start, typed by the stub beside it."""

from __future__ import annotations


class TensorMethods:
    """Operators and methods generated from the op records; ``methods.pyi`` has their signatures."""

    __slots__ = ()
