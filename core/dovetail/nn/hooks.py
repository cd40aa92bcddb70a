"""Calling a module: the hooks around its forward, and the place of an error."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from dovetail.dispatch.state import state, tracing
from dovetail.errors import DovetailError
from dovetail.nn.backward_hooks import BackwardHooks
from dovetail.nn.conversion import Convertible
from dovetail.nn.errors import ForwardNotImplementedError, HookError
from dovetail.nn.global_hooks import everywhere
from dovetail.nn.handle import RemovableHandle, register
from dovetail.nn.place import note_place

if TYPE_CHECKING:
    from dovetail.nn.module import Module

Hook = Callable[..., Any]


class Hooked(Convertible):
    """The fifth layer of :class:`Module`: ``module(x)`` runs ``forward`` with the hooks around it."""

    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Hook]
    _backward_pre_hooks: OrderedDict[int, Hook]

    def _forward_unimplemented(self, *input: Any) -> Any:
        """Stand in for the forward that a subclass defines; ``input`` is whatever it takes."""
        raise ForwardNotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function; '
            f"define it: def forward(self, x): ... in class {type(self).__name__}"
        )

    # A plain attribute, so that a subclass may give its forward any signature.
    forward: Callable[..., Any] = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` on the arguments, with the hooks before and after it.

        An error of dovetail's gets a note with the path of the module: ``in net.fc1 (Linear) of Classifier``.
        """
        if state.special:
            _tell_capture(self)
        try:
            if (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
                or everywhere.active
            ):
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except DovetailError as error:
            note_place(error, cast("Module", self))
            raise

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _Call(self, args, kwargs)
        try:
            return call.run()
        except Exception:
            call.run_always_called()
            raise

    # ------------------------------------------------------------------------------------------- registration

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before every forward; what it returns, if not None, are the arguments.

        With ``with_kwargs`` it is ``hook(module, args, kwargs)`` and returns None or ``(args, kwargs)``.
        ``prepend`` puts it before the hooks that are there.
        """
        flags = [self._forward_pre_hooks_with_kwargs] if with_kwargs else []
        return register(self._forward_pre_hooks, hook, prepend=prepend, flags=flags)

    def register_forward_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after every forward; a result that is not None is the output.

        With ``with_kwargs`` it is ``hook(module, args, kwargs, output)``; with ``always_call`` it is also
        called when the forward raised.

        >>> import dovetail
        >>> layer = dovetail.nn.Identity()
        >>> handle = layer.register_forward_hook(lambda module, args, output: output + 1)
        >>> layer(dovetail.zeros(1))
        tensor([1.])
        >>> handle.remove()
        """
        flags = [self._forward_hooks_with_kwargs] if with_kwargs else []
        if always_call:
            flags.append(self._forward_hooks_always_called)
        return register(self._forward_hooks, hook, prepend=prepend, flags=flags)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` before the module's backward; it may return new gradients."""
        return register(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the inputs are there.

        It may return new gradients for the inputs. The module's inputs and outputs go through an identity, so
        ``grad_fn`` of the output is that identity's.
        """
        return register(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Register a full backward hook under PyTorch's deprecated name."""
        warnings.warn(
            "register_backward_hook is deprecated and works as register_full_backward_hook here: the "
            "gradients are those of the module's inputs and outputs",
            FutureWarning,
            stacklevel=2,
        )
        return self.register_full_backward_hook(hook)


def _tell_capture(module: Hooked) -> None:
    """Let the program that is captured know whose mode it was captured in: in another it does not fit."""
    trace = tracing.get()
    if trace is not None:
        trace.modules[id(module)] = module


class _Call:
    """One call of a module that has hooks."""

    def __init__(self, module: Hooked, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def run(self) -> Any:
        """Run pre-hooks, forward and hooks in their order; those of all modules come before the module's own."""
        module = self.module
        for hook in list(everywhere.forward_pre.values()):
            self._before(hook, with_kwargs=False)
        for number, hook in list(module._forward_pre_hooks.items()):
            self._before(hook, with_kwargs=number in module._forward_pre_hooks_with_kwargs)
        backward = None
        after = [*everywhere.backward.values(), *module._backward_hooks.values()]
        before = [*everywhere.backward_pre.values(), *module._backward_pre_hooks.values()]
        if after or before:
            backward = BackwardHooks(module, after, before)
            self.args = backward.around_inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for number, hook, with_kwargs, _ in self._forward_hooks():
            self._after(number, hook, with_kwargs=with_kwargs)
        if backward is not None:
            self.result = backward.around_outputs(self.result)
        return self.result

    def _forward_hooks(self) -> list[tuple[int, Hook, bool, bool]]:
        """Every hook after the forward: its number, whether it takes keywords, whether it is always called."""
        module = self.module
        return [
            (number, hook, number in with_kwargs, number in always)
            for table, with_kwargs, always in (
                (everywhere.forward, everywhere.with_kwargs, everywhere.always_called),
                (module._forward_hooks, module._forward_hooks_with_kwargs, module._forward_hooks_always_called),
            )
            for number, hook in table.items()
        ]

    def _before(self, hook: Hook, *, with_kwargs: bool) -> None:
        if not with_kwargs:
            new = hook(self.module, self.args)
            if new is not None:
                self.args = new if isinstance(new, tuple) else (new,)
            return
        new = hook(self.module, self.args, self.kwargs)
        if new is None:
            return
        if not (isinstance(new, tuple) and len(new) == 2):
            raise HookError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {new}.")
        self.args, self.kwargs = new

    def _after(self, number: int, hook: Hook, *, with_kwargs: bool) -> None:
        self.called.add(number)
        if with_kwargs:
            new = hook(self.module, self.args, self.kwargs, self.result)
        else:
            new = hook(self.module, self.args, self.result)
        if new is not None:
            self.result = new

    def run_always_called(self) -> None:
        """After an error, run the hooks that asked for it and were not reached."""
        for number, hook, with_kwargs, always in self._forward_hooks():
            if always and number not in self.called:
                try:
                    self._after(number, hook, with_kwargs=with_kwargs)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that was "
                        f"silenced as another error was raised in forward: {error}",
                        stacklevel=4,
                    )
