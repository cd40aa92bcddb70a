"""Modules as functions of their parameters: ``from dovetail.func import functional_call``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dovetail.nn.utils import stateless

if TYPE_CHECKING:
    from dovetail.nn.module import Module
    from dovetail.tensor.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any | tuple[Any, ...] | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with tensors in place of its parameters and buffers, and leave it as it was.

    Args:
        parameter_and_buffer_dicts: tensors by path, as of ``named_parameters()``; several dicts count as one. What is
            not named keeps the module's own value.
        args: the positional argument or a tuple of them.
        kwargs: the keyword arguments.
        tie_weights: whether a value counts for every name that its tensor has in the module.
        strict: whether every name must be given and none may be left over.

    Raises:
        ArgumentError: different values for one tensor that has several names, or a name in two dicts.
        ArgumentRuntimeError: a name that the module does not have; with ``strict`` one that is missing too.

    >>> import dovetail
    >>> layer = dovetail.nn.Linear(2, 1)
    >>> values = {"weight": dovetail.ones(1, 2), "bias": dovetail.zeros(1)}
    >>> dovetail.func.functional_call(layer, values, dovetail.tensor([3.0, 4.0]))
    tensor([7.])
    """
    return stateless.call(
        module, parameter_and_buffer_dicts, args, kwargs, tie_weights=tie_weights, strict=strict
    )
