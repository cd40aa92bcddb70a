"""Anomaly mode: a NaN in a gradient is an error that shows the forward call it belongs to."""

from __future__ import annotations

from contextvars import Token
from types import TracebackType

from dovetail.dispatch import state


class set_detect_anomaly:
    """Switch anomaly mode on or off, at once and until the block ends."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._token: Token[bool] | None = state.anomaly.set(bool(mode))
        self._counted = bool(mode)
        if self._counted:
            state.enter()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            state.anomaly.reset(self._token)
            self._token = None
            if self._counted:
                state.leave()


class detect_anomaly(set_detect_anomaly):
    """Inside the block, raise when a gradient becomes NaN, with the forward call that it belongs to.

    >>> import dovetail
    >>> with dovetail.autograd.detect_anomaly():
    ...     x = dovetail.ones(1, requires_grad=True)
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(True, check_nan)
