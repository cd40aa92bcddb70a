"""State dicts: the values of a model by name, out of it and into it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from dovetail.errors import ArgumentTypeError
from dovetail.nn import loading
from dovetail.nn.errors import HookError, StateDictError
from dovetail.nn.handle import RemovableHandle, register
from dovetail.nn.traversal import Tree

if TYPE_CHECKING:
    from dovetail.nn.module import Module


class Stateful(Tree):
    """The third layer of :class:`Module`: saving to and loading from state dicts."""

    _version: ClassVar[int] = 1
    """Written into the state dict: a module that changes its keys raises it and can read older ones."""

    # ------------------------------------------------------------------------------------------------ saving

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Any]:
        """Return the parameters and persistent buffers of this module and all below it by their paths.

        The values alias the model's: what training writes later is seen through them. ``copy.deepcopy`` or
        :func:`dovetail.save` keeps a moment. With ``keep_vars`` the parameters themselves are given, not
        detached.

        >>> from dovetail import nn
        >>> list(nn.Sequential(nn.Linear(2, 1), nn.ReLU()).state_dict())
        ['0.weight', '0.bias']
        """
        if args:
            # PyTorch's older positional form.
            given: list[Any] = [destination, prefix, keep_vars]
            given[: len(args)] = args
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for before in self._state_dict_pre_hooks.values():
            before(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            result = hook.function(self, destination, prefix, local_metadata)
            if result is not None:
                if not hook.may_replace:
                    raise HookError("state_dict post-hook must return None")
                destination = result
        return cast("OrderedDict[str, Any]", destination)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Put this module's own entries into ``destination``; modules of another format override it."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._persistent_buffers():
            destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + loading.EXTRA_STATE] = self.get_extra_state()

    def get_extra_state(self) -> Any:
        """Return what else belongs into the state dict; override it together with :meth:`set_extra_state`."""
        raise StateDictError(
            "Reached a code path in Module.get_extra_state() that should never be called: override it in "
            f"{type(self).__name__} and return the extra state"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what :meth:`get_extra_state` returned; called by :meth:`load_state_dict`."""
        raise StateDictError(
            "Reached a code path in Module.set_extra_state() that should never be called: override it in "
            f"{type(self).__name__} together with get_extra_state()"
        )

    # ----------------------------------------------------------------------------------------------- loading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> loading.IncompatibleKeys:
        """Copy values into the parameters and buffers of this module and all below it.

        Everything is checked before the first write: a load that fails leaves the model exactly as it was.

        Args:
            state_dict: values by path, as :meth:`state_dict` returns them.
            strict: whether every key must be there and none may be left over.
            assign: put the tensors of the state dict into the model, with their dtype and device, instead of
                copying their values; make the optimizer after that, since the parameters are new ones.

        Returns:
            The missing and the unexpected keys.

        Raises:
            StateDictError: missing keys, unexpected keys and differing shapes, all in one message.
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        return loading.Loading(cast("Module", self), state_dict, assign).run(strict)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take this module's own entries; modules that know an older format override it."""
        for hook in self._load_state_dict_pre_hooks.values():
            owner = (self,) if hook.with_module else ()
            hook.function(*owner, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        found = loading.take(cast("Module", self), state_dict, prefix, local_metadata)
        missing_keys.extend(found.missing if strict else ())
        unexpected_keys.extend(found.unexpected if strict else ())
        error_msgs.extend(found.errors)

    # ------------------------------------------------------------------------------------------------- hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before :meth:`state_dict` collects this module."""
        return register(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it; it may change the dict."""
        return register(self._state_dict_hooks, SaveHook(hook, may_replace=False))

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Do the same with a hook that may also return another dict (PyTorch's private form)."""
        return register(self._state_dict_hooks, SaveHook(hook, may_replace=True))

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before :meth:`load_state_dict` reads this module's entries; it may change the dict.

        ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)``.
        """
        return register(self._load_state_dict_pre_hooks, LoadHook(hook, with_module=True))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        """Do the same with a hook that may leave out the module (PyTorch's private form)."""
        return register(self._load_state_dict_pre_hooks, LoadHook(hook, with_module=with_module))

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may change the two lists."""
        return register(self._load_state_dict_post_hooks, hook)

    # The tables are made in Registry.__init__; here they get their types.
    _state_dict_hooks: OrderedDict[int, SaveHook]
    _state_dict_pre_hooks: OrderedDict[int, Callable[..., None]]
    _load_state_dict_pre_hooks: OrderedDict[int, LoadHook]
    _load_state_dict_post_hooks: OrderedDict[int, Callable[..., None]]


class SaveHook:
    """A hook after :meth:`Stateful.state_dict`, and whether it may return another dict."""

    def __init__(self, function: Callable[..., Any], *, may_replace: bool) -> None:
        self.function = function
        self.may_replace = may_replace


class LoadHook:
    """A hook before loading, and whether it is given the module."""

    def __init__(self, function: Callable[..., None], *, with_module: bool) -> None:
        self.function = function
        self.with_module = with_module
