"""The parts of a floating-point number: mantissa and exponent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from dovetail import dtypes
from dovetail.errors import DtypeError
from dovetail.ops.comparison import select_by
from dovetail.ops.definition import front, op
from dovetail.record.agree import Agree
from dovetail.record.rules import Dtypes
from dovetail.record.samples import Arg, call, calls, error
from dovetail.tensor.spec import Spec
from dovetail.tensor.tensor import Tensor

_RANGE: Final = {"float64": 10, "float32": 7, "bfloat16": 7, "float16": 4}
"""The power of two of the largest step that scales the type's numbers exactly."""


def _dtypes(inputs: Sequence[Spec | None], statics: dict[str, Any]) -> Dtypes:
    first = inputs[0]
    assert first is not None, "there is an input"
    if not first.dtype.is_floating_point:
        raise DtypeError("torch.frexp() only supports floating-point dtypes (write x.float())")
    return Dtypes([None], [first.dtype, dtypes.int32])


@op(
    shape=lambda input: [input.shape, input.shape],
    dtype=_dtypes,
    outputs=("mantissa", "exponent"),
    internal=True,
    samples=calls(
        call(Arg((5,), low=-100.0, high=100.0)),
        call(Arg((2, 3), low=1e-3, high=1e3, log=True)),
        call(Arg((4,), values=[0.0, 1.0, -0.5, 3.0]), grad=False),
        errors=(error(RuntimeError, "only supports floating-point dtypes", Arg((2,), dtype="int64")),),
    ),
    agree=Agree.exact(),
)
def mantissa_and_exponent(input: Tensor) -> tuple[Tensor, Tensor]:
    """``x = m 2**e`` with ``0.5 <= abs(m) < 1``; for 0, infinities and nan m is x and e is 0.

    Halvings and doublings by 2**512, 2**256, ... until the number is in range: every one of them is exact.
    """
    size = input.abs()
    ordinary = (size > 0) & (size < math.inf)
    m = select_by(ordinary, size, 0.5)
    e = (m * 0).to(dtypes.int32)
    longest = _RANGE[input.dtype.name] - 1
    # The longest step twice, for numbers below the smallest normal one.
    for power in (longest, *reversed(range(longest + 1))):
        step = 2**power
        high = m >= 2.0**step
        low = m < 2.0**-step
        m = select_by(high, m * 2.0**-step, select_by(low, m * 2.0**step, m))
        e = e + high.to(dtypes.int32) * step - low.to(dtypes.int32) * step
    # What is left lies between 1/2 and 2; below 1/2 it has been doubled once too often for the smallest numbers.
    high, low = m >= 1, m < 0.5
    m = select_by(high, m * 0.5, select_by(low, m * 2, m))
    e = e + high.to(dtypes.int32) - low.to(dtypes.int32)
    return select_by(ordinary, select_by(input < 0, -m, m), input), select_by(ordinary, e, 0)


# The exponent is constant but for jumps: m = x 2**-e.
mantissa_and_exponent.vjp(input=lambda g, exponent: g * (-exponent).to(g.dtype).exp2())


class MantissaExponent(NamedTuple):
    """The two parts of each number."""

    mantissa: Tensor
    exponent: Tensor


@front(method=True)
def frexp(input: Tensor) -> MantissaExponent:
    """Each number as ``mantissa * 2**exponent`` with a mantissa from 0.5 to below 1 in size, and an int32 exponent.

    >>> import dovetail
    >>> [x.tolist() for x in dovetail.frexp(dovetail.tensor([8.0, 0.75]))]
    [[0.5, 0.75], [4, 0]]
    """
    return MantissaExponent(*mantissa_and_exponent(input))
