"""Who wants to know of transfers between devices and the host. While nobody listens, it costs one look at a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dovetail.contract.kernels import Call
    from dovetail.tensor.spec import Spec

HOST: Final = "host"
"""The other end of a read or of a tensor made from host data."""

Listener = Callable[[str, str, int], None]
"""``listener(source, target, bytes)``."""

listeners: Final[list[Listener]] = []


def note(source: object, target: object, specs: Iterable[Any]) -> None:
    """Tell everybody of one transfer for each spec; an absent input has none."""
    for spec in specs:
        if spec is not None:
            for listener in listeners:
                listener(str(source), str(target), bytes_of(spec))


def note_fallback(call: Call) -> None:
    """A fallback moves its inputs to the host and its results back."""
    note(call.device, HOST, call.inputs)
    note(HOST, call.device, call.outputs)


def bytes_of(spec: Spec) -> int:
    """What the values of a spec take."""
    return spec.size * spec.dtype.itemsize
