"""``autocast``: a block or function in which each op chooses its precision."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, TypeVar

from dovetail import dtypes
from dovetail.amp.modes import LOWER, is_autocast_available, type_of_device
from dovetail.dispatch import autocast as casting
from dovetail.dispatch import state
from dovetail.errors import ArgumentTypeError

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """A block in which ops run in the precision that suits them: context manager and decorator.

    Matrix products and convolutions take float32 inputs in ``dtype``; losses, and on accelerators what needs the
    range or the digits, take 16-bit inputs in float32; a few that join tensors take the widest type among theirs; all
    else runs in what it is given. docs/mixed_precision.md has the list, which is PyTorch's. Only float32 and the
    16-bit types are converted, in-place methods never are, and gradients arrive in the type of the parameter.

    Args:
        device_type: which tensors, by the type of their device: "cpu" or "cuda", on any backend.
        dtype: bfloat16 or float16; left out, bfloat16 on the CPU and float16 elsewhere.
        enabled: False switches autocast off inside the block, also within another one.
        cache_enabled: whether parameters in lower precision are kept until the outermost block ends.

    >>> import dovetail
    >>> layer = dovetail.nn.Linear(2, 2)
    >>> with dovetail.autocast("cpu", dtype=dovetail.bfloat16):
    ...     y = layer(dovetail.ones(1, 2))
    >>> y.dtype
    dovetail.bfloat16
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = type_of_device(device_type)
        if dtype is not None and not isinstance(dtype, dtypes.dtype):
            raise ArgumentTypeError(f"autocast needs a dtype, such as dovetail.bfloat16, got {dtype!r}")
        self.fast_dtype = casting.current.get().lower(self.device) if dtype is None else dtype
        self._cache_enabled = cache_enabled
        self._enabled = bool(enabled) and self._usable()
        self._tokens: list[Token[casting.Mode]] = []

    def _usable(self) -> bool:
        if not is_autocast_available(self.device):
            warnings.warn(
                f"User provided device_type of '{self.device}', but there is no such device here. Disabling autocast.",
                stacklevel=3,
            )
            return False
        if self.fast_dtype not in LOWER:
            warnings.warn(
                f"In {self.device} autocast, but the target dtype {self.fast_dtype.name} is not supported. Disabling "
                "autocast: it converts to bfloat16 or float16.",
                stacklevel=3,
            )
            return False
        return True

    def __enter__(self) -> autocast:
        mode = casting.current.get()
        kinds = mode.enabled | {self.device} if self._enabled else mode.enabled - {self.device}
        inside = mode._replace(
            enabled=kinds,
            chosen={**mode.chosen, self.device: self.fast_dtype} if self._enabled else mode.chosen,
            caching=mode.caching if self._cache_enabled is None else self._cache_enabled,
            cache={} if mode.cache is None else mode.cache,
        )
        state.enter()
        self._tokens.append(casting.current.set(inside))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        inside = casting.current.get()
        casting.current.reset(self._tokens.pop())
        outside = casting.current.get()
        state.leave()
        # A switch that was thrown inside the block is back where it was.
        if inside.switched is not outside.switched:
            (state.leave if inside.switched else state.enter)()
        if outside.cache is None and inside.cache is not None:
            inside.cache.clear()

    def __call__(self, function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **params: Any) -> Any:
            with self:
                return function(*args, **params)

        return wrapped  # type: ignore[return-value]  # same signature by functools.wraps
