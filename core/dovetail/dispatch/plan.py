"""A plan: everything about a call that depends only on its input specs and parameters, worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from dovetail import dtypes, settings
from dovetail.contract import discovery
from dovetail.contract.device import Device
from dovetail.contract.kernels import Call
from dovetail.dispatch import state
from dovetail.dispatch.fallback import host_kernel
from dovetail.dispatch.variant import Variants
from dovetail.errors import DeviceError, EmptyListError, UnsupportedError
from dovetail.record import registry
from dovetail.record.signature import LIST
from dovetail.tensor.spec import Spec, spec

if TYPE_CHECKING:
    from dovetail.record.op import Op, ValueCheck

NEVER: Final = 0
WHEN_RECORDING: Final = 1
ALWAYS: Final = 2
"""When a call runs the decomposition of its op instead of a kernel."""

COMPILED: Final = "compiled decomposition"
"""Where a kernel comes from that the backend has compiled from an op's decomposition."""

MAX_PLANS: Final = 4096
"""Plans per op before the table is emptied: ever-new shapes must not grow it without end."""

UNDIFFERENTIABLE: Final = (dtypes.BOOL, dtypes.INTEGER)


class Plan:
    """One op bound to one combination of input specs and parameters."""

    __slots__ = (
        "op", "ins", "out", "outs", "layout", "statics", "casts", "hot", "kernel", "_out_kernel", "variants", "ruled",
        "differentiable", "decompose", "checks", "single", "graded", "visible", "backward_name", "device", "call",
        "origin", "left", "right", "both", "layouts", "quick", "no_edges",
    )  # fmt: skip

    op: Op
    ins: tuple[Spec | None, ...]
    out: Spec
    outs: tuple[Spec, ...]
    layout: tuple[Any, ...]
    statics: dict[str, Any]
    casts: tuple[tuple[int, Spec], ...]
    hot: Callable[..., Any] | None
    """The kernel for the hot paths, None where a call needs more than a kernel."""
    kernel: Callable[..., Any]
    _out_kernel: Callable[..., Any] | None
    variants: Variants
    differentiable: bool
    decompose: int
    checks: tuple[ValueCheck, ...]
    ruled: bool
    """Whether a decomposition is one node of the graph: the op has gradient formulas of its own."""
    single: bool
    graded: tuple[bool, ...]
    visible: int
    backward_name: str
    device: Device
    call: Call
    origin: str
    layouts: dict[Any, Any]
    """For a view op: the strides of the result by those of the input."""
    no_edges: tuple[None, ...]
    """The edges of a view op's live positions, which have none."""
    quick: bool
    """Whether a view op's shortcut may run the plan: no casts, no checks, a kernel."""
    left: Any
    right: Any
    both: Any
    """The variants of one and two inputs, where the hot paths find them without a look-up; None until made."""

    def variant(self, mask: int) -> Any:
        """Make a variant for the hot paths: 1 for the first input alone, 2 for the second, 3 for both."""
        made = self.variants[mask]
        if mask == 1:
            self.left = made
        elif mask == 2:
            self.right = made
        else:
            self.both = made
        return made

    @property
    def out_kernel(self) -> Callable[..., Any] | None:
        """The kernel as a function that takes ``out=``, None without one."""
        try:
            return self._out_kernel
        except AttributeError:
            runtime = self.device.runtime
            usable = runtime.writes_in_place and self.origin == "kernel"
            self._out_kernel = runtime.bind_out(self.op.name, self.call) if usable else None
            return self._out_kernel

    def __repr__(self) -> str:
        return f"<plan {self.op.name}({', '.join(map(str, self.ins))}) -> {', '.join(map(str, self.outs))}>"


def lookup(op: Op, key: Any, specs: Sequence[Spec | None], layout: tuple[Any, ...], statics: dict[str, Any]) -> Plan:
    """Return the plan for the key, made now if there is none."""
    plan = op.plans.get(key)
    if plan is None:
        plan = make(op, specs, layout, statics)
        remember(op, key, plan)
    return plan


def remember(op: Op, key: Any, plan: Any) -> None:
    """Enter a plan (with what goes with it) under a key, emptying a table that has grown too large."""
    if len(op.plans) >= MAX_PLANS:
        op.plans.clear()
    op.plans[key] = plan


def forget_all() -> None:
    """Drop every plan: a setting or a backend that they were made under has changed."""
    for op in registry.imported_ops():
        op.plans.clear()
        op.lanes.clear()


settings.on_change(forget_all)
discovery.on_change(forget_all)
discovery.take_observer = state.add_observer


def make(op: Op, specs: Sequence[Spec | None], layout: tuple[Any, ...], statics: dict[str, Any]) -> Plan:
    """Apply the op's rules to the specs and bind a kernel."""
    plan = Plan()
    plan.op = op
    plan.layout = layout
    plan.device = common_device(op, specs)
    _refuse_complex(op, specs)
    moved = [s.with_device(plan.device) if s is not None else None for s in specs]
    grouped = op.regroup(moved, layout)
    plan.statics = op.canon(*grouped, **statics) if op.canon is not None else statics
    if op.shape is None:
        _derive(plan, moved)
    else:
        _apply_rules(plan, moved, grouped)
    plan.casts = tuple(
        (i, new) for i, (old, new) in enumerate(zip(specs, plan.ins, strict=True)) if new is not None and new is not old
    )
    plan.call = Call(plan.ins, plan.outs, plan.statics, plan.device, layout)  # type: ignore[arg-type]  # None: absent
    plan.single = sum(plan.graded) == 1 and plan.graded[0]
    plan.differentiable = op.differentiable and any(plan.graded)
    plan.backward_name = op.backward_name(grouped, plan.statics)
    plan.variants = Variants(plan)
    plan.left = plan.right = plan.both = None
    _bind(plan)
    native = plan.origin == "kernel" and op.name in plan.device.runtime.native_checks
    plan.checks = () if native else tuple(c for c in op.checks if c.applies(*grouped, **plan.statics))
    plan.layouts = {}
    plan.no_edges = (None,) * len(op.signature.live)
    plan.quick = not (plan.casts or plan.checks or plan.decompose or len(plan.outs) > 1)
    plan.hot = plan.kernel if plan.quick and op.view is None else None
    return plan


def _apply_rules(plan: Plan, specs: Sequence[Spec | None], grouped: Sequence[Any]) -> None:
    op = plan.op
    assert op.shape is not None, "checked when the op was defined"
    assert op.dtype is not None, "checked when the op was defined"
    shapes = op.shape(*grouped, **plan.statics)
    answer = op.dtype(specs, plan.statics)
    asked = plan.statics.get("device")
    device = asked if isinstance(asked, Device) else plan.device
    plan.ins = tuple(
        s if s is None or want is None else s.with_dtype(want) for s, want in zip(specs, answer.inputs, strict=True)
    )
    several = isinstance(shapes, list)
    shapes = shapes if several else [shapes]
    kinds = list(answer.outputs) if len(answer.outputs) == len(shapes) else list(answer.outputs) * len(shapes)
    plan.outs = tuple(spec(shape, kind, device) for shape, kind in zip(shapes, kinds, strict=True))
    _count_outputs(plan)


def _derive(plan: Plan, specs: Sequence[Spec | None]) -> None:
    """An op without rules is its decomposition; its specs are whatever that gives."""
    plan.ins = tuple(specs)
    plan.outs = ()
    plan.out = None  # type: ignore[assignment]  # never read: the plan decomposes
    plan.graded = ()
    plan.visible = 1


def _count_outputs(plan: Plan) -> None:
    plan.out = plan.outs[0]
    plan.visible = len(plan.outs) - plan.op.hidden
    plan.graded = tuple(s.dtype.category not in UNDIFFERENTIABLE and i < plan.visible for i, s in enumerate(plan.outs))


composer: Callable[[Plan], Callable[..., Any] | None] | None = None
"""Set by the layer of programs: makes one kernel of a decomposition for backends that compile."""


def _bind(plan: Plan) -> None:
    """Kernel, else decomposition, else host fallback, else an error that says what is missing."""
    op, runtime = plan.op, plan.device.runtime
    plan.ruled = op.shape is not None and op.has_rule and not op.hidden
    if op.shape is None:
        plan.decompose, plan.origin = ALWAYS, "decomposition"
        plan.differentiable = True
        return
    for s in plan.outs:
        if not s.device.runtime.supports_dtype(s.dtype, s.device):
            if s.dtype.is_complex:
                raise UnsupportedError(f"{op.name}: complex tensors ({s.dtype.name}) are not supported yet by any op")
            raise UnsupportedError(f"{op.name}: backend {s.device.backend!r} has no dtype {s.dtype.name} on {s.device}")
    kernel = runtime.bind(op.name, plan.call)
    plan.decompose, plan.origin = NEVER, "kernel"
    if kernel is None and not op.primitive and runtime.compiles and composer is not None:
        kernel, plan.origin = composer(plan), COMPILED
    if kernel is None and not op.primitive:
        plan.decompose, plan.origin = ALWAYS, "decomposition"
        plan.differentiable = plan.differentiable or not plan.ruled
        return
    if kernel is None:
        kernel, plan.origin = host_kernel(op, plan.call), "fallback"
    elif not op.has_rule and not op.primitive and op.nondifferentiable is None:
        plan.decompose = WHEN_RECORDING
    flat = not op.takes_list or plan.origin == COMPILED  # a compiled decomposition takes its inputs one by one
    plan.kernel = kernel if flat else _regrouped(op, kernel, plan.layout)


def _regrouped(op: Op, kernel: Callable[..., Any], layout: tuple[Any, ...]) -> Callable[..., Any]:
    """Hand a kernel its list inputs as tuples."""
    if len(op.signature.inputs) == 1 and op.signature.inputs[0].kind == LIST:
        return lambda *arrays: kernel(arrays)
    return lambda *arrays: kernel(*op.regroup(arrays, layout))


def common_device(op: Op, specs: Sequence[Spec | None]) -> Device:
    """The device that the call runs on: all the same, but 0-d tensors of a CPU go along with any other."""
    there = [s for s in specs if s is not None]
    if not there:
        raise EmptyListError(f"{op.name}(): expected a non-empty list of Tensors (it expects a non-empty TensorList)")
    device = there[0].device
    for s in there:
        if s.device is device:
            continue
        candidates = {t.device for t in there if t.shape} or {t.device for t in there if t.device.type != "cpu"}
        stays = [t for t in there if t.device not in candidates]
        if len(candidates) == 1 and all(not t.shape and t.device.type == "cpu" for t in stays):
            return candidates.pop()
        raise DeviceError(_device_message(op, there))
    return device


def _device_message(op: Op, specs: Sequence[Spec]) -> str:
    first = specs[0]
    other = next(s for s in specs if s.device is not first.device)
    operands = "; ".join(f"operand {i} {list(s.shape)} {s.dtype.name} on {s.device}" for i, s in enumerate(specs))
    return (
        f"Expected all tensors to be on the same device, but found at least two devices, {first.device} and "
        f"{other.device}! (in {op.name}: {operands}). Move one of them: x.to('{first.device}')"
    )


def _refuse_complex(op: Op, specs: Sequence[Spec | None]) -> None:
    for s in specs:
        if s is not None and s.dtype.category == dtypes.COMPLEX:
            raise UnsupportedError(f"{op.name}: complex tensors ({s.dtype.name}) are not supported yet by any op")
