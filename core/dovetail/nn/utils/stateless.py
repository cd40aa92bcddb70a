"""Calling a module with other parameters and buffers than its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dovetail.errors import ArgumentError, ArgumentRuntimeError
from dovetail.nn.module import Module
from dovetail.tensor.tensor import Tensor


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Tensor],
    args: Any | tuple[Any, ...] | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Do what :func:`dovetail.func.functional_call` does, under its older name."""
    warnings.warn(
        "`nn.utils.stateless.functional_call` is deprecated. Please use `func.functional_call` instead which is a "
        "drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return call(module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict)


def call(
    module: Module,
    values: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any | tuple[Any, ...] | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with tensors in place of its parameters and buffers; see :func:`dovetail.func.functional_call`."""
    merged = _merged(values)
    given = args if isinstance(args, tuple) else () if args is None else (args,)
    with replaced(module, merged, tie_weights=tie_weights, strict=strict) as after:
        result = module(*given, **(kwargs or {}))
        written = after()
    if isinstance(values, dict):
        # A buffer that the forward replaced, and did not write in place, is given back under its name.
        values.update(written)
    return result


def _merged(values: dict[str, Tensor] | Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    if isinstance(values, dict):
        return dict(values)
    merged: dict[str, Tensor] = {}
    for part in values:
        repeated = merged.keys() & part.keys()
        if repeated:
            raise ArgumentError(
                f"{sorted(repeated)} appeared in multiple dictionaries; behavior of functional call is ambiguous"
            )
        merged.update(part)
    return merged


@contextmanager
def replaced(
    module: Module, values: Mapping[str, Tensor], *, tie_weights: bool = True, strict: bool = False
) -> Iterator[Any]:
    """Within the block the module has other tensors under the given paths.

    It gives a function that returns the tensors that are there now.

    Raises:
        ArgumentError: different values for one tensor that has several names.
        ArgumentRuntimeError: with ``strict``, names that the module does not have or that are missing.
    """
    everything = _named_tensors(module)
    if strict:
        _check_names(module, everything, values)
    new = _tied(everything, values) if tie_weights else dict(values)
    places = [(path, *_place(module, path)) for path in new]
    before = [(table, name, table[name]) for _, table, name in places]
    try:
        for path, table, name in places:
            table[name] = new[path]
        yield lambda: {path: table[name] for path, table, name in places if path in values}
    finally:
        for table, name, tensor in before:
            table[name] = tensor


def _named_tensors(module: Module) -> dict[str, Tensor]:
    found: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    found.update(module.named_buffers(remove_duplicate=False))
    return found


def _check_names(module: Module, everything: dict[str, Tensor], values: Mapping[str, Tensor]) -> None:
    unexpected = [name for name in values if name not in everything]
    missing = [name for name in everything if name not in values]
    lines = [
        f"{word} key(s): {', '.join(map(repr, names))}."
        for word, names in (("Unexpected", unexpected), ("Missing", missing))
        if names
    ]
    if lines:
        text = "\n\t".join(lines)
        raise ArgumentRuntimeError(f"Error(s) in reparametrizing for {module._get_name()}:\n\t{text}")


def _tied(everything: dict[str, Tensor], values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give every name of a tensor the value that one of them was given."""
    names: dict[int, list[str]] = {}
    for name, tensor in everything.items():
        names.setdefault(id(tensor), []).append(name)
    result = dict(values)
    for group in names.values():
        given = [name for name in group if name in values]
        if len({id(values[name]) for name in given}) > 1:
            raise ArgumentError(
                f"functional_call got multiple values for keys {sorted(group)}, which are tied. Consider using "
                "tie_weights=False"
            )
        if given:
            result.update(dict.fromkeys(group, values[given[0]]))
    return result


def _place(module: Module, path: str) -> tuple[dict[str, Any], str]:
    """The table that has the tensor of a path, and its name there."""
    owner_path, _, name = path.rpartition(".")
    owner = module.get_submodule(owner_path)
    table: dict[str, Any]
    for table in (owner._parameters, owner._buffers):
        if name in table:
            return table, name
    raise ArgumentRuntimeError(
        f"{module._get_name()} has no parameter or buffer '{path}'; names are those of named_parameters() and "
        "named_buffers()"
    )
