"""PyTorch's switches of the libraries below it: accepted and kept, as tutorials set them; they change nothing here.

Which library computes is chosen by the device: see ``dovetail backends`` and :func:`dovetail.use_backend`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dovetail import cuda as _cuda


class Switches:
    """A library's switches by name; any of them may be set, and is what it was set to."""

    def __init__(self, name: str, **switches: Any) -> None:
        self._name = name
        vars(self).update(switches)

    def is_available(self) -> bool:
        """Whether the library computes: never by itself."""
        return False

    def is_built(self) -> bool:
        """Whether the library is part of the build: never."""
        return False

    def version(self) -> None:
        """The library has no version here."""

    @contextmanager
    def flags(self, **switches: Any) -> Iterator[None]:
        """Set switches within a block."""
        before = {name: getattr(self, name, None) for name in switches}
        vars(self).update(switches)
        try:
            yield
        finally:
            vars(self).update(before)

    def __repr__(self) -> str:
        return f"<switches of {self._name}>"


class Cuda(Switches):
    """Switches of CUDA's matrix products, and whether CUDA is there."""

    def is_built(self) -> bool:
        """Whether a CUDA device can be used here."""
        return _cuda.is_available()


cudnn = Switches(
    "cudnn", enabled=True, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True
)
cuda = Cuda(
    "cuda",
    matmul=Switches("cuda.matmul", allow_tf32=False, allow_fp16_reduced_precision_reduction=True),
)
mps = Switches("mps")
mkl = Switches("mkl")
mkldnn = Switches("mkldnn", enabled=True)
openmp = Switches("openmp")
xeon = Switches("xeon")
