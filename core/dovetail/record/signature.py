"""How the parameters of an op are divided into tensors and statics, read off its Python signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from dovetail.errors import ArgumentTypeError

if TYPE_CHECKING:
    import inspect

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

MISSING: Final[Any] = object()
"""The default of a parameter without one."""

VARARGS: Final = 0x04
"""The flag of a code object that takes ``*args`` (inspect.CO_VARARGS)."""


class Parameter:
    """One parameter of an op: what it is and its default."""

    __slots__ = ("name", "kind", "default", "keyword_only", "is_input")

    def __init__(self, name: str, kind: str, default: Any, keyword_only: bool) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.keyword_only = keyword_only
        self.is_input = kind in (TENSOR, OPTIONAL, LIST, LIVE)
        """Whether it carries tensors, or numbers that change from call to call like them."""


def _kind(annotation: str) -> str:
    annotation = annotation.replace(" ", "")
    if annotation == "Live":
        return LIVE
    if "Sequence[Tensor" in annotation:
        return LIST
    if annotation.startswith("Tensor"):
        return OPTIONAL if annotation.endswith("|None") else TENSOR
    return STATIC


def _read(fn: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a plain function, read off its code: ``inspect`` takes ten times as long, at every import."""
    code = fn.__code__
    names = code.co_varnames
    positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
    defaults = fn.__defaults__ or ()
    first_default = positional - len(defaults)
    keyword_defaults = fn.__kwdefaults__ or {}
    notes = fn.__annotations__
    found = [
        _parameter(name, notes, defaults[i - first_default] if i >= first_default else MISSING, keyword_only=False)
        for i, name in enumerate(names[:positional])
    ]
    if code.co_flags & VARARGS:
        found.append(Parameter(names[positional + keyword_only], VARIADIC, (), keyword_only=False))
    found += [
        _parameter(name, notes, keyword_defaults.get(name, MISSING), keyword_only=True)
        for name in names[positional : positional + keyword_only]
    ]
    return found


def _parameter(name: str, notes: Mapping[str, Any], default: Any, *, keyword_only: bool) -> Parameter:
    return Parameter(name, _kind(str(notes.get(name, ""))), default, keyword_only)


class _Said(str):
    """An annotation that prints as it was written."""

    __slots__ = ()

    __repr__ = str.__str__


class Signature:
    """The parameters of an op in order, and how a call is bound to them."""

    def __init__(self, name: str, fn: Callable[..., Any], leave_out: frozenset[str] = frozenset()) -> None:
        self.name = name
        self._function = fn
        self.parameters = tuple(p for p in _read(fn) if p.name not in leave_out)
        self.annotations: dict[str, str] = {name: str(note) for name, note in fn.__annotations__.items()}
        self.index: dict[str, int] = {}
        self.variadic: int | None = None
        inputs: list[Parameter] = []
        statics: list[Parameter] = []
        input_slots: list[int] = []
        static_slots: list[tuple[int, str]] = []
        for i, p in enumerate(self.parameters):
            self.index[p.name] = i
            if p.is_input:
                inputs.append(p)
                input_slots.append(i)
            else:
                statics.append(p)
                static_slots.append((i, p.name))
                if p.kind is VARIADIC:
                    self.variadic = i
        self.inputs, self.statics = tuple(inputs), tuple(statics)
        self._input_slots, self._static_slots = tuple(input_slots), tuple(static_slots)
        self.positional = sum(not p.keyword_only for p in self.parameters)
        self._defaults = [p.default for p in self.parameters]
        self.live = frozenset(i for i, p in enumerate(inputs) if p.kind is LIVE)

    @property
    def python(self) -> inspect.Signature:
        """The signature as Python prints it, for messages and documentation."""
        import inspect  # slow to load, and only asked for when something is said about the op

        return inspect.signature(self._function)

    @property
    def call(self) -> str:
        """The signature as a message shows it: annotations without quotation marks."""
        plain = self.python
        parameters = [p.replace(annotation=_Said(p.annotation)) for p in plain.parameters.values()]
        said = plain.replace(parameters=parameters, return_annotation=_Said(plain.return_annotation))
        return f"{self.name}{said}"

    def bind(self, args: Sequence[Any], params: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the values of the input parameters in order, and the statics by name."""
        values = list(self._defaults)
        count = len(args)
        if self.variadic is not None and count > self.variadic:
            values[: self.variadic] = args[: self.variadic]
            values[self.variadic] = tuple(args[self.variadic :])
        elif count > self.positional:
            raise ArgumentTypeError(
                f"{self.name}() takes {self.positional} positional arguments but {count} were given: {self.call}"
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
            if value is MISSING:
                raise ArgumentTypeError(
                    f"{self.name}() missing required argument '{self.parameters[slot].name}' (position {slot + 1}): "
                    f"{self.call}"
                )
        return [values[i] for i in self._input_slots], {name: values[i] for i, name in self._static_slots}

    def _alias(self, name: str) -> int:
        found = self.index.get(ALIASES.get(name, ""))
        if found is None:
            raise ArgumentTypeError(
                f"{self.name}() got an unexpected keyword argument '{name}': the call is {self.call}"
            )
        return found
