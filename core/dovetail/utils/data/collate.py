"""How a list of samples becomes one batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from dovetail import dtypes, ops
from dovetail.dispatch.adopting import adopt
from dovetail.tensor.tensor import Tensor
from dovetail.utils.data.errors import CollateError, CollateKeyError, CollateTypeError


def default_collate(batch: Sequence[Any]) -> Any:
    """Return the samples of a batch put together along a new first dimension.

    Tensors and NumPy arrays are stacked; Python floats become a float64 tensor, ints int64, bools bool;
    strings and bytes stay a list; mappings, named tuples and sequences keep their form with every entry put
    together, tuples as a list. The rules are PyTorch's.

    Raises:
        CollateError: samples whose shapes or lengths differ; it names the entry, both shapes and the place
            inside the sample.
        CollateKeyError: mappings with different keys.
        CollateTypeError: a type that has no rule here; pass a ``collate_fn`` of your own.

    >>> import dovetail
    >>> default_collate([{"x": dovetail.tensor([1.0]), "y": 3}, {"x": dovetail.tensor([2.0]), "y": 4}])
    {'x': tensor([[1.],
            [2.]]), 'y': tensor([3, 4])}
    """
    if len(batch) == 0:
        raise CollateTypeError("default_collate: the batch is empty, there is nothing to put together")
    return _collate(batch, "")


def default_convert(data: Any) -> Any:
    """Return one sample with its NumPy arrays and scalars as tensors and everything else as it is.

    This is what a loader without batches does. Mappings, named tuples and sequences are gone through; a tuple
    becomes a list.

    >>> import numpy as np
    >>> default_convert((1, np.zeros(2), "a"))
    [1, tensor([0., 0.], dtype=dovetail.float64), 'a']
    """
    if isinstance(data, np.ndarray | np.generic):
        return data if _is_text(data.dtype) else to_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if _is_named_tuple(data):
        return type(data)(*(default_convert(entry) for entry in data))
    if isinstance(data, tuple):
        return [default_convert(entry) for entry in data]
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _like_sequence(data, [default_convert(entry) for entry in data])
    return data


def to_tensor(array: Any) -> Tensor:
    """Return the tensor of a NumPy array or scalar, on the default device."""
    return ops.from_numpy(np.asarray(array))


def _collate(batch: Sequence[Any], place: str) -> Any:
    first = batch[0]
    for kinds, rule in _LEAVES:
        if isinstance(first, kinds):
            return rule(batch, place)
    if isinstance(first, Mapping):
        return _collate_mappings(batch, place)
    if isinstance(first, Sequence):
        return _collate_sequences(batch, place)
    raise _no_rule(type(first), place)


# ----------------------------------------------------------------------------------------------------- leaves


def _stack(batch: Sequence[Tensor], place: str) -> Tensor:
    spec = batch[0]._spec
    if not all(type(tensor) is Tensor and tensor._spec is spec for tensor in batch):
        _same_kind(batch, Tensor, place)
        _same_shapes([tuple(tensor.shape) for tensor in batch], place)
    return ops.stack(batch)


def _stack_arrays(batch: Sequence[np.ndarray[Any, Any]], place: str) -> Any:
    first = batch[0]
    if _is_text(first.dtype):
        raise _no_rule(first.dtype, place)
    _same_kind(batch, np.ndarray, place)
    _same_shapes([array.shape for array in batch], place)
    dtype = first.dtype
    if all(array.dtype == dtype for array in batch):
        return adopt(np.array(batch, dtype))  # equal shapes: what np.stack does in more steps
    # Different element types promote by the framework's table, not by NumPy's.
    return ops.stack([to_tensor(array) for array in batch])


def _join_scalars(batch: Sequence[Any], place: str) -> Tensor:
    if _is_text(batch[0].dtype):
        raise _no_rule(type(batch[0]), place)
    return to_tensor(np.stack(batch)) if len({type(value) for value in batch}) == 1 else _join_numbers(batch, place)


def _join_floats(batch: Sequence[float], place: str) -> Tensor:
    return _join_numbers(batch, place, dtypes.float64)


_PLAIN = frozenset({int, float, bool})


def _join_numbers(batch: Sequence[Any], place: str, dtype: dtypes.dtype | None = None) -> Tensor:
    if _PLAIN.issuperset(map(type, batch)):
        return ops.tensor(list(batch), dtype=dtype)
    for entry, value in enumerate(batch):
        if not isinstance(value, int | float | np.number | np.bool_):
            raise CollateTypeError(
                f"default_collate: entry 0 is a number and entry {entry} is {type(value)}{_at(place)}"
            )
    return ops.tensor(list(batch), dtype=dtype)


def _keep(batch: Sequence[Any], place: str) -> Sequence[Any]:
    return batch


# NumPy's str_ and bytes_ are also Python's, and its float64 is also a float: the order decides.
_LEAVES: tuple[tuple[Any, Callable[[Any, str], Any]], ...] = (
    (Tensor, _stack),
    (np.ndarray, _stack_arrays),
    ((np.bool_, np.number), _join_scalars),
    (float, _join_floats),
    (int, _join_numbers),
    ((str, bytes), _keep),
)


# ------------------------------------------------------------------------------------------------- containers


def _collate_mappings(batch: Sequence[Mapping[Any, Any]], place: str) -> Any:
    first = batch[0]
    for entry, sample in enumerate(batch):
        if not isinstance(sample, Mapping):
            raise CollateTypeError(
                f"default_collate: entry 0 is a mapping and entry {entry} is {type(sample)}{_at(place)}"
            )
        absent = [key for key in first if key not in sample]
        if absent:
            raise CollateKeyError(
                f"default_collate: entry {entry} has no key {absent[0]!r}{_at(place)}: "
                f"entry 0 has the keys {list(first)}, entry {entry} has {list(sample)}"
            )
    return _like_mapping(first, {key: _collate([s[key] for s in batch], f"{place}[{key!r}]") for key in first})


def _collate_sequences(batch: Sequence[Any], place: str) -> Any:
    first = batch[0]
    kind, length = type(first), len(first)
    for entry, sample in enumerate(batch):
        if type(sample) is kind and len(sample) == length:
            continue  # as nearly always, and asking an abstract class takes ten times as long
        if not isinstance(sample, Sequence):
            raise CollateTypeError(
                f"default_collate: entry 0 is a sequence and entry {entry} is {type(sample)}{_at(place)}"
            )
        if len(sample) != len(first):
            raise CollateError(
                "each element in list of batch should be of equal size: "
                f"entry 0 has {len(first)} elements and entry {entry} has {len(sample)}{_at(place)}",
                entry,
            )
    columns = [_collate(column, f"{place}[{i}]") for i, column in enumerate(zip(*batch))]
    if _is_named_tuple(first):
        return type(first)(*columns)
    if isinstance(first, tuple):
        return columns
    return _like_sequence(first, columns)


def _like_mapping(model: Mapping[Any, Any], entries: dict[Any, Any]) -> Any:
    """Return ``entries`` in a mapping of the model's own type where one can be made, else in a dict."""
    if type(model) is dict:
        return entries
    try:
        if isinstance(model, MutableMapping):
            clone = copy.copy(model)
            clone.update(entries)
            return clone
        return type(model)(entries)  # type: ignore[call-arg]  # a mapping that cannot take one says so by TypeError
    except TypeError:
        return entries


def _like_sequence(model: Sequence[Any], entries: list[Any]) -> Any:
    """Return ``entries`` in a sequence of the model's own type where one can be made, else in a list."""
    if type(model) is list or isinstance(model, range):
        return entries
    try:
        if isinstance(model, MutableSequence):
            clone = copy.copy(model)
            for i, entry in enumerate(entries):
                clone[i] = entry
            return clone
        return type(model)(entries)  # type: ignore[call-arg]  # as above
    except TypeError:
        return entries


# ----------------------------------------------------------------------------------------------------- checks


def _same_kind(batch: Iterable[Any], kind: type, place: str) -> None:
    for entry, value in enumerate(batch):
        if not isinstance(value, kind):
            raise CollateTypeError(
                f"default_collate: entry 0 is a {kind.__name__} and entry {entry} is {type(value)}{_at(place)}"
            )


def _same_shapes(shapes: list[tuple[int, ...]], place: str) -> None:
    first = shapes[0]
    if shapes.count(first) == len(shapes):
        return
    for entry, shape in enumerate(shapes):
        if shape != first:
            raise CollateError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(shape)} "
                f"at entry {entry}{_at(place)}: pad or crop the samples, or pass a collate_fn that does",
                entry,
            )


def _no_rule(found: object, place: str) -> CollateTypeError:
    return CollateTypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {found}{_at(place)}: pass a collate_fn that knows what to do with it"
    )


def _at(place: str) -> str:
    return f" at sample{place}" if place else ""


def _is_text(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "USO"


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


__all__ = ["default_collate", "default_convert"]
