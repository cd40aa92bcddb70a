"""Dropout: elements set to zero at random, the rest made larger so that the expectation stays."""

from __future__ import annotations

from dovetail.errors import ArgumentError
from dovetail.ops.definition import front, op
from dovetail.ops.random import dropout_mask
from dovetail.record import rules
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls
from dovetail.tensor.tensor import Tensor


@op(
    shape=rules.like_first,
    dtype=rules.require_floating("dropout"),
    internal=True,
    samples=calls(
        call(Arg((2, 3)), Arg((2, 3), dtype="bool"), 2.0),
        call(Arg((4,)), Arg((4,), dtype="bool"), 1.25),
    ),
    agree=Agree.exact(),
    backward_name="MulBackward0",
)
def masked_scale(input: Tensor, mask: Tensor, scale: float) -> Tensor:
    """``input * scale`` where the mask holds, else 0 times the input."""
    return input * (mask.to(input.dtype) * scale)


masked_scale.vjp(input=lambda g, mask, *, scale: masked_scale(g, mask, scale))


@front(method=False)
def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """In training, each element set to zero with probability ``p``, the rest divided by 1 - p.

    Source: Hinton et al. 2012, arXiv:1207.0580. The mask is drawn from the shared stream, so it depends on
    the seed alone, not on the backend.
    """
    if not 0 <= p <= 1:
        raise ArgumentError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    keep = 1.0 - p
    mask = dropout_mask(input.shape, keep, input.device)
    return masked_scale(input, mask, 1.0 / keep if keep else 0.0)
