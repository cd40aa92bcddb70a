"""Signatures as lines of a stub."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any

from dovetail.describe.annotations import Imports

WIDTH = 110


def definition(
    name: str,
    function: Callable[..., Any],
    imports: Imports,
    *,
    receiver: str | None = None,
    returns: str | None = None,
    operand: str | None = None,
    decorator: str | None = None,
    comment: str = "",
    indent: str = "",
) -> list[str]:
    """Return the lines of a function's stub.

    With ``receiver`` ("self") it takes the place of the first parameter; ``returns`` and ``operand`` override
    the annotations of the result and of what stands beside the receiver. Operators have no keywords.
    """
    module = function.__module__
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if receiver is not None and parameters[0].kind is not Parameter.VAR_POSITIONAL:
        parameters = parameters[1:]
    if name.startswith("__"):
        parameters = [p for p in parameters if p.kind is not Parameter.KEYWORD_ONLY]
    parts = list(_written(parameters, module, imports))
    if operand is not None:
        parts = [f"{parameters[0].name}: {operand}"]
    parts = parts if receiver is None else [receiver, *parts]
    answer = imports.said(signature.return_annotation, module) if returns is None else returns
    doc = (inspect.getdoc(function) or "").partition("\n")[0].strip()
    end = f" -> {answer}:{'' if doc else ' ...'}{comment}"
    lines = [f"{indent}{decorator}"] if decorator else []
    lines += _laid_out(f"{indent}def {name}", parts, end, indent)
    return [*lines, f'{indent}    """{doc}"""'] if doc else lines


def _laid_out(start: str, parts: list[str], end: str, indent: str) -> list[str]:
    line = f"{start}({', '.join(parts)}){end}"
    if len(line) + 4 <= WIDTH:
        return [line]
    return [f"{start}(", *(f"{indent}    {part}," for part in parts), f"{indent}){end}"]


def _written(parameters: Iterable[Parameter], module: str, imports: Imports) -> Iterable[str]:
    starred = False
    positional_only = False
    for parameter in parameters:
        if positional_only and parameter.kind is not Parameter.POSITIONAL_ONLY:
            yield "/"
        positional_only = parameter.kind is Parameter.POSITIONAL_ONLY
        if parameter.kind is Parameter.KEYWORD_ONLY and not starred:
            yield "*"
            starred = True
        said = imports.said(parameter.annotation, module)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            starred = True
            yield f"*{parameter.name}: {said}"
        elif parameter.kind is Parameter.VAR_KEYWORD:
            yield f"**{parameter.name}: {said}"
        elif parameter.default is Parameter.empty:
            yield f"{parameter.name}: {said}"
        else:
            yield f"{parameter.name}: {said} = {_default(parameter.default)}"
    if positional_only:
        yield "/"


def _default(value: Any) -> str:
    """Plain values are shown; what needs a name is left to the reader of the source."""
    plain = value is None or isinstance(value, bool | int | float | str) or value == ()
    return repr(value) if plain and value == value and value not in (float("inf"), -float("inf")) else "..."
