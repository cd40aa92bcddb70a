"""Connectionist temporal classification: the likelihood of a label sequence over all alignments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail import dtypes
from dovetail.dispatch.reading import host_values
from dovetail.errors import ArgumentRuntimeError, DovetailError, DtypeError, ShapeError
from dovetail.ops.comparison import select_by
from dovetail.ops.creation import iota
from dovetail.ops.definition import ValueCheck, op
from dovetail.ops.joining import cat, stack
from dovetail.ops.precision import wider
from dovetail.record.agree import Agree
from dovetail.record.rules import INDEX_TYPES, Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

NEVER = -1e30
"""The logarithm of an impossible event: finite, so that differences of two of them are numbers."""


def _wrong_lengths(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, *, blank: int
) -> Tensor:
    steps, longest = log_probs.shape[0], targets.shape[1]
    short: Tensor = ((input_lengths < 0) | (input_lengths > steps)).any()
    long: Tensor = ((target_lengths < 0) | (target_lengths > longest)).any()
    return short | long


def _wrong_lengths_error(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, *, blank: int
) -> DovetailError:
    steps, given = log_probs.shape[0], host_values(input_lengths)
    if ((given < 0) | (given > steps)).any():
        at = int(((given < 0) | (given > steps)).argmax())
        return ArgumentRuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {int(given[at])} (while checking "
            "arguments for ctc_loss)"
        )
    return ArgumentRuntimeError(
        f"Expected tensor to have size at least {int(host_values(target_lengths).max())} at dimension 1, but got "
        f"size {targets.shape[1]} for targets (while checking arguments for ctc_loss)"
    )


def _shape(log_probs: Spec, targets: Spec, input_lengths: Spec, target_lengths: Spec, *, blank: int) -> tuple[int, ...]:
    if log_probs.ndim != 3 or targets.ndim != 2:
        raise ShapeError(f"ctc_loss: log_probs (T, N, C) and targets (N, S), got {log_probs.shape} and {targets.shape}")
    _, batch, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise ArgumentRuntimeError(f"blank must be in label range (ctc_loss: got {blank}, there are {classes} classes)")
    for word, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        if tuple(lengths.shape) != (batch,):
            raise ArgumentRuntimeError(
                f"{word} must be of size batch_size (ctc_loss: {list(lengths.shape)}, batch {batch})"
            )
    if targets.shape[0] != batch:
        raise ShapeError(f"ctc_loss: {targets.shape[0]} rows of targets for a batch of {batch}")
    return (batch,)


def _dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    scores, targets = inputs[:2]
    assert scores is not None, "log_probs are never absent"
    assert targets is not None, "targets are never absent"
    if not scores.dtype.is_floating_point:
        raise DtypeError(f"\"ctc_loss\" not implemented for '{scores.dtype.legacy_name}' (convert first: x.float())")
    if targets.dtype not in INDEX_TYPES:
        raise DtypeError(f"Expected targets to be Long or Int, got {targets.dtype.legacy_name} (ctc_loss)")
    return Dtypes([None, dtypes.int64, dtypes.int64, dtypes.int64], [scores.dtype])


_SCORES = Arg((5, 2, 4), low=-4, high=0)
_TARGETS = Arg((2, 3), dtype="int64", values=[[1, 2, 2], [3, 1, 0]])


def _counts(*values: int) -> Arg:
    return Arg((len(values),), dtype="int64", values=list(values))


@op(
    shape=_shape,
    dtype=_dtypes,
    checks=(ValueCheck(_wrong_lengths, _wrong_lengths_error),),
    internal=True,
    samples=calls(
        call(_SCORES, _TARGETS, _counts(5, 4), _counts(3, 2), blank=0),
        call(_SCORES, Arg((2, 1), dtype="int64", values=[[1], [2]]), _counts(3, 5), _counts(0, 1), blank=3),
        errors=(
            error(RuntimeError, "blank must be in label range", _SCORES, _TARGETS, _counts(5, 4), _counts(3, 2), 4),
            error(
                RuntimeError,
                "input_lengths to have value at most 5",
                _SCORES, _TARGETS, _counts(5, 6), _counts(3, 2), 0,
            ),
            error(RuntimeError, "must be of size batch_size", _SCORES, _TARGETS, _counts(5), _counts(3, 2), 0),
        ),
    ),
    agree=Agree.running(),
    autocast={"cpu": "float32"},
)  # fmt: skip
def ctc_negative_log_likelihood(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int
) -> Tensor:
    """Minus the logarithm of the probability of each target, inf where no alignment is long enough.

    The forward recursion over the extended labels (blank, first label, blank, second, ..., blank) of Graves et al.,
    *Connectionist temporal classification*, ICML 2006, section 4.1, in logarithms.

    Shapes: log_probs (T, N, C), targets (N, S), lengths (N); result (N).
    """
    labels = _extended(targets, blank)
    steps, batch, _ = log_probs.shape
    width = labels.shape[1]
    scores = log_probs.to(wider(log_probs.dtype))
    emitted = scores.gather(2, labels.unsqueeze(0).expand(steps, batch, width))
    # A blank may be left out between two labels that differ.
    different = (labels[:, 2:] != labels[:, :-2]) & (labels[:, 2:] != blank) if width > 1 else labels[:, 2:] != blank
    places = iota(labels.new_zeros(()), width)
    state = select_by(places < 2, emitted[0], NEVER) if steps else scores.new_full((batch, width), NEVER)
    edge = scores.new_full((batch, 2), NEVER)
    for step in range(1, steps):
        one = cat([edge[:, :1], state[:, :-1]], 1)
        ways = [state, one]
        if width > 2:
            ways.append(cat([edge, select_by(different, state[:, :-2], NEVER)], 1))
        moved = stack(ways).logsumexp(0) + emitted[step]
        state = select_by((input_lengths > step).unsqueeze(1), moved, state)
    return _likelihood(state, input_lengths, target_lengths).to(log_probs.dtype)


def _extended(targets: Tensor, blank: int) -> Tensor:
    """Blanks before, between and after the labels."""
    batch, longest = targets.shape
    blanks = targets.new_full((batch, longest), blank)
    pairs = stack([blanks, targets], 2).reshape(batch, 2 * longest)
    return cat([pairs, targets.new_full((batch, 1), blank)], 1)


def _likelihood(state: Tensor, input_lengths: Tensor, target_lengths: Tensor) -> Tensor:
    last = (target_lengths * 2).unsqueeze(1)
    found = state.gather(1, last).squeeze(1)
    before = state.gather(1, (last - 1).clamp(min=0)).squeeze(1)
    empty = target_lengths == 0
    total = stack([found, select_by(empty, NEVER, before)]).logsumexp(0)
    # Without any step only the empty label sequence is possible, and certain.
    loss = select_by(total < NEVER / 2, float("inf"), -total)
    return select_by(input_lengths == 0, select_by(empty, loss.new_zeros(()), float("inf")), loss)
