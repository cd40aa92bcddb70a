"""The judgement on one call: what was measured, where it was worst, and a program that shows it."""

from __future__ import annotations

import base64
import sys
import textwrap
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INLINE = 64
"""Up to this many elements a program spells an input out; a longer one is packed."""

_LONG = 4000
"""A program of more characters than that is not printed with the message."""

_COPIES = 64
"""An elementwise op is shown on so many copies of an element: one alone may take another path."""


@dataclass(frozen=True)
class Case:
    """One call of an op, as messages and programs have to name it.

    ``dtype`` is that of the result. ``inputs`` are the host arrays, or Python numbers, in the order of the
    call, by parameter name; ``params`` the keyword arguments. ``call``, an expression over the inputs' names,
    replaces ``torch.<op>(inputs, params)``. ``elementwise`` says that an element of the result depends on the
    elements at the same place alone.
    """

    op: str
    dtype: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    call: str = ""
    elementwise: bool = True

    @property
    def expression(self) -> str:
        """The call, in Python."""
        if self.call:
            return self.call
        words = [*self.inputs, *(f"{name}={value!r}" for name, value in self.params.items())]
        return f"torch.{self.op}({', '.join(words)})"

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether the inputs broadcast to a result of this shape, as those of an elementwise op do."""
        try:
            return np.broadcast_shapes(shape, *(np.shape(x) for x in self.inputs.values())) == shape
        except ValueError:
            return False

    def at(self, index: tuple[int, ...], shape: tuple[int, ...]) -> dict[str, Any]:
        """The elements of the inputs that belong to one element of an elementwise result."""
        return {name: np.broadcast_to(np.asarray(x), shape)[index] for name, x in self.inputs.items()}


@dataclass(frozen=True)
class Verdict:
    """Whether a result keeps its agreement, and how close to the bound it came.

    ``worst`` and ``bound`` are in ``unit``; ``failures`` of ``tested`` elements break the bound, ``excluded``
    have none, because an intermediate overflows. ``correctly_rounded`` is the share of results that are the
    nearest number. ``at`` has the bits of the inputs at the worst element, where the op is elementwise.
    """

    ok: bool
    case: Case
    kind: str
    unit: str
    worst: float
    bound: float
    tested: int
    failures: int = 0
    excluded: int = 0
    special_failures: int = 0
    correctly_rounded: float | None = None
    index: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()
    at: Mapping[str, str] = field(default_factory=dict)
    expected: str = ""
    got: str = ""
    reason: str = ""

    def __bool__(self) -> bool:
        return self.ok

    @property
    def ratio(self) -> float:
        """How much of the bound was used: 1 is all of it."""
        return self.worst / self.bound if self.bound else (0.0 if self.worst == 0 else float("inf"))

    @property
    def message(self) -> str:
        """The op, the dtype, the worst input, what was expected, what came, and a program that shows it."""
        lines = [f"{self.case.op} {self.case.dtype}{self._where()}: {self.reason or self._measure()}"]
        if self.index is not None:
            elements = self.case.at(self.index, self.shape) if self.case.elementwise else {}
            place = ", ".join(f"{name} = {describe(value)}" for name, value in elements.items())
            lines.append(f"  at {list(self.index)}" + (f": {place}" if place else ""))
            lines += [f"  expected {self.expected}", f"  got      {self.got}"]
        if not self.ok and self.index is not None:
            program = self.snippet()
            if len(program) <= _LONG:
                lines += ["  to see it:", textwrap.indent(program, "    ")]
            else:
                lines.append(f"  to see it: run snippet(), a program of {len(program)} characters")
        return "\n".join(lines)

    def check(self) -> Verdict:
        """The verdict itself. Errors: AssertionError with the message if it is not ok."""
        if not self.ok:
            raise AssertionError(self.message)
        return self

    def snippet(self) -> str:
        """A program that computes the worst element again and prints it beside what was expected."""
        if self.index is None:
            return ""
        alone = self.case.elementwise
        inputs = self.case.at(self.index, self.shape) if alone else dict(self.case.inputs)
        given = {name for name, x in self.case.inputs.items() if not isinstance(x, np.ndarray | np.generic)}
        lines = ["import numpy", "import dovetail as torch", ""]
        for name, value in inputs.items():
            if name in given:
                lines.append(f"{name} = {_scalar(self.case.inputs[name])}")
                continue
            lines += _tensor(name, np.asarray(value), self.case.device, copies=_COPIES if alone else 0)
        index = (0,) if alone else self.index
        lines += [
            f"got = numpy.asarray({self.case.expression}.detach().numpy())",
            f"print(got[{', '.join(map(str, index))}])" if index else "print(got[()])",
            f"# expected {self.expected}",
            f"# got      {self.got}",
        ]
        packed = any("zlib" in line for line in lines)
        return "\n".join(["import base64", "import zlib", *lines] if packed else lines)

    def row(self) -> dict[str, Any]:
        """The entry of a certificate: plain values, for JSON."""
        return {
            "op": self.case.op,
            "dtype": self.case.dtype,
            "class": self.kind,
            "unit": self.unit,
            "bound": self.bound,
            "worst": self.worst,
            "at": dict(self.at),
            "correctly_rounded_fraction": self.correctly_rounded,
            "inputs_tested": self.tested,
            "failures": self.failures,
            "excluded": self.excluded,
            "special_failures": self.special_failures,
            "status": "pass" if self.ok else "fail",
        }

    def _where(self) -> str:
        return f" on {self.case.device}" if self.case.device else ""

    def _measure(self) -> str:
        text = f"{self.worst:.4g} {self.unit}, at most {self.bound:g} allowed"
        return text if self.ok else f"{text}; {self.failures} of {self.tested} elements fail"


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """One verdict on a test that ran in pieces: the counts of all, the place of the worst.

    Errors: ValueError if there is none.
    """
    pieces = list(verdicts)
    if not pieces:
        raise ValueError("there is no verdict to merge")
    worst = max(pieces, key=lambda v: (not v.ok, v.ratio))
    tested = sum(v.tested for v in pieces)
    shares = [(v.correctly_rounded, v.tested) for v in pieces if v.correctly_rounded is not None]
    weight = sum(n for _, n in shares)
    return replace(
        worst,
        ok=all(v.ok for v in pieces),
        tested=tested,
        failures=sum(v.failures for v in pieces),
        excluded=sum(v.excluded for v in pieces),
        special_failures=sum(v.special_failures for v in pieces),
        correctly_rounded=sum(share * n for share, n in shares) / weight if weight else None,
    )


def describe(value: Any) -> str:
    """A scalar for people and for machines: its bits, and its decimal digits."""
    scalar = np.asarray(value)[()]
    kind = np.asarray(scalar).dtype.kind
    if kind in "iub":
        return str(scalar)
    return f"{bits(scalar)} ({scalar!s})"


def bits(value: Any) -> str:
    """The bit pattern of a scalar, as a hexadecimal number of its width."""
    array = np.ascontiguousarray(np.asarray(value)).reshape(1)
    return "0x" + array.view(np.uint8)[:: -1 if sys.byteorder == "little" else 1].tobytes().hex()


def _tensor(name: str, array: NDArray[Any], device: str, copies: int) -> list[str]:
    """Lines that make a tensor with exactly these values."""
    dtype = array.dtype.name
    where = f", device={device!r}" if device else ""
    tail = f", dtype=torch.{dtype}{where})"
    if copies:
        return [f"{name} = torch.tensor([{_scalar(array[()])}] * {copies}{tail}"]
    if array.size <= _INLINE:
        return [f"{name} = torch.tensor({_nested(array)}{tail}"]
    # Every bfloat16 is a float32, which NumPy can name without help.
    plain = array.astype(np.float32) if dtype == "bfloat16" else array
    plain = plain.astype(plain.dtype.newbyteorder("<"))
    packed = base64.b85encode(zlib.compress(np.ascontiguousarray(plain).tobytes(), 9)).decode()
    lines = [f"{name} = zlib.decompress(base64.b85decode("]
    lines += [f"    {packed[i : i + 100]!r}" for i in range(0, len(packed), 100)]
    lines.append("))")
    lines.append(f"{name} = numpy.frombuffer({name}, {plain.dtype.str!r}).reshape({array.shape})")
    lines.append(f"{name} = torch.tensor({name}{tail}")
    return lines


def _nested(array: NDArray[Any]) -> str:
    if array.ndim == 0:
        return _scalar(array[()])
    return "[" + ", ".join(_nested(part) for part in array) + "]"


def _scalar(value: Any) -> str:
    """Python for a scalar, with every bit of its value."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, complex):
        return f"complex({_scalar(plain.real)}, {_scalar(plain.imag)})"
    if isinstance(plain, bool | int):
        return repr(plain)
    number = float(plain)
    return f"float.fromhex({number.hex()!r})" if np.isfinite(number) else f"float({str(number)!r})"
