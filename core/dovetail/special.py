"""Special functions by the names of ``torch.special``."""

from __future__ import annotations

from typing import Any

from dovetail import ops

_NAMES = {
    "digamma": "digamma",
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "exp2": "exp2",
    "expit": "sigmoid",
    "expm1": "expm1",
    "gammaln": "lgamma",
    "i0": "i0",
    "i1": "i1",
    "log1p": "log1p",
    "log_softmax": "log_softmax",
    "logit": "logit",
    "logsumexp": "logsumexp",
    "polygamma": "polygamma",
    "psi": "digamma",
    "round": "round",
    "sinc": "sinc",
    "softmax": "softmax",
    "xlogy": "xlogy",
}
"""Each name with the operation that it is."""


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(ops, _NAMES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_NAMES))}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
