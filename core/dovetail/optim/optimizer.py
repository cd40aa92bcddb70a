"""The base of optimizers: parameter groups, hooks around the step, and their form in a checkpoint."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

from dovetail.autograd.hooks import RemovableHandle
from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.optim import groups, state_dicts
from dovetail.optim.groups import Group
from dovetail.optim.groups import required as required
from dovetail.optim.hooks import hooked, registered
from dovetail.optim.hooks import register_optimizer_step_post_hook as register_optimizer_step_post_hook
from dovetail.optim.hooks import register_optimizer_step_pre_hook as register_optimizer_step_pre_hook
from dovetail.tensor.tensor import Tensor

Closure = Callable[[], Any]
Hook = Callable[..., Any]

_HOOKS: Final = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


class Optimizer:
    """Base of all optimizers: keeps the parameters in groups with options, and a state for each parameter.

    A subclass gives the defaults of its options and defines ``step``; hooks run around whatever ``step`` it defines.
    ``params`` are tensors, pairs of a name and a tensor, or dicts with a key "params" and options that differ from
    the defaults.

    Errors: TypeError for a single tensor in place of a list, ValueError for an empty list.

    >>> import dovetail
    >>> class Descent(dovetail.optim.Optimizer):
    ...     def __init__(self, params, lr):
    ...         super().__init__(params, {"lr": lr})
    ...     @dovetail.no_grad()
    ...     def step(self):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p -= group["lr"] * p.grad
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> w.sum().backward()
    >>> Descent([w], lr=0.5).step()
    >>> w
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        self.defaults = defaults
        self._changes = 0
        for name in _HOOKS:
            setattr(self, name, OrderedDict())
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got a Tensor: "
                "pass [tensor] or model.parameters()"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        given = list(params)
        if not given:
            raise ArgumentError("optimizer got an empty parameter list")
        if not isinstance(given[0], dict):
            given = [{"params": given}]
        for group in given:
            self.add_param_group(group)

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Let hooks run around the step that a subclass defines."""
        super().__init_subclass__(**keywords)
        step = cls.__dict__.get("step")
        if step is not None and not getattr(step, "hooked", False):
            cls.step = hooked(step)  # type: ignore[method-assign]  # the same step, with hooks around it

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own; what is not given comes from the defaults.

        Errors: TypeError for anything but leaf tensors in an ordered collection, ValueError for parameters that are in
        a group already, or where only some have names.
        """
        groups.complete(param_group, self.defaults)
        groups.check_disjoint(param_group, self.param_groups)
        self.check_options(param_group)
        self.param_groups.append(param_group)
        self._changes += 1

    def check_options(self, group: Group) -> None:
        """Raise for options that the algorithm does not allow; called for every group."""

    # ------------------------------------------------------------------ the step

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient; with a closure, evaluate it first and return its loss."""
        raise NotImplementedError(f"{type(self).__name__} must define step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters: None, or zeros in place."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad.detach_().zero_()

    # ------------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other (args, kwargs)."""
        return registered(self.__dict__["_optimizer_step_pre_hooks"], hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return registered(self.__dict__["_optimizer_step_post_hooks"], hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before each :meth:`state_dict`."""
        return registered(self.__dict__["_optimizer_state_dict_pre_hooks"], hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after each :meth:`state_dict`; it may return another one."""
        return registered(self.__dict__["_optimizer_state_dict_post_hooks"], hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before each load; it may return another state dict to be loaded."""
        return registered(self.__dict__["_optimizer_load_state_dict_pre_hooks"], hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after each load."""
        return registered(self.__dict__["_optimizer_load_state_dict_post_hooks"], hook, prepend)

    # ------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Return state and options with parameters as numbers, in PyTorch's form.

        The tensors of the state are the optimizer's own, not copies.
        """
        for before in list(self.__dict__["_optimizer_state_dict_pre_hooks"].values()):
            before(self)
        packed = state_dicts.packed(self.state, self.param_groups)
        for after in list(self.__dict__["_optimizer_state_dict_post_hooks"].values()):
            replaced = after(self, packed)
            packed = packed if replaced is None else replaced
        return packed

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`, also one of PyTorch's; everything is checked before anything changes.

        Errors: ValueError for other groups or numbers of parameters, or state of other shapes.
        """
        state_dict = dict(state_dict)
        for before in list(self.__dict__["_optimizer_load_state_dict_pre_hooks"].values()):
            replaced = before(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        state_dicts.check_groups(state_dict["param_groups"], self.param_groups)
        state = state_dicts.unpacked(state_dict, self.param_groups, self.own_dtype)
        for param, values in state.items():
            if isinstance(param, Tensor):
                self.check_state(param, values)
        state_dicts.take_options(state_dict["param_groups"], self.param_groups, self.defaults)
        self.__setstate__({"state": state, "param_groups": self.param_groups})
        for after in list(self.__dict__["_optimizer_load_state_dict_post_hooks"].values()):
            after(self)

    own_dtype: frozenset[str] = frozenset({"step"})
    """Names of running numbers, which are not cast to the dtype of their parameter when they are loaded."""

    def check_state(self, param: Tensor, state: dict[str, Any]) -> None:
        """Raise for loaded state that does not belong to a parameter of this shape."""
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim and tuple(value.shape) != self.state_shape(param, name):
                raise ArgumentError(
                    f"state {name!r} of the loaded state dict has shape {list(value.shape)}, its parameter has "
                    f"{list(param.shape)}"
                )

    def state_shape(self, param: Tensor, name: str) -> tuple[int, ...]:
        """The shape of a tensor of the state that is not 0-d."""
        return tuple(param.shape)

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())
        self._changes = self.__dict__.get("_changes", 0) + 1
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])
