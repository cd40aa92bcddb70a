"""Adafactor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dovetail import ops
from dovetail.errors import ArgumentError
from dovetail.limits import finfo
from dovetail.optim.groups import Group
from dovetail.optim.state_dicts import counter_dtype
from dovetail.optim.stepper import Stepper
from dovetail.tensor.tensor import Tensor


class Adafactor(Stepper):
    """Adafactor (Shazeer and Stern 2018, arXiv:1804.04235): a matrix's variance from its rows and columns alone.

    A parameter of one dimension keeps its variance in full. The first eps is the dtype's own where it is None.

    >>> import dovetail
    >>> w = dovetail.ones(2, 2, requires_grad=True)
    >>> optimizer = dovetail.optim.Adafactor([w], lr=0.1)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.9000, 0.9000],
            [0.9000, 0.9000]], requires_grad=True)
    """

    operation = ops.adafactor_step
    keys = ("step", "row_var", "col_var", "variance")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check_options(self, group: Group) -> None:
        """Raise for values outside the algorithm's range."""
        least, small = group["eps"]
        at_least("Learning rate", group["lr"])
        if not group["beta2_decay"] <= 0.0:
            raise ArgumentError(f"beta2_decay should be <= 0 but is: {group['beta2_decay']}")
        at_least("epsilon1", 0.0 if least is None else least)
        at_least("epsilon2", small)
        at_least("Clipping threshold d", group["d"], 1.0)
        at_least("weight_decay", group["weight_decay"])

    def names_of(self, param: Tensor, names: tuple[str | None, ...]) -> tuple[str | None, ...]:
        """The factors of a matrix, or the variance of a vector, and the step count."""
        return ("row_var", "col_var", None, "step") if param.ndim > 1 else (None, None, "variance", "step")

    def numbers(self, group: Group) -> tuple[Any, ...]:
        """Learning rate, the exponent of beta2, both eps, the clipping threshold, weight decay."""
        least, small = group["eps"]
        return group["lr"], group["beta2_decay"], least or 0.0, small, group["d"], group["weight_decay"]

    def values(self, group: Group, param: Tensor, fresh: bool) -> Sequence[Any]:
        """The numbers, with the dtype's own eps where no first one is given."""
        lr, slowing, least, *rest = self.numbers(group)
        return lr, slowing, least if group["eps"][0] is not None else finfo(param.dtype).eps, *rest

    def flags(self, group: Group) -> dict[str, Any]:
        """The direction of the search."""
        return {"maximize": bool(group["maximize"])}

    def first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """Zeros; each factor has the parameter's shape with one dimension reduced."""
        if name == "step":
            return param.new_zeros((), dtype=counter_dtype())
        return param.new_zeros(self.state_shape(param, name))

    def state_shape(self, param: Tensor, name: str) -> tuple[int, ...]:
        """The shape of a factor, or the parameter's own."""
        shape = list(param.shape)
        if name == "row_var":
            shape[-1] = 1
        elif name == "col_var":
            shape[-2] = 1
        return tuple(shape)


def at_least(name: str, value: Any, low: float = 0.0) -> None:
    """Raise for an option below its least value, or a learning rate of several elements."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ArgumentError("Tensor lr must be 1-element")
    number = value.item() if isinstance(value, Tensor) else value
    if not number >= low:
        raise ArgumentError(f"{name} should be >= {low:g} but is: {value}")
