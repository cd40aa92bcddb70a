"""What a module owns: its parameters, buffers and submodules, told apart when they are assigned."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dovetail.errors import ArgumentError, ArgumentTypeError
from dovetail.nn.errors import ModuleAttributeError, ModuleNameError
from dovetail.nn.global_hooks import everywhere
from dovetail.nn.parameter import Buffer, Parameter
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.nn.module import Module


class Registry:
    """The first layer of :class:`Module`: attributes that are parameters, buffers and submodules.

    The names of the private attributes are PyTorch's, because programs that inspect models read them.
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Module | None]

    _hook_tables = (
        "_backward_pre_hooks",
        "_backward_hooks",
        "_forward_hooks",
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks",
        "_forward_pre_hooks_with_kwargs",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
    )
    """Tables from a handle's id to a hook: ordered, and a handle can refer to one weakly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        if kwargs:
            raise ArgumentTypeError(f"{name}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'")
        if args:
            raise ArgumentTypeError(f"{name}.__init__() takes 1 positional argument but {len(args) + 1} were given")
        # Straight into the dict: __setattr__ below asks for the very tables that are made here.
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        for table in self._hook_tables:
            own[table] = OrderedDict()
        own["_modules"] = {}

    # ------------------------------------------------------------------------------------------- attributes

    def __getattr__(self, name: str) -> Any:
        # Python comes here only for what the instance's dict and the class do not have. Written out, as every
        # forward reads its parameters this way.
        own = self.__dict__
        if "_modules" in own:
            if name in own["_parameters"]:
                return own["_parameters"][name]
            if name in own["_modules"]:
                return own["_modules"][name]
            if name in own["_buffers"]:
                return own["_buffers"][name]
        # With name and obj Python itself adds "Did you mean: 'weight'?" to the traceback.
        raise ModuleAttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            _require_tables(self, "parameters")
            _forget(self, name, keep=self._parameters)
            self.register_parameter(name, value)
        elif name in own.get("_parameters", ()):
            if value is not None:
                raise _cannot_assign(value, "parameter", name, "nn.Parameter or None")
            self.register_parameter(name, None)
        elif isinstance(value, Registry):
            _require_tables(self, "module")
            _forget(self, name, keep=self._modules)
            own["_modules"][name] = everywhere.registered("module", self, name, value)
        elif name in own.get("_modules", ()):
            if value is not None:
                raise _cannot_assign(value, "child module", name, "nn.Module or None")
            own["_modules"][name] = None
        elif isinstance(value, Buffer) or name in own.get("_buffers", ()):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Any) -> None:
        _require_tables(self, "buffer")
        if value is not None and not isinstance(value, Tensor):
            raise _cannot_assign(value, "buffer", name, "nn.Buffer, Tensor or None")
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        own = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            if name in own.get(kind, ()):
                del own[kind][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules, *self._buffers}
        # A name such as "0" in a Sequential cannot be written after a dot.
        return sorted(name for name in names if not name[0].isdigit())

    # ----------------------------------------------------------------------------------------- registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None reserves the name and stays out of the state dict.

        Raises:
            ModuleNameError: the name is empty, holds a dot, or is taken by something else.
            ArgumentTypeError: ``param`` is neither a Parameter nor None.
            ArgumentError: ``param`` is the result of a computation.
        """
        _require_tables(self, "parameter")
        _check_name(self, name, "parameter", self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise ArgumentTypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' (nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ArgumentError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created "
                    f"explicitly. To express '{name}' as a function of another Tensor, compute the value in "
                    "the forward() method."
                )
            param = everywhere.registered("parameter", self, name, param)
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter; it is in the state dict if ``persistent``.

        Raises:
            ModuleNameError: the name is empty, holds a dot, or is taken by something else.
            ArgumentTypeError: ``tensor`` is neither a Tensor nor None.
        """
        _require_tables(self, "buffer")
        _check_name(self, name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (Tensor or None required)"
            )
        self._buffers[name] = everywhere.registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name; the same as :meth:`add_module`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name, for names that are computed.

        Raises:
            ModuleNameError: the name is empty, holds a dot, or is taken by something else.
            ArgumentTypeError: ``module`` is neither a Module nor None.
        """
        if module is not None and not isinstance(module, Registry):
            raise ArgumentTypeError(f"{typename(module)} is not a Module subclass")
        _require_tables(self, "module")
        _check_name(self, name, "module", self._modules)
        self._modules[name] = everywhere.registered("module", self, name, module)

    def _persistent_buffers(self) -> list[tuple[str, Tensor]]:
        """The buffers that belong into a state dict."""
        hidden = self._non_persistent_buffers_set
        return [(k, v) for k, v in self._buffers.items() if v is not None and k not in hidden]


def _require_tables(module: Registry, kind: str) -> None:
    if "_modules" not in module.__dict__:
        name = type(module).__name__
        raise ModuleAttributeError(
            f"cannot assign {kind} before Module.__init__() call; "
            f"make super().__init__() the first line of {name}.__init__"
        )


def _forget(module: Registry, name: str, keep: dict[str, Any]) -> None:
    """Drop what the name stood for, so that the new owner is the only one."""
    for table in (module.__dict__, module._parameters, module._buffers, module._modules):
        if table is not keep and name in table:
            del table[name]
    module._non_persistent_buffers_set.discard(name)


def _check_name(module: Registry, name: Any, kind: str, own: dict[str, Any]) -> None:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"{kind} name should be a string. Got {typename(name)}")
    if "." in name:
        raise ModuleNameError(f'{kind} name can\'t contain ".", got: {name}')
    if name == "":
        raise ModuleNameError(f'{kind} name can\'t be empty string ""')
    if name not in own and hasattr(module, name):
        raise ModuleNameError(f"attribute '{name}' already exists")


def _cannot_assign(value: Any, kind: str, name: str, expected: str) -> ArgumentTypeError:
    hint = ""
    if kind == "parameter" and isinstance(value, Tensor):
        hint = f"; wrap it: nn.Parameter(value), or write into the values: self.{name}.data = value"
    return ArgumentTypeError(f"cannot assign '{typename(value)}' as {kind} '{name}' ({expected} expected){hint}")


def typename(value: Any) -> str:
    """Return the name of a value's type as error messages show it: of a tensor, with its dtype."""
    if isinstance(value, Tensor):
        return str(value.type())
    cls: Callable[..., Any] = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
