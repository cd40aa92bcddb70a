"""Covariances and correlations of the rows of a matrix."""

from __future__ import annotations

import warnings

from dovetail.errors import ArgumentRuntimeError, ShapeError
from dovetail.ops.definition import front, op
from dovetail.ops.exponential import sqrt
from dovetail.record.agree import Agree
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.tensor import Tensor


@op(
    internal=True,
    samples=calls(
        call(Arg((3, 5))),
        call(Arg((4,)), correction=0),
        call(
            Arg((2, 4)),
            fweights=Arg((4,), dtype="int64", values=[1, 2, 1, 3]),
            aweights=Arg((4,), low=0.5, grad=False),
        ),
        call(Arg((2, 4)), aweights=Arg((4,), low=0.5, grad=False), correction=0),
        errors=(
            error(RuntimeError, "expected input to have two or fewer dimensions", Arg((2, 3, 4))),
            error(
                RuntimeError,
                "expected fweights to have one or fewer dimensions",
                Arg((2, 2)),
                fweights=Arg((1, 2), dtype="int64", values=[[1, 1]]),
            ),
        ),
    ),
    agree=Agree.running(),
)
def covariances(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariances of the rows over the columns; see :func:`cov`."""
    if input.ndim > 2:
        raise ShapeError(f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim}")
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    count = rows.shape[1]
    weights = _weights(rows, fweights, aweights)
    if weights is None:
        total: Tensor | int = count
        centred = rows - rows.mean(1, keepdim=True)
        freedom: Tensor | int = count - correction
        scaled = centred
    else:
        total = weights.sum()
        centred = rows - (rows * weights).sum(1, keepdim=True) / total
        taken = correction if aweights is None else correction * (weights * aweights).sum() / total
        freedom = total - taken
        scaled = centred * weights
    if isinstance(freedom, int):
        freedom = max(freedom, 0)
    result = scaled @ centred.t() / freedom
    return result.reshape(()) if input.ndim < 2 else result


def _weights(rows: Tensor, fweights: Tensor | None, aweights: Tensor | None) -> Tensor | None:
    for word, given in (("fweights", fweights), ("aweights", aweights)):
        if given is None:
            continue
        if given.ndim > 1:
            raise ShapeError(
                f"cov(): expected {word} to have one or fewer dimensions but got {word} with {given.ndim} dimensions"
            )
        if given.numel() != rows.shape[1]:
            raise ShapeError(
                f"cov(): expected {word} to have the same numel as there are observations in the input but got "
                f"{given.numel()} != {rows.shape[1]}"
            )
    if fweights is not None and fweights.is_floating_point():
        raise ArgumentRuntimeError(
            f"cov(): expected fweights to have integral dtype but got fweights with {fweights.dtype} dtype"
        )
    present = [given.to(rows.dtype) for given in (fweights, aweights) if given is not None]
    if not present:
        return None
    return present[0] if len(present) == 1 else present[0] * present[1]


@front(method=True)
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """The covariances of the rows, which are variables, over the columns, which are observations.

    Shapes: input (variables, observations), (observations) or (); weights (observations): how often each observation
    counts, and how much. ``correction`` is taken from the number of observations.

    >>> import dovetail
    >>> dovetail.cov(dovetail.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    count = input.shape[-1] if input.ndim else 1
    if fweights is None and aweights is None and count <= correction:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
    return covariances(input, correction=correction, fweights=fweights, aweights=aweights)


@op(
    method=True,
    samples=calls(
        call(Arg((3, 5))),
        call(Arg((4,)), grad=False),
        errors=(error(RuntimeError, "expected input to have two or fewer dimensions", Arg((2, 3, 4))),),
    ),
    agree=Agree.running(),
)
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation coefficients of the rows, which are variables; each is at most 1 in size.

    Shapes: as of :func:`cov`.
    """
    if input.ndim > 2:
        raise ShapeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    found = covariances(input)
    if not found.ndim:
        return found / found
    deviations = sqrt(found.diagonal())
    return (found / deviations.unsqueeze(1) / deviations.unsqueeze(0)).clamp(min=-1, max=1)
