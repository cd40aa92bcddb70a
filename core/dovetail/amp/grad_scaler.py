"""``GradScaler``: the loss is made large before backward and the gradients small again, so that float16 holds them."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING, Any

from dovetail import dtypes, ops
from dovetail.amp.modes import is_autocast_available, type_of_device
from dovetail.amp.stepping import masked_step
from dovetail.autograd.mode import no_grad
from dovetail.contract.device import Device
from dovetail.dispatch import state as process
from dovetail.errors import ArgumentError, ArgumentRuntimeError, ArgumentTypeError
from dovetail.tensor.tensor import Tensor

if TYPE_CHECKING:
    from dovetail.optim.optimizer import Optimizer

CLOSED = "Closure use is not currently supported if GradScaler is enabled."


class OptState(Enum):
    """How far one iteration has come for an optimizer."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


class _PerOptimizer:
    """What the scaler knows about one optimizer in this iteration."""

    def __init__(self) -> None:
        self.stage = OptState.READY
        self.found: dict[Device, Tensor] = {}
        """Per device, whether a gradient was infinite or NaN: a 0-d bool."""


class GradScaler:
    """Scales the loss so that gradients in float16 do not become zero, and finds the scale.

    A step whose gradients are infinite or NaN is left out and halves the scale; ``growth_interval`` good ones in a row
    double it. The scale starts at ``init_scale`` (P. Micikevicius and others, Mixed precision training, ICLR 2018).
    bfloat16 has the range of float32 and needs none of this.

    Inside a captured step no value is read: optimizer and state are then put back where the step does not count.

    Args:
        device: which type of device the scale is for; without such a device the scaler does nothing, as with
            ``enabled=False``.
        init_scale, growth_factor, backoff_factor, growth_interval: as above.
        enabled: False turns every method into what a program without scaler does.

    >>> import dovetail
    >>> w = dovetail.ones(2, requires_grad=True)
    >>> optimizer, scaler = dovetail.optim.SGD([w], lr=0.5), GradScaler("cpu", init_scale=8.0)
    >>> scaler.scale((w * w).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = type_of_device(device)
        self._enabled = enabled
        if enabled and not is_autocast_available(self._device):
            warnings.warn(
                f"GradScaler is enabled for {self._device!r}, but there is no such device here. Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        self._init_scale = float(init_scale)
        self.set_growth_factor(growth_factor)
        self.set_backoff_factor(backoff_factor)
        self._growth_interval = growth_interval
        self._scale: Tensor | None = None
        self._tracker: Tensor | None = None
        self._loaded_tracker = 0
        self._per_optimizer: defaultdict[int, _PerOptimizer] = defaultdict(_PerOptimizer)

    # ------------------------------------------------------------------ the three calls of an iteration

    def scale(self, outputs: Any) -> Any:
        """Return a tensor, or a list, tuple or iterable of tensors, multiplied by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._made(outputs.device).to(outputs.device)
        if isinstance(outputs, list | tuple):
            return type(outputs)(self.scale(entry) for entry in outputs)
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise ArgumentError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place: before clipping them.

        Raises:
            ArgumentRuntimeError: called twice in one iteration, or after :meth:`step`.
            ArgumentError: gradients in float16; keep the parameters in float32 under autocast.
        """
        if not self._enabled:
            return
        scale = self._there("unscale_")
        known = self._per_optimizer[id(optimizer)]
        if known.stage is OptState.UNSCALED:
            raise ArgumentRuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if known.stage is OptState.STEPPED:
            raise ArgumentRuntimeError("unscale_() is being called after step().")
        with no_grad():
            # The reciprocal in float64: a scale that is no power of two would be rounded twice.
            inverse = scale.double().reciprocal().float()
            known.found = _unscale(_gradients(optimizer), inverse)
        known.stage = OptState.UNSCALED

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscale if that was not done, and take the optimizer's step unless a gradient is infinite or NaN.

        Raises:
            ArgumentRuntimeError: with a closure, or twice in one iteration.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise ArgumentRuntimeError(CLOSED)
        self._there("step")
        known = self._per_optimizer[id(optimizer)]
        if known.stage is OptState.STEPPED:
            raise ArgumentRuntimeError("step() has already been called since the last update().")
        if known.stage is OptState.READY:
            self.unscale_(optimizer)
        if not known.found:
            raise ArgumentRuntimeError(
                "No inf checks were recorded for this optimizer: none of its parameters has a gradient (was backward() "
                "called on the scaled loss?)"
            )
        known.stage = OptState.STEPPED
        if process.state.special and process.tracing.get() is not None:
            return masked_step(optimizer, known.found, kwargs)
        if any(bool(found) for found in known.found.values()):
            return None
        return optimizer.step(**kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Set the scale for the next iteration from what this one has found, or to ``new_scale``."""
        if not self._enabled:
            return
        scale = self._there("update")
        assert self._tracker is not None, "made together with the scale"
        with no_grad():
            if new_scale is not None:
                scale.copy_(_one_number(new_scale).to(device=scale.device, dtype=dtypes.float32))
            else:
                self._follow(scale, self._tracker)
        self._per_optimizer.clear()

    def _follow(self, scale: Tensor, tracker: Tensor) -> None:
        """Back off after a step that was left out, grow after enough good ones; all without reading a value."""
        flags = [f.to(scale.device) for known in self._per_optimizer.values() for f in known.found.values()]
        if not flags:
            raise ArgumentRuntimeError("No inf checks were recorded prior to update.")
        bad = flags[0] if len(flags) == 1 else ops.stack(flags).any()
        good = tracker + 1
        due = good == self._growth_interval
        grown = scale * self._growth_factor
        grown = ops.where(due & grown.isfinite(), grown, scale)
        scale.copy_(ops.where(bad, scale * self._backoff_factor, grown))
        tracker.copy_(ops.where(bad | due, ops.zeros_like(tracker), good))

    # ------------------------------------------------------------------ the scale

    def _made(self, device: Device) -> Tensor:
        if self._scale is None:
            self._scale = ops.full((), self._init_scale, dtype=dtypes.float32, device=device)
            self._tracker = ops.full((), self._loaded_tracker, dtype=dtypes.int32, device=device)
        return self._scale

    def _there(self, call: str) -> Tensor:
        if self._scale is None:
            raise ArgumentRuntimeError(
                f"Attempted {call} but the scale does not exist yet: use scaler.scale(loss or outputs) earlier in the "
                "iteration."
            )
        return self._scale

    def get_scale(self) -> float:
        """Return the scale, 1 where the scaler does nothing."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """Return what the scale is multiplied by after enough good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after enough good steps; above 1."""
        if not new_factor > 1:
            raise ArgumentError(f"The growth factor must be > 1.0, got {new_factor}")
        self._growth_factor = float(new_factor)

    def get_backoff_factor(self) -> float:
        """Return what the scale is multiplied by after a step that was left out."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after a step that was left out; below 1."""
        if not new_factor < 1:
            raise ArgumentError(f"The backoff factor must be < 1.0, got {new_factor}")
        self._backoff_factor = float(new_factor)

    def get_growth_interval(self) -> int:
        """Return how many good steps in a row make the scale grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set how many good steps in a row make the scale grow."""
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return self._loaded_tracker if self._tracker is None else int(self._tracker.item())

    def is_enabled(self) -> bool:
        """Tell whether the scaler does anything."""
        return self._enabled

    # ------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """Return scale, factors and progress, in PyTorch's form; empty where the scaler does nothing."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`.

        Raises:
            ArgumentRuntimeError: an empty one, of a scaler that did nothing.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise ArgumentRuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = float(state_dict["scale"])
        self._loaded_tracker = int(state_dict["_growth_tracker"])
        self.set_growth_factor(state_dict["growth_factor"])
        self.set_backoff_factor(state_dict["backoff_factor"])
        self._growth_interval = state_dict["growth_interval"]
        if self._scale is not None and self._tracker is not None:
            self._scale.fill_(self._init_scale)
            self._tracker.fill_(self._loaded_tracker)

    def __getstate__(self) -> dict[str, Any]:
        if self._per_optimizer:
            raise ArgumentRuntimeError(
                "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                "scaler.update()."
            )
        kept = dict(self.__dict__)
        kept.update(
            _init_scale=self.get_scale(), _loaded_tracker=self._get_growth_tracker(), _scale=None, _tracker=None
        )
        del kept["_per_optimizer"]
        return kept

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__dict__.update(saved)
        self._per_optimizer = defaultdict(_PerOptimizer)


def _gradients(optimizer: Optimizer) -> list[Tensor]:
    found = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if any(g.dtype is dtypes.float16 for g in found):
        raise ArgumentError(
            "Attempting to unscale FP16 gradients. Keep the parameters in float32 (no model.half()): autocast converts "
            "them where that pays."
        )
    return found


def _unscale(gradients: list[Tensor], inverse: Tensor) -> dict[Device, Tensor]:
    """Multiply in place; per device, whether anything was not finite."""
    finite: dict[Device, list[Tensor]] = {}
    for g in gradients:
        finite.setdefault(g.device, []).append(g.isfinite().all())
        g.mul_(inverse.to(g.device))
    return {device: ~ops.stack(flags).all() for device, flags in finite.items()}


def _one_number(value: float | Tensor) -> Tensor:
    if not isinstance(value, Tensor):
        return ops.tensor(float(value))
    if value.numel() != 1 or value.requires_grad:
        raise ArgumentTypeError(
            "new_scale should be a number or a tensor of one element that does not require gradients, got one of shape "
            f"{list(value.shape)}"
        )
    return value.reshape(())
