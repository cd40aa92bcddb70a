"""Nested Python data as plain JSON, and back.

What JSON has stands for itself: null, true, false, strings, finite numbers that survive. Everything else is
an object with one key that says what it is; ``docs/file_format.md`` has the table. Tensors and arrays are
numbers here; their description and their bytes are elsewhere in the file.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.contract.device import Device
from dovetail.saving.errors import SavedFileError, UnsavableError
from dovetail.tensor.spec import Size

MAX_DEPTH: Final = 100
"""Containers inside each other; more is a mistake or a hostile file."""
SAFE_INTEGER: Final = 2**53
"""Above this an integer is written as text, because JSON readers may take it for a float."""

Node = Any
"""What the JSON reader gives."""


# --------------------------------------------------------------------------------------------------- encoding


class Encoder:
    """Turns an object into JSON; ``leaf(value, path)`` returns the node of a tensor or array, else None."""

    def __init__(self, leaf: Callable[[Any, str], Node | None]) -> None:
        self.leaf = leaf
        self.open: list[Any] = []
        """The containers around the one that is being encoded."""

    def encode(self, value: Any, path: str) -> Node:
        """Return the node of a value.

        Raises:
            UnsavableError: a type without a form in the file, a container that holds itself, or too many
                levels; it names the path.
        """
        if value is None or type(value) in (bool, str):
            return value
        scalar = _SCALARS.get(type(value))
        if scalar is not None:
            return scalar(value)
        if isinstance(value, np.generic):
            return _scalar_node(value, path)
        node = self.leaf(value, path)
        if node is not None:
            return node
        container = _CONTAINERS.get(type(value))
        if container is None:
            raise UnsavableError(_no_form(value, path))
        self._enter(value, path)
        try:
            return container(self, value, path)
        finally:
            self.open.pop()

    def _enter(self, value: Any, path: str) -> None:
        if any(value is other for other in self.open):
            raise UnsavableError(f"{path} contains itself, which a file cannot")
        if len(self.open) >= MAX_DEPTH:
            raise UnsavableError(f"{path} is more than {MAX_DEPTH} levels deep")
        self.open.append(value)

    def entries(self, value: Any, path: str) -> list[Node]:
        """Return the nodes of a sequence."""
        return [self.encode(entry, f"{path}[{i}]") for i, entry in enumerate(value)]

    def pairs(self, value: dict[Any, Any], path: str) -> list[Node]:
        """Return the nodes of keys and values, in the order of the dict."""
        return [[self._key(key, path), self.encode(entry, f"{path}[{key!r}]")] for key, entry in value.items()]

    def _key(self, key: Any, path: str) -> Node:
        if not _is_key(key):
            raise UnsavableError(
                f"{path} has a key of type {type(key).__name__}: keys are str, int, float, bool, None, "
                "bytes, dtypes, devices, or tuples of them"
            )
        return self.encode(key, f"the key {key!r} of {path}")


def _is_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(_is_key(part) for part in key)
    return key is None or type(key) in (bool, str) or type(key) in _SCALARS


def _int(value: int) -> Node:
    return value if abs(value) <= SAFE_INTEGER else {"int": hex(value)}


def _float(value: float) -> Node:
    if math.isfinite(value):
        return value
    return {"float": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}


def _ordered(encoder: Encoder, value: OrderedDict[Any, Any], path: str) -> Node:
    node: dict[str, Node] = {"ordered_dict": encoder.pairs(value, path)}
    # A module's state dict carries the versions of its modules in this attribute.
    if hasattr(value, "_metadata"):
        node["metadata"] = encoder.encode(value._metadata, f"{path}._metadata")
    return node


_SCALARS: Final[dict[type, Callable[[Any], Node]]] = {
    int: _int,
    float: _float,
    complex: lambda value: {"complex": [_float(value.real), _float(value.imag)]},
    bytes: lambda value: {"bytes": value.hex()},
    dtypes.dtype: lambda value: {"dtype": value.name},
    Device: lambda value: {"device": str(value)},
}

_CONTAINERS: Final[dict[type, Callable[[Encoder, Any, str], Node]]] = {
    list: lambda encoder, value, path: {"list": encoder.entries(value, path)},
    tuple: lambda encoder, value, path: {"tuple": encoder.entries(value, path)},
    Size: lambda encoder, value, path: {"size": encoder.entries(value, path)},
    dict: lambda encoder, value, path: {"dict": encoder.pairs(value, path)},
    OrderedDict: _ordered,
    Counter: lambda encoder, value, path: {"counter": encoder.pairs(value, path)},
}


def _no_form(value: Any, path: str) -> str:
    cls = type(value)
    hint = ""
    if hasattr(value, "state_dict"):
        hint = f": save {path}.state_dict() instead"
    elif hasattr(value, "get_state"):
        hint = f": save {path}.get_state() instead"
    elif callable(value):
        hint = ": functions and classes are code, and a file holds none"
    return (
        f"{path} is a {cls.__module__}.{cls.__qualname__}, which cannot be saved{hint}. A file holds dicts, "
        "lists, tuples, strings, bytes, numbers, None, tensors, parameters, dtypes, devices and NumPy arrays."
    )


def _scalar_node(value: np.generic, path: str) -> Node:
    try:
        name = dtypes.from_host(value.dtype).name
    except TypeError:
        raise UnsavableError(f"{path} is a NumPy scalar of type {value.dtype}, which has no form in a file") from None
    little = np.asarray(value).astype(value.dtype.newbyteorder("<"))
    return {"scalar": [name, little.tobytes().hex()]}


# --------------------------------------------------------------------------------------------------- decoding


class Decoder:
    """Turns JSON back into objects; ``leaf`` makes the tensor or array of a number.

    Run once with a ``leaf`` that makes nothing, it checks a description before anything is built.
    """

    def __init__(self, leaf: Callable[[int], Any], error: Callable[[str], SavedFileError]) -> None:
        self.leaf = leaf
        self.error = error
        self.depth = 0

    def decode(self, node: Node) -> Any:
        """Return the object of a node; SavedFileError for anything that the format does not have."""
        if node is None or isinstance(node, bool | str | int | float):
            return node
        if not isinstance(node, dict) or not node:
            raise self.error(f"has a description that is not of this format: {_short(node)}")
        kind, content = next(iter(node.items()))
        rule = _RULES.get(kind)
        if rule is None or (len(node) > 1 and list(node) != ["ordered_dict", "metadata"]):
            raise self.error(f"holds something of an unknown kind: {_short(node)}")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"is nested more than {MAX_DEPTH} levels deep")
        try:
            value = rule(self, content)
            if "metadata" in node:
                value._metadata = self.decode(node["metadata"])
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self.error(f"has a broken {kind}: {_short(content)} ({error})") from error
        self.depth -= 1
        return value

    def entries(self, content: Node) -> list[Any]:
        """Return the objects of a list of nodes."""
        if not isinstance(content, list):
            raise TypeError("a list is needed")
        return [self.decode(node) for node in content]

    def pairs(self, content: Node) -> list[tuple[Any, Any]]:
        """Return the keys and values of a list of pairs of nodes."""
        if not isinstance(content, list):
            raise TypeError("a list of pairs is needed")
        found: list[tuple[Any, Any]] = []
        seen: set[Any] = set()
        for pair in content:
            if not isinstance(pair, list) or len(pair) != 2:
                raise TypeError("pairs of a key and a value are needed")
            key = self.decode(pair[0])
            if not _is_key(key):
                raise TypeError(f"a key of type {type(key).__name__}")
            if key in seen:
                raise ValueError(f"the key {key!r} twice")
            seen.add(key)
            found.append((key, self.decode(pair[1])))
        return found


def _text(content: Node) -> str:
    if not isinstance(content, str):
        raise TypeError("text is needed")
    return content


def _special_float(content: Node) -> float:
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[_text(content)]


def _complex(decoder: Decoder, content: Node) -> complex:
    real, imag = decoder.entries(content)
    return complex(real, imag)


def _scalar(decoder: Decoder, content: Node) -> Any:
    name, data = content
    values = np.frombuffer(bytes.fromhex(_text(data)), dtypes.by_name(_text(name)).host.newbyteorder("<"))
    if values.shape != (1,):
        raise ValueError("one number is needed")
    return values[0]


def _device(content: Node) -> Device:
    backend, kind, index = _text(content).split(":")
    return Device.of(backend, kind, int(index))


def _tensor(decoder: Decoder, content: Node) -> Any:
    if not isinstance(content, int) or isinstance(content, bool):
        raise TypeError("a number is needed")
    return decoder.leaf(content)


def _size(decoder: Decoder, content: Node) -> Size:
    sizes = decoder.entries(content)
    if any(type(size) is not int for size in sizes):
        raise TypeError("sizes are ints")
    return Size(sizes)


_RULES: Final[dict[str, Callable[[Decoder, Node], Any]]] = {
    "int": lambda decoder, content: int(_text(content), 16),
    "float": lambda decoder, content: _special_float(content),
    "complex": _complex,
    "bytes": lambda decoder, content: bytes.fromhex(_text(content)),
    "dtype": lambda decoder, content: dtypes.by_name(_text(content)),
    "device": lambda decoder, content: _device(content),
    "scalar": _scalar,
    "list": lambda decoder, content: decoder.entries(content),
    "tuple": lambda decoder, content: tuple(decoder.entries(content)),
    "size": _size,
    "dict": lambda decoder, content: dict(decoder.pairs(content)),
    "ordered_dict": lambda decoder, content: OrderedDict(decoder.pairs(content)),
    "counter": lambda decoder, content: Counter(dict(decoder.pairs(content))),
    "tensor": _tensor,
}


def _short(node: Node) -> str:
    text = repr(node)
    return text if len(text) <= 80 else f"{text[:77]}..."
