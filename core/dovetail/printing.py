"""The printed form of tensors: PyTorch's, character by character.

Numbers are formatted as a whole: one width for all of them, scientific notation when they span more than
three decades or are very large or small, no decimals when all of them are integers. Large tensors show their
edges.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from math import inf, isfinite
from typing import Any, Final, NamedTuple

import numpy as np

from dovetail import dtypes, settings
from dovetail.contract.selection import default_device
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.tensor.tensor import Tensor

Host = np.ndarray[Any, Any]


class Options(NamedTuple):
    """How tensors are printed, for the whole process."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None
    """Whether scientific notation is used; None: where the values ask for it."""


PROFILES: Final = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=inf),
}
"""Sets of options by name."""

_options = Options()
_lock: Final = threading.Lock()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed.

    ``precision`` is the number of decimals, ``threshold`` the number of elements above which only
    ``edgeitems`` at each end of every dimension are shown, ``linewidth`` the length of a line, ``profile``
    "default", "short" or "full", ``sci_mode`` whether scientific notation is used (None, also when it is not
    given: as the values ask for).

    >>> import dovetail
    >>> dovetail.set_printoptions(precision=2)
    >>> dovetail.tensor([1.12345])
    tensor([1.12])
    >>> dovetail.set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in PROFILES:
        raise ArgumentError(f"unknown profile {profile!r}: the profiles are {', '.join(map(repr, PROFILES))}")
    asked = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ArgumentTypeError(f"set_printoptions: {name} must be a number that is not negative, got {value!r}")
    with _lock:
        start = _options if profile is None else PROFILES[profile]
        _options = start._replace(**given, sci_mode=sci_mode)


def get_printoptions() -> dict[str, Any]:
    """Return how tensors are printed, as keywords for :func:`set_printoptions`."""
    return _options._asdict()


@contextlib.contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print otherwise inside the block: takes the keywords of :func:`set_printoptions`."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


# ------------------------------------------------------------------------------------------ the whole


def text(self: Tensor) -> str:
    """Return the printed form of a tensor: values, and what they alone do not show."""
    options = _options
    prefix = f"{_name(type(self))}("
    indent = len(prefix)
    values = host_values(self, why="print() of a tensor, as any conversion to text, reads its values")
    body = prefix + _values(values, self.dtype, indent, options)
    length = len(body) - body.rfind("\n") + 1
    for suffix in _suffixes(self, options):
        if length + len(suffix) + 2 > options.linewidth:
            body += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            body += ", " + suffix
            length += len(suffix) + 2
    return body + ")"


def _name(cls: type[Tensor]) -> str:
    """Tensors of dovetail's own classes, as parameters, print as tensors; a user's class under its name."""
    return "tensor" if cls.__module__.partition(".")[0] == "dovetail" else cls.__name__


def _suffixes(t: Tensor, options: Options) -> list[str]:
    """Device, size, dtype and edge, each only where a reader could not know it."""
    found: list[str] = []
    if t.device is not default_device():
        found.append(f"device='{t.device}'")
    default = settings.current.default_dtype
    if t.numel() == 0:
        sized, evident = t.ndim != 1, t.dtype is default
    else:
        sized, evident = not options.edgeitems, t.dtype in (default, dtypes.int64, dtypes.bool_)
    if sized:
        found.append(f"size={tuple(t.shape)}")
    if not evident:
        found.append(f"dtype={t.dtype!r}")
    node = t.grad_fn
    if node is not None:
        found.append(f"grad_fn=<{node.name()}>")
    elif t.requires_grad:
        found.append("requires_grad=True")
    return found


# ------------------------------------------------------------------------------------------ the values


def _values(values: Host, dtype: dtypes.dtype, indent: int, options: Options) -> str:
    if values.size == 0:
        return "[]"
    cut = [values.size > options.threshold and size > 2 * options.edgeitems for size in values.shape]
    for axis, (size, shortened) in enumerate(zip(values.shape, cut, strict=True)):
        if shortened:
            kept = [*range(options.edgeitems), *range(size - options.edgeitems, size)]
            values = values.take(kept, axis)
    if dtype.is_floating_point:
        values = values.astype(np.float64)
        width, write = _floating(values.ravel(), options)
    else:
        width, write = max((len(str(value)) for value in values.ravel().tolist()), default=1), str
    return _Nesting(width, write, cut, options).written(values, indent)


def _floating(values: Host, options: Options) -> tuple[int, Callable[[Any], str]]:
    """The width of floating-point values and the function that writes one."""
    present = values[np.isfinite(values) & (values != 0)]
    if not present.size:
        return 1, _whole
    integers = bool(np.all(present == np.ceil(present)))
    scientific = options.sci_mode
    if scientific is None:
        sizes = np.abs(present)
        low, high = float(sizes.min()), float(sizes.max())
        scientific = high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4
    form = f"{{:.{options.precision}{'e' if scientific else 'f'}}}"
    write = _whole if integers and not scientific else form.format
    return max(len(write(value)) for value in present.tolist()), write


def _whole(value: float) -> str:
    """A number without decimals: the point alone says that its type is floating."""
    return f"{value:.0f}." if isfinite(value) else f"{value:.0f}"


class _Nesting:
    """Brackets, commas and line breaks around formatted numbers.

    ``cut`` tells for each dimension whether its middle has been left out.
    """

    def __init__(self, width: int, write: Callable[[Any], str], cut: list[bool], options: Options) -> None:
        self.width = width
        self.write = write
        self.cut = cut
        self.edge = options.edgeitems
        self.linewidth = options.linewidth

    def written(self, values: Host, indent: int) -> str:
        """Return the text of an array whose first bracket stands at column ``indent``."""
        if values.ndim == 0:
            return self._number(values.item())
        if values.ndim == 1:
            return self._row(values.tolist(), indent)
        parts = [self.written(part, indent + 1) for part in values]
        if self.cut[-values.ndim]:
            parts.insert(self.edge, "...")
        return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(parts) + "]"

    def _number(self, value: Any) -> str:
        return self.write(value).rjust(self.width)

    def _row(self, values: list[Any], indent: int) -> str:
        parts = [self._number(value) for value in values]
        if self.cut[-1]:
            parts.insert(self.edge, " ..." if self.edge else "...")
        per_line = max(1, int(self.linewidth - indent) // (self.width + 2))
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
