"""What all checks of one run share: the device, the backends that references come from, and measured facts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import dovetail
from dovetail.backend.inspection import Op, host_device, plan_of, record, records
from dovetail_conformance import draw
from dovetail_conformance.calls import Invocation, array, invocation
from dovetail_conformance.outcome import Row
from dovetail_conformance.replay import Models


@dataclass
class Session:
    """One run of the suite on one device."""

    device: Any
    models: Models
    seed: int = 0
    fallback: bool = True
    """Whether a kernel may run on the host."""
    tier: str = "quick"
    """``quick`` or ``full``: how much each check draws."""
    other: Any = None
    """A device to compare with, cell by cell."""
    _flushes: dict[str, bool] = field(default_factory=dict)
    _origins: dict[str, str] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """Whether the run may take hours."""
        return self.tier == "full"

    def seeded(self, seed: int) -> Session:
        """The same session with another seed; what was measured of the device is shared."""
        return self if seed == self.seed else replace(self, seed=seed)

    @property
    def host(self) -> Any:
        """Where references run."""
        place = host_device()
        assert place is not None, "there is always a backend on the host"
        return place

    @property
    def second(self) -> Any:
        """A device whose results are another opinion than the one under test."""
        return dovetail.device(self.models.parts) if self.device is self.host else self.host

    @property
    def compiles(self) -> bool:
        """Whether every new shape costs a compilation, so that few are drawn."""
        return bool(self.device.runtime.compiles)

    @property
    def lean(self) -> bool:
        """Whether each cell must do with one shape: the quick tier where every shape is compiled."""
        return self.compiles and not self.full

    def supports(self, dtype: str) -> bool:
        """Whether arrays of a dtype can exist on the device."""
        return bool(self.device.runtime.supports_dtype(draw.named(dtype), self.device))

    def flushes(self, dtype: str) -> bool:
        """Whether arithmetic in a dtype takes subnormal numbers for zero on this device: measured."""
        found = self._flushes.get(dtype)
        if found is None:
            host = draw.special(dtype)
            small = np.abs(host[1:4])
            t = dovetail.tensor(small, device=self.device)
            found = self._flushes[dtype] = not bool(array(t * 1.0).astype(np.float64)[2] > 0)
        return found

    def invocations(self, op: Op, dtype: str, *, ties: bool = False) -> list[Invocation]:
        """The samples of an op for a dtype: where every shape is compiled, only the first of them in the quick tier."""
        if op.samples is None:
            return []
        cases = list(op.samples.cases)
        if self.lean:
            cases = cases[:1]
        return [invocation(op, s, dtype, self.seed, ties=ties) for s in cases]

    def origin(self, op: Op, dtype: str) -> str:
        """What a call of the op runs on the device: kernel, decomposition, or fallback."""
        if op.samples is None or not op.samples.cases:
            return ""
        one = invocation(op, op.samples.cases[0], dtype, self.seed)
        with dovetail.use_backend(self.device), quiet():
            args, params = one.fill(one.tensors(self.device))
            return str(plan_of(op, args, params).origin)

    def known_origin(self, op: Op) -> str:
        """What runs for the op in its first dtype that the device supports; why none does, where that is so."""
        found = self._origins.get(op.name)
        if found is None:
            dtypes = [d for d in dtypes_of(op) if self.supports(d)]
            try:
                with quiet():
                    found = self.origin(op, dtypes[0]) if dtypes else ""
            except Exception as error:  # the checks will say so, with the call
                found = f"none: {error}"
            self._origins[op.name] = found
        return found

    def row(self, op: Op, dtype: str, check: str) -> Row:
        """An empty row for a cell, with what runs there."""
        return Row(op.name, dtype, check)


def dtypes_of(op: Op) -> list[str]:
    """The dtypes that an op's samples are for, with one of each integer width that matters."""
    if op.samples is None:
        return []
    return [name for category in op.samples.dtypes for name in draw.CATEGORIES[category]]


def selected(names: list[str] | None) -> list[Op]:
    """The ops to be checked: those named, or all that have samples. Errors: KeyError for a name that is none."""
    chosen = [record(n) for n in names] if names else list(records())
    return [op for op in chosen if op.samples is not None or names]


@contextmanager
def quiet() -> Iterator[None]:
    """Fallbacks are reported in the table, and overflow is part of what is drawn: neither needs a warning."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
