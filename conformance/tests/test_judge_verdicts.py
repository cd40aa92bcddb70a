"""Running errors, distributions, and verdicts with the programs that they print."""

from __future__ import annotations

import math
import sys
import types

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.record.agree import Agree, Growth
from dovetail_conformance.judge import (
    FORMATS,
    Case,
    Running,
    derivative,
    evaluate,
    exact_sum,
    format_of,
    judge,
    judge_continuous,
    judge_counts,
    merged,
    ulps,
)

F32, BF16 = FORMATS["float32"], FORMATS["bfloat16"]
SUM = Agree.terms(k=Growth(log2=1, plus=32))
EXP = Agree.ulp(f32=3, f64=1.5)


def normal(seed, shape, dtype=np.float32, scale=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


# ------------------------------------------------------------ running error


def bounds(name):
    """What the ops of an ordinary float32 library keep."""
    if name in ("sum", "mean", "matmul"):
        return SUM
    return Agree.exact() if name in ("add", "sub", "mul", "div", "sqrt") else Agree.ulp(f32=4.5, f64=2.5)


def softmax(m, x):
    powers = m.exp(x - m.amax(x, -1, keepdim=True))
    return powers / m.sum(powers, -1, keepdim=True)


def numpy_softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_running_error_of_softmax(seed):
    x = normal(seed, (8, 50), scale=10.0)
    running = softmax(m := Running("float32", bounds), m.number(x))
    expected = evaluate(softmax, x, elementwise=False)
    case = Case("softmax", "float32", {"input": x}, {"dim": -1}, elementwise=False)
    got = numpy_softmax(x)
    assert judge(Agree.running(), got, expected, case, running=running)
    verdict = judge(Agree.running(), got * np.float32(1 + 1e-4), expected, case, running=running)
    assert (verdict.kind, verdict.bound) == ("C", 1)
    assert verdict.worst > 1
    dropped = numpy_softmax(x[:, :-1])
    assert not judge(Agree.running(), np.pad(dropped, ((0, 0), (0, 1))), expected, case, running=running)


def test_running_error_of_gradients():
    """1 - tanh^2 is millions of ULP off, as it must be; 1.0005 times that is still caught."""
    x = normal(9, 500, scale=4.0)

    def formula(m, x):
        return 1 - m.square(m.tanh(x))

    running = formula(m := Running("float32", bounds), m.number(x))
    expected = derivative(lambda m, x: m.tanh(x), x)
    out = np.tanh(x)
    got = 1 - out * out
    case = Case(
        "tanh", "float32", {"input": x}, call="torch.autograd.grad(torch.tanh(input).sum(), input)[0]"
    )
    assert np.abs(ulps(got, expected.value, F32)).max() > 1000
    assert judge(Agree.running(), got, expected, case, running=running)
    assert not judge(Agree.running(), got * np.float32(1.0005), expected, case, running=running)
    assert not judge(Agree.running(), -got, expected, case, running=running)


leaves = st.sampled_from(["x", "y", "m.number(0.1)", "m.number(3.0)"])
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*/"), inner, inner).map(lambda t: f"({t[1]} {t[0]} {t[2]})"),
        st.tuples(st.sampled_from(["sqrt", "exp", "log", "tanh", "abs"]), inner).map(
            lambda t: f"m.{t[0]}({t[1]})"
        ),
    ),
    max_leaves=8,
)


class PlainFloat32:
    """The arithmetic of a library: float32 in, float32 out."""

    sqrt, exp, log, tanh, abs, number = np.sqrt, np.exp, np.log, np.tanh, np.abs, np.float32


@settings(deadline=None, max_examples=150)
@given(trees, st.integers(0, 5))
def test_running_error_bounds_what_float32_does(tree, seed):
    formula = eval(f"lambda m, x, y: x * m.number(0.0) + {tree}")
    x, y = normal(seed, 8), normal(seed + 10, 8)
    maths = Running("float32", bounds)
    running = formula(maths, maths.number(x), maths.number(y))
    expected = evaluate(formula, x, y)
    with np.errstate(all="ignore"):
        got = formula(PlainFloat32, x, y)
        off = np.abs(got.astype(np.longdouble) - expected.value)
    usable = np.isfinite(running.error) & np.isfinite(expected.value) & np.isfinite(got)
    # First order: where the bound is a good part of the value itself, it does not promise anything.
    usable &= running.error < 1e-3 * (np.abs(expected.value) + 1)
    assert np.all(off[usable] <= 1.01 * running.error[usable] + expected.radius[usable])


def test_running_error_of_reductions_is_their_own_bound_and_that_of_their_terms():
    maths = Running("float32", bounds)
    x = maths.number(np.full(1000, 0.125, np.float32))
    unit, half = 2.0**-24, 2.0**-18  # half an ULP of 125
    assert maths.sum(x).error == pytest.approx(42 * unit * 125 + half, rel=1e-6)
    assert maths.mean(x).error == pytest.approx(42 * unit * 0.125 + 2.0**-28, rel=1e-6)
    assert maths.dot(x, x).error == pytest.approx(42 * unit * 125 / 8 + 2.0**-21, rel=1e-6)
    # Each product is half an ULP off; 2^-6 is a power of two, where the smaller ULP counts.
    assert maths.sum(x * x).error == pytest.approx(42 * unit * 125 / 8 + 2.0**-21 + 1000 * 2.0**-31, rel=1e-6)
    # Errors of the operands count with what they are multiplied by.
    y = x * x
    assert maths.dot(y, x).error == pytest.approx(
        42 * unit * 125 / 64 + 2.0**-24 + 1000 * y.error[0] / 8, rel=1e-6
    )
    assert maths.dot(x, y).error == maths.dot(y, x).error
    narrow = Running("bfloat16", bounds)
    assert narrow.sum(narrow.number(x.value)).error == pytest.approx(42 * unit * 125 + 0.25, rel=1e-6)


def test_running_error_is_carried_by_the_slope():
    maths = Running("float32", lambda name: Agree.rounded())
    three = np.array([3.0], np.float32)
    product = maths.number(three) * three  # 9, half an ULP off
    half = 2.0**-21
    assert maths.exp(product).error == pytest.approx(np.exp(9.0) * half + 2.0**-12, rel=1e-4)
    assert maths.log(product).error == pytest.approx(half / 9 + 2.0**-23, rel=1e-4)
    assert maths.sqrt(product).error == pytest.approx(half / 6 + 2.0**-23, rel=1e-4)
    # The slope of the root at zero is infinite, the root of a small error is not.
    assert maths.sqrt(product - 9.0).error == pytest.approx(np.sqrt(half), rel=1e-2)


def test_running_error_of_other_sums():
    a, b = normal(1, (2, 30)), normal(2, 5)

    def smooth(a, b):
        return np.stack([np.convolve(row, b, "valid") for row in a])

    def formula(m, a, b):
        return m.linear("sum", lambda x: np.cumsum(x, 1), m.bilinear("matmul", smooth, a, b, 5), 26)

    running = formula(maths := Running("float32", bounds), maths.number(a), maths.number(b))
    expected = evaluate(formula, a, b, elementwise=False)
    got = np.cumsum(smooth(a, b), 1)
    case = Case("both", "float32", {"input": a, "other": b}, elementwise=False)
    assert judge(Agree.running(), got, expected, case, running=running)
    assert not judge(Agree.running(), got * np.float32(1.001), expected, case, running=running)
    wide = np.cumsum(smooth(a.astype(np.longdouble), b.astype(np.longdouble)), 1)
    assert expected.rounded(F32).tolist() == wide.astype(np.float32).tolist()


def test_running_error_of_a_flushing_device():
    x = np.array([1e-30, 1.0], np.float32)
    square = Running("float32", bounds, flush=True)
    assert (square.number(x) * x).error.tolist() == pytest.approx(
        [F32.smallest_normal, 2.0**-25], rel=1e-6, abs=0
    )


def test_running_error_knows_overflow_constants_and_its_gaps():
    maths = Running("float32", bounds)
    x = np.array([-100.0, 1.0], np.float32)
    naive = 1 / (1 + maths.exp(-maths.number(x)))
    assert np.isinf(naive.error[0])
    assert naive.error[1] < 1e-6
    expected = evaluate(lambda m, x: m.sigmoid(x), x)
    got = np.array([0, expected.rounded(F32)[1]], np.float32)
    case = Case("sigmoid", "float32", {"input": x})
    verdict = judge(Agree.running(), got, expected, case, running=naive)
    assert (verdict.ok, verdict.excluded) == (True, 1)
    # Where nothing at all has a bound, nothing was shown.
    case = Case("sigmoid", "float32", {"input": x[:1]})
    lonely = judge(
        Agree.running(), got[:1], evaluate(lambda m, x: m.sigmoid(x), x[:1]), case, running=naive[:1]
    )
    assert not lonely
    assert "no element has a bound" in lonely.message
    assert maths.number(0.5).error == 0 < maths.number(0.1).error < 2.0**-27
    composite = Running("float32", lambda name: Agree.running())
    with pytest.raises(ValueError, match="exp is a composite: run its decomposition"):
        composite.exp(x)


# ------------------------------------------------------------ distributions


def test_distributions_pass_and_faults_do_not():
    rng = np.random.Generator(np.random.Philox(key=1))
    case = Case("rand", "float32", {})
    uniform = rng.random(200_000, dtype=np.float32)
    assert judge_continuous(uniform, lambda x: np.clip(x, 0, 1), case)
    verdict = judge_continuous(uniform**1.03, lambda x: np.clip(x, 0, 1), case)
    assert not verdict
    assert "Kolmogorov-Smirnov gives p = " in verdict.message
    assert not judge_continuous(np.array([0.5, np.nan]), lambda x: np.clip(x, 0, 1), case)
    normal_cdf = np.vectorize(lambda x: (1 + math.erf(x / math.sqrt(2))) / 2)
    assert judge_continuous(rng.normal(size=50_000), normal_cdf, case)
    assert not judge_continuous(rng.normal(scale=1.05, size=50_000), normal_cdf, case)
    dice = np.bincount(rng.integers(0, 6, 100_000), minlength=6)
    assert judge_counts(dice, np.full(6, 1 / 6), case)
    assert not judge_counts(dice + np.array([900, 0, 0, 0, 0, 0]), np.full(6, 1 / 6), case)
    assert not judge_counts([5, 5, 1], [0.5, 0.5, 0], case)
    # Outcomes too rare for the test are pooled: one of them is no surprise.
    assert judge_counts([500, 499, 1, 0], [0.5, 0.5 - 2e-5, 1e-5, 1e-5], case)
    assert judge_counts([2, 1], [0.5, 0.5], case)
    with pytest.raises(ValueError, match="no draws"):
        judge_continuous([], normal_cdf, case)


def test_p_values_are_uniform_under_the_hypothesis():
    """The judges' own p-values: about a tenth of honest experiments fall below 0.1."""
    rng = np.random.default_rng(0)
    case = Case("rand", "float64", {})
    low = [judge_continuous(rng.random(400), lambda x: x, case).worst > 1 for _ in range(400)]
    counted = [
        judge_counts(rng.multinomial(1000, [0.2, 0.3, 0.5]), [0.2, 0.3, 0.5], case).worst > 1
        for _ in range(400)
    ]
    for hits in (low, counted):
        assert 20 < sum(hits) < 64


# ------------------------------------------------------------ verdicts and programs


def run_snippet(verdict, monkeypatch, capsys, ops):
    """Run the program of a verdict against a small stand-in for dovetail."""

    class Tensor:
        def __init__(self, data):
            self.data = data

        def detach(self):
            return self

        def numpy(self):
            return self.data

    module = types.ModuleType("dovetail")
    module.bfloat16 = BF16.dtype
    for name in ("float16", "float32", "float64", "int32", "int64", "bool"):
        setattr(module, name, np.dtype(name))
    module.tensor = lambda data, dtype, device=None: Tensor(np.asarray(data).astype(dtype))
    for name, compute in ops.items():
        setattr(
            module,
            name,
            lambda *args, compute=compute, **params: Tensor(
                compute(*(a.data if isinstance(a, Tensor) else a for a in args), **params)
            ),
        )
    monkeypatch.setitem(sys.modules, "dovetail", module)
    exec(verdict.snippet(), {})
    return capsys.readouterr().out.strip()


def test_a_failing_verdict_says_everything_and_runs(monkeypatch, capsys):
    x = np.array([1.0, 42.188, 3.0], np.float32)
    got = np.exp(x)
    got[1] *= np.float32(1.000001)
    case = Case("exp", "float32", {"input": x}, device="numpy:cpu:0")
    verdict = judge(EXP, got, evaluate(lambda m, x: m.exp(x), x), case)
    for part in ("exp float32 on numpy:cpu:0: ", " ULP, at most 3 allowed; 1 of 3 elements fail", "at [1]: "):
        assert part in verdict.message
    assert "input = 0x4228c083 (42.188)" in verdict.message
    assert "expected 0x5de90996 (2.0990147e+18), exactly 2.0990147153229" in verdict.message
    assert "got      0x5de909a6 (2.0990169e+18)" in verdict.message
    assert "import dovetail as torch" in verdict.message
    with pytest.raises(AssertionError, match="exp float32"):
        verdict.check()
    printed = run_snippet(verdict, monkeypatch, capsys, {"exp": np.exp})
    assert printed == str(np.exp(x[1:2])[0])
    row = verdict.row()
    assert (row["op"], row["class"], row["bound"], row["status"]) == ("exp", "U", 3.0, "fail")
    assert row["at"] == {"input": "0x4228c083"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("n", [7, 3000])
def test_the_program_of_a_reduction_holds_its_whole_input(monkeypatch, capsys, dtype, n):
    x = normal(7, (2, n), dtype)
    fmt = format_of(x)
    case = Case("sum", fmt.name, {"input": x}, {"dim": 1}, elementwise=False)
    verdict = judge(SUM, np.full(2, 1e3, dtype), exact_sum(x, 1), case)
    seen = []
    run_snippet(verdict, monkeypatch, capsys, {"sum": lambda a, dim: seen.append(a) or a.sum(dim)})
    assert seen[0].tobytes() == x.tobytes()
    assert seen[0].shape == x.shape
    assert ("import dovetail" in verdict.message) == (n == 7)
    assert len(verdict.message) < 1500


def test_a_program_keeps_special_values_scalars_and_integers(monkeypatch, capsys):
    x = np.array([np.nan, -0.0, np.inf], np.float32)
    case = Case("mul", "float32", {"input": x, "other": 0.1, "times": np.array([3, 2, 1])})
    verdict = judge(Agree.exact(), x, -x, case)
    seen = []
    run_snippet(verdict, monkeypatch, capsys, {"mul": lambda *a: seen.append(a) or a[0]})
    ((input, other, times),) = seen
    assert (str(input[0]), other, times[0], times.dtype) == ("inf", 0.1, 1, np.int64)
    small = Case("mul", "int32", {"flag": np.array([True]), "z": np.array([1 + 2j])}, elementwise=False)
    text = judge(Agree.exact(), np.ones(1, np.int32), np.zeros(1, np.int32), small).snippet()
    assert "[True], dtype=torch.bool" in text
    assert "complex(float.fromhex('0x1.0000000000000p+0')" in text


def test_pieces_of_a_test_are_merged():
    x = normal(8, 64)
    expected = evaluate(lambda m, x: m.exp(x), x)
    good = judge(EXP, np.exp(x), expected, Case("exp", "float32", {"input": x}))
    bad = judge(EXP, np.exp(x) * np.float32(1.001), expected, Case("exp", "float32", {"input": x}))
    whole = merged([good, bad, good])
    assert (whole.ok, whole.tested, whole.failures) == (False, 192, bad.failures)
    assert whole.worst == bad.worst
    assert whole.correctly_rounded == pytest.approx((2 * good.correctly_rounded + bad.correctly_rounded) / 3)
    assert merged([good, good])
    with pytest.raises(ValueError, match="no verdict"):
        merged([])


def test_empty_and_scalar_results():
    empty = np.zeros((0, 3), np.float32)
    verdict = judge(
        EXP, empty, evaluate(lambda m, x: m.exp(x), empty), Case("exp", "float32", {"input": empty})
    )
    assert (verdict.ok, verdict.tested) == (True, 0)
    x = np.float32(2)
    verdict = judge(EXP, np.exp(x), evaluate(lambda m, x: m.exp(x), x), Case("exp", "float32", {"input": x}))
    assert (verdict.ok, verdict.index) == (True, ())
