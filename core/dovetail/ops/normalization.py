"""What the normalisations share: the types of their results, channels, and the scale and shift that follow.

Their gradients are fused ops that take mean and 1 / sqrt(var + eps) from the forward pass. The decompositions
of these compute both anew from the input, on which they depend: so a second derivative is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dovetail.errors import DtypeError, ShapeError
from dovetail.ops.precision import wider
from dovetail.record.rules import DtypeRule, Dtypes
from dovetail.record.samples import Arg
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

Shape = tuple[int, ...]


def computed(name: str, *outputs: bool) -> DtypeRule:
    """The input's type, which must be floating and that of all parameters, 16-bit inputs excepted.

    ``outputs`` says of each result whether it is a statistic, which has at least the type float32.
    """

    def rule(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
        first = inputs[0]
        assert first is not None, "the first input is never absent"
        kind = first.dtype
        if not kind.is_floating_point:
            raise DtypeError(f"\"{name}\" not implemented for '{kind.legacy_name}' (convert first: x.float())")
        for other in inputs[1:]:
            if other is not None and other.dtype not in (kind, wider(kind)):
                raise DtypeError(
                    f"mixed dtype (CPU): all inputs must share same datatype. ({name}: {kind.name} and "
                    f"{other.dtype.name}; convert one of them, as in x.to({other.dtype!r}))"
                )
        return Dtypes([None] * len(inputs), [wider(kind) if statistic else kind for statistic in outputs])

    return rule


def check_channels(name: str, input: Spec | Tensor, **vectors: Spec | Tensor | None) -> None:
    """Raise unless there are channels, and each vector has one number for each of them."""
    if len(input.shape) < 2:
        raise ShapeError(
            f"Expected at least 2 dimensions for input tensor but received {len(input.shape)} ({name}: "
            "dimension 1 has the "
            "channels)"
        )
    for word, vector in vectors.items():
        if vector is not None and math.prod(vector.shape) != input.shape[1]:
            raise ShapeError(
                f"{word} should contain {input.shape[1]} elements not {math.prod(vector.shape)} ({name}: "
                "input "
                f"{list(input.shape)}, {word} {list(vector.shape)})"
            )


def channel_dims(ndim: int) -> Shape:
    """All dimensions but that of the channels."""
    return (0, *range(2, ndim))


def per_channel(vector: Tensor, ndim: int) -> Tensor:
    """A vector of one number per channel, broadcastable to an input of so many dimensions."""
    return vector.reshape((vector.shape[0], *(1,) * (ndim - 2)))


# Numbers with mean 0 and variance 1 along every dimension that is normalised: samples of a gradient
# need statistics that are those of their input.
SIGNS = Arg((2, 2, 4), values=[[[1, -1, 1, -1], [1, 1, -1, -1]], [[-1, 1, 1, -1], [-1, -1, 1, 1]]])


def affine(normal: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """Scale and shift per channel, computed in the type of what is scaled."""
    if weight is not None:
        normal = normal * per_channel(weight.to(normal.dtype), normal.ndim)
    return normal if bias is None else normal + per_channel(bias.to(normal.dtype), normal.ndim)


def centre(x: Tensor, dims: Shape) -> tuple[Tensor, Tensor]:
    """The mean over dimensions, and the numbers without it.

    The mean is rounded, and far from 0 that would cost the small differences their digits: what is left of it in them
    is taken away as well (T. Chan, G. Golub and R. LeVeque, *The American Statistician* 37, 1983).
    """
    mean = x.mean(dims, True)
    centred = x - mean
    return mean, centred - centred.mean(dims, True)
