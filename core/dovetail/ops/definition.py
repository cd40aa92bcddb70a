"""``@op``: one decorated, typed function is an op, and everything else reads its record.

The signature divides the parameters into tensors and statics, the body is the decomposition (a primitive raises
:class:`NoDecomposition`: every backend needs a kernel), and the arguments of the decorator are the rules.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast

from dovetail.dispatch.autocast import adapted, suspended
from dovetail.dispatch.forms import functions_of
from dovetail.dispatch.inplace import inplace_of
from dovetail.dispatch.state import state
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.record import registry
from dovetail.record.autocast import policy
from dovetail.record.op import Canon, NoDecomposition, Op, ValueCheck
from dovetail.record.signature import ALIASES, Live, Signature
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.record.agree import Agree
    from dovetail.record.autocast import Autocast, Rule
    from dovetail.record.rules import DtypeRule, ShapeRule
    from dovetail.record.samples import Samples

__all__ = [
    "Live",
    "NoDecomposition",
    "Number",
    "OpFunction",
    "ValueCheck",
    "bind",
    "front",
    "op",
    "property_of",
    "titled",
]

P = ParamSpec("P")
R = TypeVar("R")
Number = int | float | bool
VARKEYWORDS = 0x08
"""The flag of a code object that takes ``**params`` (inspect.CO_VARKEYWORDS)."""

bound: Final[dict[str, str]] = {}
"""Everything that has been bound to Tensor, and the module that asked for it."""


class OpFunction(Generic[P, R]):
    """How type checkers see an op: a function with its own signature, a ``record``, and a way to give gradients.

    At run time it is the plain function of the hot path.
    """

    record: Op
    __name__: str

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the op."""
        raise NotImplementedError

    def vjp(self, *joint: Callable[..., Any], **rules: Callable[..., Any]) -> Any:
        """Give the gradient: ``mul.vjp(input=lambda g, other: g * other, ...)``, or decorate one joint formula.

        A formula's first parameter is the gradient of the result; every further one names an input, an output, a
        parameter of the op, ``specs``, ``outs`` or ``needs``. Only what it names is saved.
        """
        raise NotImplementedError


def op(
    *,
    shape: ShapeRule | None = None,
    dtype: DtypeRule | None = None,
    canon: Canon | None = None,
    outputs: Sequence[str] = ("out",),
    hidden: int = 0,
    method: bool | Sequence[str] = False,
    inplace: bool = False,
    operator: str | None = None,
    view: Callable[..., Any] | None = None,
    unview: Callable[..., Any] | None = None,
    nondifferentiable: str | None = None,
    checks: Sequence[ValueCheck] = (),
    samples: Samples | None = None,
    agree: Agree | None = None,
    reference: Callable[..., Any] | None = None,
    internal: bool = False,
    sugar: dict[str, Callable[..., Any]] | None = None,
    updates: Sequence[int] = (),
    backward_name: str | Callable[..., str] | None = None,
    autocast: Rule | Mapping[str, Rule] | None = None,
) -> Callable[[Callable[P, R]], OpFunction[P, R]]:
    """Make an op of a function.

    ``shape`` and ``dtype`` are rules over the input specs (a derived op without them is whatever its body gives),
    ``canon`` makes parameters canonical. ``hidden`` counts trailing outputs that only the gradient sees. ``method``
    binds the op to Tensor (True: under its own name), ``inplace`` adds the form with an underscore, ``operator``
    binds ``__add__`` and its reflected and in-place forms. ``view`` computes strides and marks the result as an alias
    of the first input; ``unview`` puts a new value of the view back. ``nondifferentiable`` says why no gradient
    exists. ``sugar`` maps keywords that only abbreviate other ops (``add(x, y, alpha=2)``) to functions that take
    them; kernels never see these. ``updates`` numbers the inputs that the results are new values of, in order: a
    kernel that takes ``out=`` may write into them. ``internal`` keeps the op out of the public namespace.
    ``backward_name`` is what
    PyTorch calls the node in ``grad_fn`` where that is not the op's own name in capitals: a text, or a function of the
    input specs and parameters. ``autocast`` is the rule that converts inputs in an autocast block (record/autocast.py).
    ``samples``, ``agree`` and ``reference`` are what conformance draws, demands and
    compares
    with.
    """

    def decorate(body: Callable[P, R]) -> OpFunction[P, R]:
        if (shape is None) != (dtype is None):
            raise ArgumentError(f"{body.__name__}: give both shape= and dtype=, or neither")
        name = body.__name__
        methods = (name,) if method is True else tuple(method or ())
        record = Op(
            body,
            shape=shape,
            dtype=dtype,
            canon=canon,
            outputs=outputs,
            hidden=hidden,
            methods=methods,
            inplace=(f"{name}_",) if inplace else (),
            view=view,
            unview=unview,
            nondifferentiable=nondifferentiable,
            checks=checks,
            samples=samples,
            agree=agree,
            reference=reference,
            internal=internal,
            sugar=dict(sugar or {}),
            updates=updates,
            backward_name=backward_name,
            operator=operator,
            autocast=autocast,
        )
        if shape is None and record.primitive:
            raise ArgumentError(f"{name}: a primitive needs shape= and dtype= rules")
        registry.add(record)
        function, bare = functions_of(record)
        record.call = function
        functools.update_wrapper(function, body)
        function.record = record  # type: ignore[attr-defined]  # the function is seen as an OpFunction
        function.vjp = functools.partial(_vjp, record)  # type: ignore[attr-defined]
        _bind(record, function, bare)
        return cast("OpFunction[P, R]", function)

    return decorate


def _vjp(record: Op, *joint: Callable[..., Any], **rules: Callable[..., Any]) -> Any:
    if joint:
        record.add_joint_rule(joint[0])
        return joint[0]
    record.add_rules(rules)
    return None


def _bind(record: Op, function: Callable[..., Any], bare: Callable[..., Any]) -> None:
    """Bind the methods and operators to Tensor."""
    home = record.body.__module__
    for name in record.methods:
        bind(name, bare if name.startswith("__") else function, home)
    written = None
    for name in record.inplace:
        written = inplace_of(record)
        written.__name__, written.__doc__ = name, f"In-place form of ``{record.name}``."
        bind(name, written, home)
    operator = record.operator
    if operator is None:
        return
    bind(f"__{operator}__", bare, home)
    if len(record.signature.inputs) == 2:
        bind(f"__r{operator}__", lambda self, other: bare(other, self), home)
        if written is not None:
            bind(f"__i{operator}__", written, home)


def front(
    *,
    method: bool | Sequence[str] = False,
    public: bool = True,
    autocast: Rule | Mapping[str, Rule] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a public function that only chooses between ops by the form of the call, and bind it to Tensor.

    With ``public=False`` it is a method only; names that end in an underscore always are. ``autocast`` is for the few
    whose rule is not that of the ops they lead to.
    """
    rules = policy(autocast)
    home = sys._getframe(1).f_globals["__name__"]

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        name = function.__name__
        methods = (name,) if method is True else tuple(method or ())
        outward = aliased(function) if rules is None else converting(aliased(function), rules)
        registry.add_front(registry.Front(name, outward, methods, public and not name.endswith("_"), rules, home))
        for each in methods:
            bind(each, outward, home)
        return function

    return decorate


def converting(function: Callable[P, R], rules: Autocast) -> Callable[P, R]:
    """Let a front convert its inputs as autocast wants them."""

    @functools.wraps(function)
    def outward(*args: P.args, **params: P.kwargs) -> R:
        if state.special and (cast := adapted(outward.__name__, rules, args, params)):
            return suspended(lambda: function(*cast[0], **cast[1]))  # type: ignore[no-any-return]  # what it returns
        return function(*args, **params)

    return outward


def aliased(function: Callable[P, R]) -> Callable[P, R]:
    """Let a front that has a dimension accept NumPy's words for it; ops do so by their signatures.

    Inside the framework the function itself is called, which costs less.
    """
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    if code.co_flags & VARKEYWORDS or not any(meant in names for meant in ("dim", "dims", "keepdim")):
        return function
    words = {alias: meant for alias, meant in ALIASES.items() if meant in names and alias not in names}

    @functools.wraps(function)
    def outward(*args: P.args, **params: P.kwargs) -> R:
        if params:
            renamed: Any = {words.get(name, name): value for name, value in params.items()}
            unknown = [name for name in params if words.get(name, name) not in names]
            if unknown or len(renamed) < len(params):
                raise ArgumentTypeError(_mistaken(function, unknown, params))
            return function(*args, **renamed)
        return function(*args)  # type: ignore[call-arg]  # P has no keywords here

    return outward


def _mistaken(function: Callable[..., Any], unknown: Sequence[str], params: Any) -> str:
    name = function.__name__
    call = Signature(name, function).call
    if unknown:
        return f"{name}() got an unexpected keyword argument '{unknown[0]}': the call is {call}"
    return f"{name}() got two words for the same argument among {', '.join(params)}: the call is {call}"


def titled(made: Tensor, name: str) -> Tensor:
    """Give the node that a front has just made the name that PyTorch prints for it."""
    if made._node is not None:
        made._node.title = name
    return made


def bind(name: str, method: Any, home: str | None = None) -> None:
    """Bind a further method to Tensor: a reflected operator, or another name of an op."""
    bound[name] = sys._getframe(1).f_globals["__name__"] if home is None else home
    setattr(Tensor, name, method)


def _unbind(removed: Op | registry.Front) -> None:
    """Take the methods of an op that exists no longer from Tensor."""
    names = list(removed.methods)
    if isinstance(removed, Op):
        names += removed.inplace
        if removed.operator is not None:
            names += [f"__{prefix}{removed.operator}__" for prefix in ("", "r", "i")]
    for name in names:
        if name in vars(Tensor):
            delattr(Tensor, name)


registry.on_removal(_unbind)


def property_of(
    name: str, getter: Callable[[Tensor], Any], setter: Callable[[Tensor, Any], None] | None = None
) -> None:
    """Bind a computed attribute to Tensor."""
    bind(name, property(getter, setter), getter.__module__)
