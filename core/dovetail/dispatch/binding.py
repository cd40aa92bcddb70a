"""From the arguments of a call to its plan: parameters bound, operands lifted, lists laid out, the key looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dovetail.dispatch.constants import lift
from dovetail.dispatch.plan import Plan, lookup
from dovetail.errors import ArgumentTypeError
from dovetail.record.signature import LIST, TENSOR
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.record.op import Op
    from dovetail.tensor.spec import Spec


def prepare(op: Op, args: Sequence[Any], params: Mapping[str, Any]) -> tuple[Plan, list[Any]]:
    """Bind the arguments and find the plan."""
    grouped, statics = op.signature.bind(args, params)
    for parameter, value in zip(op.signature.inputs, grouped):
        if value is None and parameter.kind is TENSOR:
            raise ArgumentTypeError(
                f"{op.name}(): argument '{parameter.name}' must be Tensor, not NoneType (an op without a result, such "
                "as a function that forgot its `return`?)"
            )
    layout, flat = flatten(op, grouped)
    live = op.signature.live
    plain = any(not isinstance(x, Tensor) and x is not None and i not in live for i, x in enumerate(flat))
    if plain or all(x is None for x in flat):
        flat = lift(op, flat)
    specs = [x._spec if isinstance(x, Tensor) else None for x in flat]
    return lookup(op, key_of(op, specs, layout, statics), specs, layout, statics), flat


def flatten(op: Op, grouped: list[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """Put the tensors of list inputs in one row with the others, and say how many each list had."""
    if not op.takes_list:
        return (), grouped
    layout: list[int | None] = []
    flat: list[Any] = []
    for parameter, value in zip(op.signature.inputs, grouped, strict=True):
        if parameter.kind == LIST:
            items = list(value)
            layout.append(len(items))
            flat += items
        else:
            layout.append(None)
            flat.append(value)
    return tuple(layout), flat


def key_of(op: Op, specs: Sequence[Spec | None], layout: tuple[Any, ...], statics: Mapping[str, Any]) -> Any:
    """The plan's key: the bare specs where there is nothing else, as the hot paths look them up."""
    if not statics and not layout:
        if len(specs) == 1:
            return specs[0]
        if len(specs) == 2 and specs[0] is specs[1]:
            return specs[0]
        return tuple(specs)
    return (*specs, layout, tuple(freeze(v) for v in statics.values()))


def freeze(value: Any) -> Any:
    """Make a parameter part of a key: lists hashable, and numbers distinct from others that are equal to them."""
    kind = type(value)
    if kind is float:
        return (kind, value if value else repr(value))
    if kind is bool:
        return (kind, value)
    if isinstance(value, list | tuple):
        return tuple(freeze(v) for v in value)
    if isinstance(value, Tensor):
        raise ArgumentTypeError(
            f"a parameter of this op is a plain number or a list of them, not a tensor of shape {list(value.shape)}: "
            "read it with .item() or .tolist()"
        )
    return value
