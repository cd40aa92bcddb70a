"""Autocast: inputs of an op converted as its record says, before the call looks for a plan.

While an op with a rule runs, and inside the decomposition of an op that promises its specs, autocast is off: the
types were chosen once, outside. So plans and compiled kernels never depend on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dovetail import dtypes
from dovetail.dispatch import state
from dovetail.dispatch.aliasing import raw
from dovetail.errors import ArgumentRuntimeError
from dovetail.record import registry
from dovetail.tensor.node import Leaf
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.record.autocast import Autocast, Rule
    from dovetail.record.op import Op

ELIGIBLE: Final = (dtypes.float32, dtypes.float16, dtypes.bfloat16)
"""What is converted: float64 was asked for by the program and stays."""


class Cached(NamedTuple):
    """A parameter in lower precision, and all that must be as it was for the copy to be its value still."""

    parameter: Tensor
    version: int
    array: int
    trace: Any
    recorded: bool
    dtype: dtypes.dtype
    copy: Tensor


class Mode(NamedTuple):
    """What autocast does in one thread and task; immutable, so that leaving a block is taking the old one back."""

    enabled: frozenset[str] = frozenset()
    """Types of devices."""
    chosen: Mapping[str, dtypes.dtype] = {}
    """The lower precision where another than the default was chosen, by type of device."""
    caching: bool = True
    cache: dict[int, Cached] | None = None
    """Shared by all blocks inside an outermost one."""
    switched: bool = False
    """Whether autocast was switched on without a block, which then counts as a rare state by itself."""

    def lower(self, kind: str) -> dtypes.dtype:
        """Return the lower precision of a type of device."""
        return self.chosen.get(kind) or (dtypes.bfloat16 if kind == "cpu" else dtypes.float16)


OFF: Final = Mode()
current: Final[ContextVar[Mode]] = ContextVar("autocast", default=OFF)


def key() -> Any:
    """What a captured program depends on."""
    mode = current.get()
    return tuple(sorted((kind, mode.lower(kind).name) for kind in mode.enabled)) if mode.enabled else ()


def suspended(function: Callable[..., Any], *args: Any) -> Any:
    """Run a function without autocast."""
    token = current.set(current.get()._replace(enabled=frozenset()))
    try:
        return function(*args)
    finally:
        current.reset(token)


def is_over(op: Op, kind: str) -> bool:
    """Whether the parts of an op's decomposition no longer follow the block that is on.

    An op with rules of its own promises its specs, and one with a rule for autocast has had its inputs converted, or
    is an in-place form, which is never converted.
    """
    if not current.get().enabled:
        return False
    return op.shape is not None or (op.autocast is not None and op.autocast.on(kind) is not None)


def adapted(
    name: str, policy: Autocast, args: Sequence[Any], params: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments of a call as the op's rule wants them, None where none applies."""
    mode = current.get()
    if not mode.enabled:
        return None
    kind = _kind((*args, *params.values()), mode)
    rule = None if kind is None else policy.on(kind)
    if kind is None or rule is None:
        return None
    if rule == "refused":
        raise ArgumentRuntimeError(_REFUSAL.format(name=name))
    target = _target(rule, (*args, *params.values()), kind, mode)
    if target is None:
        return tuple(args), dict(params)
    named = {word: _converted(value, target, kind, mode) for word, value in params.items()}
    return tuple(_converted(a, target, kind, mode) for a in args), named


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from (entry for entry in value if isinstance(entry, Tensor))


def _kind(values: Sequence[Any], mode: Mode) -> str | None:
    """The type of device whose rules hold: numbers of the CPU go along with tensors of an accelerator."""
    kinds = {t._spec.device.type for t in _tensors(values)}
    found = sorted(kinds & mode.enabled, key=lambda kind: (kind == "cpu", kind))
    return found[0] if found else None


def _target(rule: Rule, values: Sequence[Any], kind: str, mode: Mode) -> dtypes.dtype | None:
    if rule == "as is":
        return None
    lower = mode.lower(kind)
    if rule == "lower":
        return lower
    if rule == "float32":
        return dtypes.float32
    there = {t._spec.dtype for t in _tensors(values) if _eligible(t, kind)}
    return lower if there == {lower} else dtypes.float32


def _eligible(t: Tensor, kind: str) -> bool:
    return t._spec.device.type == kind and t._spec.dtype in ELIGIBLE


def _converted(value: Any, target: dtypes.dtype, kind: str, mode: Mode) -> Any:
    # No closure over itself: a cycle would keep the cache's tensors until the collector comes by.
    if isinstance(value, Tensor):
        return _cast(value, target, mode) if _eligible(value, kind) else value
    if isinstance(value, list | tuple) and any(isinstance(entry, Tensor) for entry in value):
        return [_converted(entry, target, kind, mode) for entry in value]
    return value


def _cast(t: Tensor, target: dtypes.dtype, mode: Mode) -> Tensor:
    if t._spec.dtype is target:
        return t
    cache = mode.cache
    # Leaves that are trained come again in every layer that shares them, and in the next batch of the block.
    if cache is None or not mode.caching or type(t._node) is not Leaf or t._alias is not None:
        return _copy(t, target)
    array, trace = id(raw(t)), state.tracing.get()
    found = cache.get(id(t))
    now = (t, t._version, array, trace, state.grad_enabled.get(), target)
    # By identity: tensors compare elementwise.
    if found is not None and all(a is b or (type(a) is int and a == b) for a, b in zip(found[:-1], now)):
        return found.copy
    made = _copy(t, target)
    # In a capture the first use gives the parameter its variable, so the array is asked for again.
    cache[id(t)] = Cached(t, t._version, id(raw(t)), trace, state.grad_enabled.get(), target, made)
    return made


def _copy(t: Tensor, target: dtypes.dtype) -> Tensor:
    made: Tensor = registry.get("cast").call(t, dtype=target)
    return made


_REFUSAL: Final = (
    "{name} is unsafe to autocast: a probability next to 0 or 1 has no gradient in 16 bits. Give the scores to "
    "binary_cross_entropy_with_logits (nn.BCEWithLogitsLoss) instead of a sigmoid of them, or turn autocast off around "
    "the loss: with dovetail.autocast(device_type, enabled=False)"
)
