"""The record of an op: everything that dispatch, autograd, tracing, documentation and conformance know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentTypeError
from dovetail.record.autocast import policy
from dovetail.record.signature import LIST, Signature

if TYPE_CHECKING:
    from dovetail.record.agree import Agree
    from dovetail.record.autocast import Rule
    from dovetail.record.rules import DtypeRule, ShapeRule
    from dovetail.record.samples import Samples

Canon = Callable[..., dict[str, Any]]
"""``canon(*input specs, **statics) -> statics``: negative dims, -1 in shapes and the like made canonical."""


class NoDecomposition(Exception):
    """Raised by the body of a primitive: a backend must have a kernel for it."""


class ValueCheck:
    """A mistake that only values show: ``bad(*inputs, **statics)`` is a 0-d bool tensor in public ops.

    ``error(*inputs, **statics)`` makes the exception from tensors whose values may be read.
    """

    __slots__ = ("bad", "error", "applies")

    def __init__(
        self,
        bad: Callable[..., Any],
        error: Callable[..., Exception | None],
        applies: Callable[..., bool] = lambda *specs, **statics: True,
    ) -> None:
        self.bad = bad
        self.error = error
        self.applies = applies


class GradientRule:
    """A formula for the gradient of some inputs, and the values it names."""

    __slots__ = ("function", "values", "keywords", "joint")

    def __init__(self, function: Callable[..., Any], op: Op, joint: bool) -> None:
        self.function = function
        self.joint = joint
        code = function.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount][1:]
        known_values = {name: i for i, name in enumerate([*op.input_names, *op.output_names])}
        known_words = {"specs", "needs", "outs", *(p.name for p in op.signature.statics)}
        unknown = [n for n in names if n not in known_values and n not in known_words]
        if unknown:
            raise ArgumentTypeError(
                f"a gradient rule of {op.name} names {unknown}; it may name the inputs {list(op.input_names)}, the "
                f"outputs {list(op.output_names)}, specs, outs, needs and the parameters "
                f"{[p.name for p in op.signature.statics]}"
            )
        self.values = tuple(n for n in names if n in known_values)
        self.keywords = tuple(n for n in names if n in known_words)


class Op:
    """One op. ``call`` is set when the public function is made; ``plans`` and ``lanes`` belong to dispatch."""

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        shape: ShapeRule | None,
        dtype: DtypeRule | None,
        canon: Canon | None,
        outputs: Sequence[str],
        hidden: int,
        methods: Sequence[str],
        inplace: Sequence[str],
        view: Callable[..., Any] | None,
        unview: Callable[..., Any] | None,
        nondifferentiable: str | None,
        checks: Sequence[ValueCheck],
        samples: Samples | None,
        agree: Agree | None,
        reference: Callable[..., Any] | None,
        internal: bool,
        sugar: dict[str, Callable[..., Any]],
        updates: Sequence[int] = (),
        backward_name: str | Callable[..., str] | None = None,
        operator: str | None = None,
        autocast: Rule | Mapping[str, Rule] | None = None,
    ) -> None:
        self.name = body.__name__.strip("_") if body.__name__.endswith("_") else body.__name__
        self.body = body
        self.sugar = sugar
        self.updates = tuple(updates)
        self.signature = Signature(self.name, body, leave_out=frozenset(sugar))
        self.doc = body.__doc__ or ""
        self.shape = shape
        self.dtype = dtype
        self.canon = canon
        self.output_names = tuple(outputs)
        self.hidden = hidden
        self.methods = tuple(methods)
        self.inplace = tuple(inplace)
        self.view = view
        self.unview = unview
        self.nondifferentiable = nondifferentiable
        self.checks = tuple(checks)
        self.samples = samples
        self.agree = agree
        self.reference = reference
        self.internal = internal
        self._backward_name = backward_name
        self.operator = operator
        self.autocast = policy(autocast)
        self.primitive = "NoDecomposition" in body.__code__.co_names
        self.input_names = tuple(p.name for p in self.signature.inputs)
        self.rules: dict[str, GradientRule] = {}
        self.joint: GradientRule | None = None
        self.plans: dict[Any, Any] = {}
        self.lanes: dict[Any, Any] = {}
        self.call: Callable[..., Any] = body

    @property
    def differentiable(self) -> bool:
        """Whether gradients pass through: a rule of its own, or a decomposition into ops that have one."""
        return self.nondifferentiable is None and (self.has_rule or not self.primitive)

    @property
    def has_rule(self) -> bool:
        """Whether the op has gradient formulas of its own."""
        return bool(self.rules) or self.joint is not None

    @property
    def takes_list(self) -> bool:
        """Whether an input is a list of tensors."""
        return any(p.kind == LIST for p in self.signature.inputs)

    def backward_name(self, specs: Sequence[Any], statics: dict[str, Any]) -> str:
        """What the node of a call is called: PyTorch's name where the record gives one, else made from the op's."""
        given = self._backward_name
        if given is None:
            return f"{self.name.title().replace('_', '')}Backward0"
        return given if isinstance(given, str) else given(*specs, **statics)

    def add_rules(self, rules: dict[str, Callable[..., Any]]) -> None:
        """Enter a formula per input; every name must be an input."""
        for name, function in rules.items():
            if name not in self.input_names:
                raise ArgumentTypeError(f"{self.name} has no input {name!r}, only {list(self.input_names)}")
            self.rules[name] = GradientRule(function, self, joint=False)

    def add_joint_rule(self, function: Callable[..., Any]) -> None:
        """Enter one formula that returns the gradients of all inputs in order."""
        self.joint = GradientRule(function, self, joint=True)

    def regroup(self, flat: Sequence[Any], layout: tuple[Any, ...]) -> list[Any]:
        """Turn the flat list of inputs back into arguments: ``layout`` has None for a tensor, a length for a list."""
        if not layout:
            return list(flat)
        arguments: list[Any] = []
        at = 0
        for length in layout:
            if length is None:
                arguments.append(flat[at])
                at += 1
            else:
                arguments.append(tuple(flat[at : at + length]))
                at += length
        return arguments

    def __repr__(self) -> str:
        return f"<op {self.name}>"
