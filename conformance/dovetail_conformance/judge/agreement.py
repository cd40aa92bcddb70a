"""What the judge reads of an agreement: the shape of the `Agree` that the record of an op holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias


class Agreement(Protocol):
    """A class of exactness with its bounds; the judge depends on nothing else of dovetail."""

    @property
    def kind(self) -> str:
        """E, CR, U, G, C, S or D."""

    @property
    def typical(self) -> float | None:
        """The factor of class G on standard normal data, where there is one."""

    @property
    def signed_zero(self) -> bool:
        """Whether +0 and -0 are different results."""

    @property
    def bitwise(self) -> bool:
        """Whether one answer alone is right."""

    def at_most(self, dtype: str) -> float:
        """The bound in ULP."""

    def factor(self, n: int) -> float:
        """The factor k of class G for n terms."""


Bounds: TypeAlias = Callable[[str], Agreement]
"""The agreement of an op by its name: in the suite, a look-up in the registry."""
