"""Values and dtypes."""

from __future__ import annotations

from typing import Any, Final

from dovetail_conformance.semantics.case import Case, refusal, value

nan, inf = float("nan"), float("inf")


def _with_default(torch: Any) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return torch.tensor([1.5]).dtype
    finally:
        torch.set_default_dtype(before)


CASES: Final[tuple[Case, ...]] = (
    value("floats give float32", lambda t: t.tensor([1.5]).dtype, "float32"),
    value("ints give int64", lambda t: t.tensor([1]).dtype, "int64"),
    value("bools give bool", lambda t: t.tensor([True]).dtype, "bool"),
    value("set_default_dtype changes what floats give", _with_default, "float64"),
    value("int32 + float32", lambda t: (t.ones(2, dtype=t.int32) + t.ones(2)).dtype, "float32"),
    value("int64 + Python float", lambda t: (t.tensor([1, 2]) + 0.5).dtype, "float32"),
    value("uint8 + int8", lambda t: (t.ones(2, dtype=t.uint8) + t.ones(2, dtype=t.int8)).dtype, "int16"),
    value(
        "float16 + bfloat16",
        lambda t: (t.ones(2, dtype=t.float16) + t.ones(2, dtype=t.bfloat16)).dtype,
        "float32",
    ),
    value(
        "0-d float64 + 1-d float32", lambda t: (t.tensor(1.0, dtype=t.float64) + t.ones(2)).dtype, "float32"
    ),
    value(
        "0-d float64 + 1-d int64", lambda t: (t.tensor(1.0, dtype=t.float64) + t.tensor([1])).dtype, "float64"
    ),
    value(
        "float64 that was asked for", lambda t: [(t.tensor([0.1], dtype=t.float64) * 3)[0].item()], [0.1 * 3]
    ),
    value("int64 that was asked for", lambda t: t.tensor([2**40 + 1]) * 3, [3 * 2**40 + 3]),
    value(
        "sum of bools",
        lambda t: [t.tensor([True, True]).sum().dtype, t.tensor([True, True]).sum()],
        ["int64", 2],
    ),
    value("sum of int32", lambda t: t.ones(2, dtype=t.int32).sum().dtype, "int64"),
    refusal("mean of ints", lambda t: t.tensor([1, 2]).mean(), RuntimeError, "Long"),
    value(
        "int / int",
        lambda t: [(t.tensor([1, 3]) / t.tensor([2, 2])).dtype, t.tensor([1, 3]) / 2],
        ["float32", [0.5, 1.5]],
    ),
    value("sqrt of ints", lambda t: [t.tensor([4]).sqrt().dtype, t.tensor([4]).sqrt()], ["float32", [2.0]]),
    refusal(
        "int // 0", lambda t: (t.tensor([1]) // t.tensor([0])).tolist(), RuntimeError, "ZeroDivisionError"
    ),
    refusal("int // 0 is a ZeroDivisionError", lambda t: (t.tensor([1]) // 0).tolist(), ZeroDivisionError),
    refusal("int % 0", lambda t: (t.tensor([1]) % t.tensor([0])).tolist(), RuntimeError, "ZeroDivisionError"),
    refusal("int % 0 is a ZeroDivisionError", lambda t: (t.tensor([1]) % 0).tolist(), ZeroDivisionError),
    value("int / 0", lambda t: t.tensor([1, -1, 0]) / 0, [inf, -inf, nan]),
    value(
        "bool + bool",
        lambda t: t.tensor([True, True, False]) + t.tensor([True, False, False]),
        [True, True, False],
    ),
    refusal("bool - bool", lambda t: t.tensor([True]) - t.tensor([True]), RuntimeError, "^", "logical_xor"),
    refusal("int ** negative int", lambda t: t.tensor([2]) ** -1, RuntimeError, "negative"),
    value(
        "int ** tensor of negative ints",
        lambda t: t.tensor([2, 1, -1, -1]) ** t.tensor([-1, -2, -3, -2]),
        [0, 1, -1, 1],
    ),
    value(
        "nan, infinities and the out of range to int32",
        lambda t: t.tensor([nan, inf, -inf, 1e20, -1e20]).to(t.int32),
        [0, 2**31 - 1, -(2**31), 2**31 - 1, -(2**31)],
    ),
    value(
        "nan and the out of range to uint8",
        lambda t: t.tensor([nan, inf, -3.0, 300.0]).to(t.uint8),
        [0, 255, 0, 255],
    ),
    refusal("index 10 of 3", lambda t: t.ones(3)[10], IndexError, "10", "0", "3"),
    refusal(
        "index 10 of 3 by a tensor", lambda t: t.ones(3)[t.tensor([10])].tolist(), IndexError, "10", "0", "3"
    ),
    value("max of nan", lambda t: t.tensor([1.0, nan, 2.0]).max(), nan),
    value("argmax of nan", lambda t: t.tensor([1.0, nan, 2.0]).argmax(), 1),
    value("argmax of ties is the first", lambda t: t.tensor([1.0, 3.0, 3.0]).argmax(), 1),
    value("sort puts nan last", lambda t: t.tensor([nan, 2.0, 1.0]).sort()[0], [1.0, 2.0, nan]),
    value(
        "a stable sort keeps ties in order",
        lambda t: t.sort(t.tensor([1, 0, 1, 0]), stable=True)[1],
        [1, 3, 0, 2],
    ),
    value("sum of nothing", lambda t: t.ones(0).sum(), 0.0),
    value("mean of nothing", lambda t: t.ones(0).mean(), nan),
    refusal("max of nothing", lambda t: t.ones(0).max(), RuntimeError, "dim"),
    value("round", lambda t: t.tensor([0.5, 1.5, 2.5, -0.5]).round(), [0.0, 2.0, 2.0, -0.0]),
    value("sign", lambda t: t.tensor([nan, -0.0, -3.0]).sign(), [0.0, 0.0, -1.0]),
    value("fmod", lambda t: [t.fmod(t.tensor([-7.0]), 3), t.fmod(t.tensor([-7]), 3)], [[-1.0], [-1]]),
    value(
        "remainder",
        lambda t: [t.remainder(t.tensor([-7.0]), 3), t.remainder(t.tensor([-7]), 3)],
        [[2.0], [2]],
    ),
)
