"""The base of optimizers: parameter groups, state, and their form in a checkpoint."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain, count
from typing import Any, Final

from dovetail.autograd.mode import enable_grad, no_grad
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.program.live import live_number, outside_capture
from dovetail.tensor.tensor import Tensor

Group = dict[str, Any]
Closure = Callable[[], Any]
_ids: Final = count()


class RemovableHandle:
    """Takes a hook of an optimizer out again."""

    def __init__(self, hooks: OrderedDict[int, Any], hook: Any) -> None:
        self.id = next(_ids)
        self._hooks = hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook out; a second time does nothing."""
        self._hooks.pop(self.id, None)


class Optimizer:
    """Base of all optimizers.

    A subclass sets ``defaults``, makes state in :meth:`make_state` and updates one parameter in :meth:`update`;
    both run
    without recording. State tensors are made before the first step is taken, so that a captured step finds them.

    ``params`` are tensors, or dicts with a key "params" and options that differ from the defaults.
    """

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor: "
                "pass [tensor] or model.parameters()"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._pre: OrderedDict[int, Any] = OrderedDict()
        self._post: OrderedDict[int, Any] = OrderedDict()
        groups = list(params)
        if not groups:
            raise ArgumentError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own; what is not given comes from the defaults."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(f"param_group must be a dict, but got {type(param_group).__name__}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise ArgumentTypeError("optimizer parameters need to be organized in ordered collections, not in a set")
        group["params"] = [params] if isinstance(params, Tensor) else list(params)
        if group["params"] and isinstance(group["params"][0], tuple):
            group["param_names"] = [name for name, _ in group["params"]]
            group["params"] = [p for _, p in group["params"]]
        self._check(group["params"])
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.check_options(group)
        self.param_groups.append(group)

    def _check(self, params: list[Any]) -> None:
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise ArgumentTypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}"
                )
            if not p.is_leaf:
                raise ArgumentError(
                    f"can't optimize a non-leaf Tensor (shape {list(p.shape)}): it was computed from others"
                )
            if id(p) in known:
                raise ArgumentError("some parameters appear in more than one parameter group")
            known.add(id(p))

    def check_options(self, group: Group) -> None:
        """Raise for options that the algorithm does not allow; called for every group."""

    # ------------------------------------------------------------------ the step

    def make_state(self, param: Tensor, group: Group) -> dict[str, Any]:
        """Return the state of a parameter before its first step."""
        return {}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: Group, lr: Tensor) -> None:
        """Move one parameter by its gradient, in place."""
        raise NotImplementedError(f"{type(self).__name__} must define update()")

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; with a closure, evaluate it first and return its loss."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for hook in list(self._pre.values()):
            hook(self, (), {})
        with no_grad():
            for group in self.param_groups:
                self._step_group(group)
        for hook in list(self._post.values()):
            hook(self, (), {})
        return loss

    def _step_group(self, group: Group) -> None:
        rates: dict[Any, Tensor] = {}
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self.state[param]
            if not state:
                with outside_capture():
                    state.update(self.make_state(param, group))
            key = (param.dtype, param.device)
            rate = rates.get(key)
            if rate is None:
                rate = rates[key] = self._rate(group, param)
            self.update(param, grad, state, group, rate)

    def _rate(self, group: Group, param: Tensor) -> Tensor:
        """The learning rate as a 0-d tensor; in a captured program it is read anew at each run."""
        value = group["lr"]
        if isinstance(value, Tensor):
            return value.to(device=param.device)
        return live_number((id(group), "lr", param.device), lambda: group["lr"], param.device)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters: None, or zeros in place."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad.detach_().zero_()

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step."""
        return RemovableHandle(self._pre, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return RemovableHandle(self._post, hook)

    # ------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Return state and options with parameters as numbers, in PyTorch's form."""
        numbers = {id(p): i for i, p in enumerate(chain.from_iterable(g["params"] for g in self.param_groups))}
        groups = [
            {**{k: v for k, v in g.items() if k != "params"}, "params": [numbers[id(p)] for p in g["params"]]}
            for g in self.param_groups
        ]
        state = {numbers[id(p)]: dict(s) for p, s in self.state.items() if s and id(p) in numbers}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`; everything is checked before anything changes."""
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ArgumentError(
                f"loaded state dict has a different number of parameter groups ({len(saved)}, this optimizer has "
                f"{len(self.param_groups)})"
            )
        for i, (new, own) in enumerate(zip(saved, self.param_groups, strict=True)):
            if len(new["params"]) != len(own["params"]):
                raise ArgumentError(
                    f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group "
                    f"(group {i}: {len(new['params'])} and {len(own['params'])} parameters)"
                )
        own_params = list(chain.from_iterable(g["params"] for g in self.param_groups))
        numbers = list(chain.from_iterable(g["params"] for g in saved))
        state = {
            param: {k: _placed(v, param, k) for k, v in state_dict["state"][number].items()}
            for number, param in zip(numbers, own_params, strict=True)
            if number in state_dict["state"]
        }
        for param, values in state.items():
            self.check_state(param, values)
        for new, own in zip(saved, self.param_groups, strict=True):
            own.update({k: deepcopy(v) for k, v in new.items() if k != "params"})
        self.state = defaultdict(dict, state)

    def check_state(self, param: Tensor, state: dict[str, Any]) -> None:
        """Raise for loaded state that does not belong to a parameter of this shape."""
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != param.shape:
                raise ArgumentError(
                    f"state {name!r} of the loaded state dict has shape {list(value.shape)}, its parameter has "
                    f"{list(param.shape)}"
                )

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": dict(self.state), "param_groups": self.param_groups}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.defaults, self.param_groups = saved["defaults"], saved["param_groups"]
        self.state = defaultdict(dict, saved["state"])
        self._pre, self._post = OrderedDict(), OrderedDict()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def _placed(value: Any, param: Tensor, name: str) -> Any:
    """A loaded value on its parameter's device, floating state in its dtype; the step count keeps its own."""
    if not isinstance(value, Tensor):
        return deepcopy(value)
    if name == "step":
        return value.detach().to(device=param.device).clone()
    kind = param.dtype if value.is_floating_point() and param.is_floating_point() else value.dtype
    return value.detach().to(device=param.device, dtype=kind).clone()


def check_range(name: str, value: Any, low: float, high: float | None = None) -> None:
    """Raise PyTorch's sentence for an option outside ``[low, high)``."""
    number = value.item() if isinstance(value, Tensor) else value
    if not number >= low or (high is not None and not number < high):
        raise ArgumentError(f"Invalid {name}: {value}")
