"""What a recorded call saves and how its gradient is computed, for one set of inputs that need one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dovetail.errors import AutogradError
from dovetail.tensor.node import FREED, Node, Pick
from dovetail.tensor.tensor import Tensor, new

if TYPE_CHECKING:
    from dovetail.dispatch.plan import Plan
    from dovetail.record.op import GradientRule


class Variants(dict[int, "Variant"]):
    """The variants of a plan by bit mask of the inputs that need a gradient, each made when first needed."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def __missing__(self, mask: int) -> Variant:
        variant = self[mask] = Variant(self.plan, mask)
        return variant


class Variant:
    """``save(*inputs, *outputs)`` picks the arrays that the rules name, None where they name none.

    :meth:`gradients` runs the rules.
    """

    __slots__ = ("plan", "save", "saved", "steps", "saves_output", "specs")

    def __init__(self, plan: Plan, mask: int) -> None:
        self.plan = plan
        arity = len(plan.ins)
        slots = _value_slots(plan)
        needed = [i for i in range(arity) if mask >> i & 1]
        rules = _rules_for(plan, needed)
        picked = sorted({s for rule, _ in rules for name in rule.values for s in slots[name]})
        self.save = _saver(arity + len(plan.outs), picked) if picked else None
        self.saved = tuple(picked)
        self.specs = tuple(plan.ins[s] if s < arity else plan.outs[s - arity] for s in picked)
        self.saves_output = any(s >= arity for s in picked)
        place = {slot: i for i, slot in enumerate(picked)}
        self.steps = tuple(
            (
                target,
                rule.function,
                _arguments(plan, rule, slots, place),
                _keywords(plan, rule, needed),
            )
            for rule, target in rules
        )

    def gradients(self, node: Node, g: Any, graph: bool) -> list[tuple[int, Any]]:
        """Return (input number, gradient) for every input that needs one."""
        saved = node.saved
        if saved is FREED:
            raise AutogradError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they "
                "have already been freed). Saved intermediate values of the graph are freed when you call .backward() "
                "or autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second "
                f"time or if you need to access saved tensors after calling backward. (in {node.name()})"
            )
        values: list[Any] = []
        for array, spec in zip(saved, self.specs):  # same length by construction, and it runs per node
            if spec is None:
                values.append(array)
                continue
            t = new(Tensor)
            t._data = array
            t._spec = spec
            t._alias = t._node = None
            values.append(t)
        if graph:
            self._connect(node, values)
        results: list[tuple[int, Any]] = []
        for target, function, places, keywords in self.steps:
            if not places:
                result = function(g, **keywords) if keywords else function(g)
            elif not keywords and len(places) == 1:
                place = places[0]
                result = function(g, values[place] if type(place) is int else place(values))  # type: ignore[operator]
            else:
                arguments = [values[p] if type(p) is int else p(values) for p in places]  # type: ignore[operator]
                result = function(g, *arguments, **keywords)
            if target is None:
                results += [(i, gi) for i, gi in enumerate(result) if gi is not None]
            elif result is not None:
                results.append((target, result))
        return results

    def _connect(self, node: Node, values: Sequence[Any]) -> None:
        """Give the saved values their edges: the backward pass itself is differentiated."""
        arity = len(self.plan.ins)
        for slot, value in zip(self.saved, values, strict=True):
            if isinstance(value, Tensor):
                value._node = node.edges[slot] if slot < arity else _edge_of_output(self.plan, node, slot - arity)


def _edge_of_output(plan: Plan, node: Node, output: int) -> Node | None:
    """The edge of a saved output. With several outputs a new Pick leads to the same node."""
    if not plan.graded[output]:
        return None
    return node if plan.single else Pick(node, output, len(plan.outs))


def _value_slots(plan: Plan) -> dict[str, list[int]]:
    """Where the values of each name are among the flat inputs and outputs; a list of tensors has several."""
    slots: dict[str, list[int]] = {}
    at = 0
    for name, length in zip(plan.op.input_names, plan.layout or (None,) * len(plan.op.input_names), strict=True):
        count = 1 if length is None else length
        slots[name] = list(range(at, at + count))
        at += count
    for i, name in enumerate(plan.op.output_names):
        slots[name] = [len(plan.ins) + i]
    return slots


def _rules_for(plan: Plan, needed: Sequence[int]) -> list[tuple[GradientRule, int | None]]:
    op = plan.op
    if op.joint is not None:
        return [(op.joint, None)]
    names = _flat_names(plan)
    rules: list[tuple[GradientRule, int | None]] = []
    for i in needed:
        rule = op.rules.get(names[i])
        if rule is not None:
            rules.append((rule, i))
    return rules


def _flat_names(plan: Plan) -> list[str]:
    if not plan.layout:
        return list(plan.op.input_names)
    names: list[str] = []
    for name, length in zip(plan.op.input_names, plan.layout, strict=True):
        names += [name] * (1 if length is None else length)
    return names


def _arguments(
    plan: Plan, rule: GradientRule, slots: dict[str, list[int]], place: dict[int, int]
) -> tuple[int | Callable[[Sequence[Any]], Any], ...]:
    listed = {n for n, length in zip(plan.op.input_names, plan.layout, strict=False) if length is not None}
    found: list[int | Callable[[Sequence[Any]], Any]] = []
    for name in rule.values:
        places = [place[s] for s in slots[name]]
        found.append(_gather(places) if name in listed else places[0])
    return tuple(found)


def _gather(places: list[int]) -> Callable[[Sequence[Any]], Any]:
    return lambda values: tuple(values[p] for p in places)


def _keywords(plan: Plan, rule: GradientRule, needed: Sequence[int]) -> dict[str, Any]:
    special = {"specs": plan.ins, "outs": plan.outs, "needs": tuple(i in needed for i in range(len(plan.ins)))}
    return {n: special[n] if n in special else plan.statics[n] for n in rule.keywords}


_savers: dict[tuple[int, tuple[int, ...]], Callable[..., tuple[Any, ...]]] = {}


def _saver(count: int, picked: Sequence[int]) -> Callable[..., tuple[Any, ...]]:
    """A function of all inputs and outputs that returns the picked ones, written out because it runs on every call."""
    key = (count, tuple(picked))
    if key not in _savers:
        names = [f"v{i}" for i in range(count)]
        body = "".join(f"v{i}, " for i in picked)
        _savers[key] = eval(f"lambda {', '.join(names)}: ({body})")  # only our own numbers are in it
    return _savers[key]
