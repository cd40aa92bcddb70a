"""Loading a state dict: everything is checked, then everything is written, or nothing is."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dovetail.autograd.mode import no_grad
from dovetail.nn.errors import HookError, StateDictError
from dovetail.nn.parameter import Parameter
from dovetail.nn.uninitialized import is_lazy
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.nn.module import Module

Write = Callable[[], None]

WRITES = "deferred_writes"
"""Where, in the metadata that is handed down, a module leaves its writes until everything is checked."""

EXTRA_STATE = "_extra_state"
"""The key, below a module's path, of what ``get_extra_state`` returns."""


class IncompatibleKeys(NamedTuple):
    """The keys that a model has and the state dict lacks, and the other way round."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


@dataclass
class Found:
    """What one module made of its part of a state dict."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Loading:
    """One call of ``load_state_dict``."""

    def __init__(self, root: Module, state_dict: Mapping[str, Any], assign: bool) -> None:
        self.root = root
        self.assign = assign
        self.metadata: Mapping[str, Any] = getattr(state_dict, "_metadata", None) or {}
        # A copy: hooks and modules that know older formats rename keys in it.
        self.state: OrderedDict[str, Any] = OrderedDict(state_dict)
        self.state._metadata = self.metadata  # type: ignore[attr-defined]  # as in PyTorch
        self.keys = IncompatibleKeys([], [])
        self.errors: list[str] = []
        self.writes: list[Write] = []

    def run(self, strict: bool) -> IncompatibleKeys:
        """Check and write; raise with the model as it was."""
        if not _runs_foreign_code(self.root):
            self._visit(self.root, self.state, "", at_once=False)
            self._raise_errors(strict)
            self._write()
            return self.keys
        # Hooks and modules of the user's may write, and look at what was written: that cannot be deferred,
        # so it is taken back if anything fails.
        before = Snapshot(self.root)
        try:
            self._visit(self.root, self.state, "", at_once=True)
            self._raise_errors(strict)
        except BaseException:
            before.restore()
            raise
        return self.keys

    def _visit(self, module: Module, state: dict[str, Any], prefix: str, *, at_once: bool) -> None:
        local_metadata = {**self.metadata.get(prefix[:-1], {}), WRITES: self.writes}
        if self.assign:
            local_metadata["assign_to_params_buffers"] = True
        module._load_from_state_dict(
            state,
            prefix,
            local_metadata,
            True,
            self.keys.missing_keys,
            self.keys.unexpected_keys,
            self.errors,
        )
        if at_once:
            self._write()
        for name, child in module._modules.items():
            if child is not None:
                below = f"{prefix}{name}."
                part = {key: value for key, value in state.items() if key.startswith(below)}
                self._visit(child, part, below, at_once=at_once)
        for hook in module._load_state_dict_post_hooks.values():
            result: Any = hook(module, self.keys)
            if result is not None:
                raise HookError(
                    "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                    "return new values, if incompatible_keys need to be modified, it should be done "
                    "inplace."
                )

    def _write(self) -> None:
        for write in self.writes:
            write()
        self.writes.clear()

    def _raise_errors(self, strict: bool) -> None:
        lines = list(self.errors)
        missing, unexpected = self.keys
        if strict and unexpected:
            lines.insert(0, f"Unexpected key(s) in state_dict: {_listed(unexpected)}. ")
        if strict and missing:
            lines.insert(0, f"Missing key(s) in state_dict: {_listed(missing)}. ")
        if not lines:
            return
        lines.extend(_renaming_hint(missing, unexpected) if strict else ())
        text = "\n\t".join(lines)
        raise StateDictError(f"Error(s) in loading state_dict for {type(self.root).__name__}:\n\t{text}")


def take(module: Module, state: dict[str, Any], prefix: str, local_metadata: dict[str, Any]) -> Found:
    """Check a module's own entries, and defer the writes; with nowhere to defer them to, do them."""
    found = Found()
    deferred: list[Write] | None = local_metadata.get(WRITES)
    writes: list[Write] = [] if deferred is None else deferred
    own: dict[str, Tensor] = {k: v for k, v in module._parameters.items() if v is not None}
    own.update(module._persistent_buffers())
    for name, target in own.items():
        key = prefix + name
        if key not in state:
            found.missing.append(key)
            continue
        try:
            assign = local_metadata.get("assign_to_params_buffers", False)
            writes.append(_prepare(module, name, key, target, state[key], assign))
        except StateDictError as error:
            found.errors.append(str(error))
    _take_extra_state(module, state, prefix, found, writes)
    found.unexpected.extend(_left_over(module, own, state, prefix))
    if deferred is None:
        for write in writes:
            write()
    return found


def _prepare(module: Module, name: str, key: str, target: Tensor, value: Any, assign: bool) -> Write:
    """Check one value and bring it to where it will be written, so that the write itself cannot fail."""
    if not isinstance(value, Tensor):
        raise StateDictError(
            f'While copying the parameter named "{key}", expected Tensor or Tensor-like object from '
            f"checkpoint but received {type(value)}; wrap it: dovetail.as_tensor(value)"
        )
    if is_lazy(target) and is_lazy(value):
        return _nothing
    if target.dim() == 0 and tuple(value.shape) == (1,):
        value = value[0]  # scalars were tensors of one element in PyTorch 0.3
    if value.shape != target.shape:
        raise StateDictError(
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {target.shape}."
        )
    try:
        with no_grad():
            if assign:
                return _assignment(module, name, target, value)
            ready = value.detach().to(device=target.device, dtype=target.dtype)
    except Exception as error:
        raise StateDictError(
            f'While copying the parameter named "{key}", whose dimensions in the model are {target.shape} '
            f"and whose dimensions in the checkpoint are {value.shape}, an exception occurred : {error.args}."
        ) from error
    return lambda: _copy(target, ready)


def _nothing() -> None:
    """Write nothing: neither side has a shape yet."""


def _copy(target: Tensor, value: Tensor) -> None:
    with no_grad():
        target.copy_(value)


def _assignment(module: Module, name: str, target: Tensor, value: Tensor) -> Write:
    if isinstance(target, Parameter):
        if isinstance(value, Parameter):
            parameter, wanted = value, target.requires_grad
            return lambda: setattr(module, name, parameter.requires_grad_(wanted))
        value = Parameter(value, requires_grad=target.requires_grad)
    return lambda: setattr(module, name, value)


def _take_extra_state(module: Module, state: dict[str, Any], prefix: str, found: Found, writes: list[Write]) -> None:
    key = prefix + EXTRA_STATE
    if _overrides(module, "set_extra_state"):
        if key in state:
            value = state[key]
            writes.append(lambda: module.set_extra_state(value))
        else:
            found.missing.append(key)
    elif key in state:
        found.unexpected.append(key)


def _left_over(module: Module, own: dict[str, Tensor], state: dict[str, Any], prefix: str) -> list[str]:
    """The keys below ``prefix`` that neither this module nor one of its submodules can have."""
    left = []
    for key in state:
        if key.startswith(prefix) and key != prefix + EXTRA_STATE:
            name, dot, _ = key[len(prefix) :].partition(".")
            if name not in (module._modules if dot else own):
                left.append(key)
    return left


class Snapshot:
    """What a model was before a load that runs code of the user's."""

    def __init__(self, root: Module) -> None:
        self.tables = []
        self.values: dict[int, tuple[Tensor, type[Tensor], Tensor, bool]] = {}
        self.extra = []
        for module in root.modules():
            owned = (module._parameters, module._buffers, module._modules)
            self.tables.append((module, [(table, dict(table)) for table in owned]))
            for tensor in (*module._parameters.values(), *module._buffers.values()):
                if tensor is not None:
                    value = tensor.detach().clone()
                    self.values[id(tensor)] = (tensor, type(tensor), value, tensor.requires_grad)
            if _overrides(module, "set_extra_state") and _overrides(module, "get_extra_state"):
                self.extra.append((module, copy.deepcopy(module.get_extra_state())))

    def restore(self) -> None:
        """Put everything back."""
        for _, tables in self.tables:
            for table, content in tables:
                table.clear()
                table.update(content)  # type: ignore[arg-type]  # the content is the table's own
        for tensor, kind, value, requires_grad in self.values.values():
            if type(tensor) is kind:
                _copy(tensor, value)
            else:
                # A lazy parameter that took its shape from the state dict.
                tensor.data = value
                tensor.__class__ = kind
            tensor.requires_grad_(requires_grad)
        for module, state in self.extra:
            module.set_extra_state(state)


def _runs_foreign_code(root: Module) -> bool:
    return any(
        module._load_state_dict_pre_hooks
        or module._load_state_dict_post_hooks
        or _overrides(module, "set_extra_state")
        or _overrides(module, "_load_from_state_dict")
        for module in root.modules()
    )


def _overrides(module: Module, method: str) -> bool:
    """Whether the user's class brings its own method: dovetail's own are known not to write by themselves."""
    home = getattr(type(module), method).__module__
    return bool(home.partition(".")[0] != __name__.partition(".")[0])


def _listed(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _renaming_hint(missing: list[str], unexpected: list[str]) -> list[str]:
    """Say so when a prefix alone keeps the keys apart, as in a checkpoint of a wrapped model."""
    if not missing or not unexpected:
        return []
    prefix = _shared_path(unexpected)
    if prefix and set(missing) <= {key.removeprefix(prefix) for key in unexpected}:
        return [_advice("state dict's", prefix, f"k.removeprefix({prefix!r})")]
    prefix = _shared_path(missing)
    if prefix and set(missing) <= {prefix + key for key in unexpected}:
        return [_advice("model's", prefix, f"{prefix!r} + k")]
    return []


def _advice(side: str, prefix: str, key: str) -> str:
    return f"The {side} keys have the prefix {prefix!r} in addition: load {{{key}: v for k, v in state_dict.items()}}. "


def _shared_path(keys: list[str]) -> str:
    """Return the path, with its last dot, below which all keys are."""
    first, *others = (key.split(".")[:-1] for key in keys)
    length = min((_equal_start(first, other) for other in others), default=len(first))
    return "".join(f"{name}." for name in first[:length])


def _equal_start(one: list[str], other: list[str]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
