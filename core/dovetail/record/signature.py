"""How the parameters of an op are divided into tensors and statics, read off its Python signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dovetail.errors import ArgumentTypeError

TENSOR: Final = "tensor"
OPTIONAL: Final = "optional tensor"
LIST: Final = "list of tensors"
LIVE: Final = "live"
STATIC: Final = "static"
VARIADIC: Final = "variadic static"

ALIASES: Final = {"axis": "dim", "keepdims": "keepdim", "axes": "dims", "x": "input"}
"""NumPy's spellings of PyTorch's parameters, accepted wherever the op has the latter."""

Live = Any
"""Annotates a parameter whose value is no part of the plan: a position, which may differ on every call."""

_MISSING: Final = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an op: what it is and its default."""

    name: str
    kind: str
    default: Any
    keyword_only: bool

    @property
    def is_input(self) -> bool:
        """Whether the parameter carries tensors, or numbers that change from call to call like them."""
        return self.kind in (TENSOR, OPTIONAL, LIST, LIVE)


def _kind(parameter: inspect.Parameter) -> str:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return VARIADIC
    annotation = str(parameter.annotation).replace(" ", "")
    if annotation == "Live":
        return LIVE
    if "Sequence[Tensor" in annotation:
        return LIST
    if annotation.startswith("Tensor"):
        return OPTIONAL if annotation.endswith("|None") else TENSOR
    return STATIC


class Signature:
    """The parameters of an op in order, and how a call is bound to them."""

    def __init__(self, name: str, fn: Callable[..., Any], leave_out: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.python = inspect.signature(fn)
        self.parameters: tuple[Parameter, ...] = tuple(
            Parameter(
                p.name,
                _kind(p),
                () if p.kind is inspect.Parameter.VAR_POSITIONAL else p.default,
                p.kind is inspect.Parameter.KEYWORD_ONLY,
            )
            for p in self.python.parameters.values()
            if p.name not in leave_out
        )
        self.index = {p.name: i for i, p in enumerate(self.parameters)}
        self.positional = sum(not p.keyword_only for p in self.parameters)
        self.inputs = tuple(p for p in self.parameters if p.is_input)
        self.statics = tuple(p for p in self.parameters if not p.is_input)
        self.variadic = next((i for i, p in enumerate(self.parameters) if p.kind is VARIADIC), None)
        self._input_slots = tuple(i for i, p in enumerate(self.parameters) if p.is_input)
        self._static_slots = tuple((i, p.name) for i, p in enumerate(self.parameters) if not p.is_input)
        self._defaults = [p.default for p in self.parameters]
        self.plain = all(p.kind is TENSOR for p in self.inputs)
        self.live = frozenset(i for i, p in enumerate(self.inputs) if p.kind is LIVE)

    def bind(self, args: Sequence[Any], params: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the values of the input parameters in order, and the statics by name."""
        values = list(self._defaults)
        count = len(args)
        if self.variadic is not None and count > self.variadic:
            values[: self.variadic] = args[: self.variadic]
            values[self.variadic] = tuple(args[self.variadic :])
        elif count > self.positional:
            raise ArgumentTypeError(
                f"{self.name}() takes {self.positional} positional arguments but {count} were given: "
                f"{self.name}{self.python}"
            )
        else:
            values[:count] = args
        for name, value in params.items():
            slot = self.index.get(name)
            if slot is None:
                slot = self._alias(name)
            if slot < count:
                raise ArgumentTypeError(
                    f"{self.name}() got multiple values for argument '{self.parameters[slot].name}'"
                )
            values[slot] = value
        for slot, value in enumerate(values):
            if value is _MISSING:
                raise ArgumentTypeError(
                    f"{self.name}() missing required argument '{self.parameters[slot].name}' (position {slot + 1}): "
                    f"{self.name}{self.python}"
                )
        return [values[i] for i in self._input_slots], {name: values[i] for i, name in self._static_slots}

    def _alias(self, name: str) -> int:
        found = self.index.get(ALIASES.get(name, ""))
        if found is None:
            raise ArgumentTypeError(
                f"{self.name}() got an unexpected keyword argument '{name}': the call is {self.name}{self.python}"
            )
        return found
