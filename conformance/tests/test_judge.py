"""The judge finds every planted fault, by the class meant for it, and raises no false alarm."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from dovetail.record.agree import Agree, Growth
from dovetail_conformance.judge import (
    FORMATS,
    Case,
    evaluate,
    exact_cumsum,
    exact_matmul,
    exact_mean,
    exact_prod,
    exact_sum,
    exact_var,
    flush,
    judge,
    round_to,
)
from dovetail_conformance.judge.ulp import fraction_ulp, round_fraction

F32, F64, F16, BF16 = (FORMATS[n] for n in ("float32", "float64", "float16", "bfloat16"))
SUM = Agree.terms(k=Growth(log2=1, plus=32))
EXP = Agree.ulp(f32=3, f64=1.5)
MATMUL = Agree.terms(k=Growth(linear=1), typical=8)
SEEDS = range(20)


def normal(seed, shape, dtype=np.float32, scale=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def patterns(seed, count):
    """float32 numbers of every magnitude, with the special ones."""
    words = np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint32)
    edges = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-45, 1.1754944e-38, 3.4e38], np.float32
    )
    return np.concatenate([words.view(np.float32), edges])


# ------------------------------------------------------------ planted faults, class by class


def spread_by(values, steps, seed):
    """Each value moved by so many numbers of its format, up or down by chance."""
    signs = np.random.default_rng(seed).choice([-1, 1], values.shape)
    for _ in range(steps):
        values = np.nextafter(values, np.where(signs > 0, np.inf, -np.inf).astype(values.dtype))
    return values


def test_fault_exp_two_ulp_worse():
    x = normal(0, 20000, scale=20.0)
    expected = evaluate(lambda m, x: m.exp(x), x)
    case = Case("exp", "float32", {"input": x})
    honest = np.exp(x)
    assert judge(EXP, honest, expected, case)
    verdict = judge(EXP, spread_by(honest, 2, 0), expected, case)
    assert not verdict
    assert (verdict.kind, verdict.unit, verdict.bound) == ("U", "ULP", 3)
    assert 3 < verdict.worst < 9


def test_fault_exp_wrong_on_exactly_one_input():
    x = np.arange(0x3F800000, 0x3F800000 + 4096, dtype=np.uint32).view(np.float32)
    expected = evaluate(lambda m, x: m.exp(x), x)
    got = expected.rounded(F32)
    case = Case("exp", "float32", {"input": x})
    assert judge(EXP, got, expected, case).correctly_rounded == 1
    got[1234] = spread_by(got[1234:1235], 4, 0)[0]
    verdict = judge(EXP, got, expected, case)
    assert (verdict.failures, verdict.index) == (1, (1234,))
    assert verdict.at == {"input": "0x3f8004d2"}


def test_fault_log1p_as_log_of_1_plus_x():
    x = np.abs(normal(1, 2000, scale=1e-6))
    expected = evaluate(lambda m, x: m.log1p(x), x)
    case = Case("log1p", "float32", {"input": x})
    agree = Agree.ulp(f32=2, f64=1.5)
    assert judge(agree, np.log1p(x), expected, case)
    assert judge(agree, np.log(1 + x), expected, case).worst > 10000


def test_fault_expm1_as_exp_minus_1():
    x = normal(1, 2000, scale=1e-5)
    expected = evaluate(lambda m, x: m.expm1(x), x)
    case = Case("expm1", "float32", {"input": x})
    agree = Agree.ulp(f32=3, f64=1.5)
    assert judge(agree, np.expm1(x), expected, case)
    assert not judge(agree, np.exp(x) - np.float32(1), expected, case)


def test_fault_division_by_reciprocal():
    x = normal(2, 3000)
    expected = evaluate(lambda m, x: x / 3, x)
    case = Case("div", "float32", {"input": x, "other": 3.0})
    assert judge(Agree.rounded(), x / np.float32(3), expected, case)
    verdict = judge(Agree.rounded(), x * (np.float32(1) / np.float32(3)), expected, case)
    assert verdict.kind == "CR"
    assert 0.2 < verdict.failures / verdict.tested < 0.5


def test_fault_sequential_float32_sum():
    x = np.full(100_000, 0.1, np.float32)
    expected = exact_sum(x)
    case = Case("sum", "float32", {"input": x}, elementwise=False)
    assert judge(SUM, np.sum(x), expected, case)
    verdict = judge(SUM, np.cumsum(x)[-1], expected, case)
    assert not verdict
    assert verdict.bound == 49 < verdict.worst


def test_fault_sequential_sum_over_axis_0():
    x = np.full((100_000, 2), 0.1, np.float32)
    expected = exact_sum(x, 0)
    case = Case("sum", "float32", {"input": x}, {"dim": 0}, elementwise=False)
    assert not judge(SUM, np.sum(x, axis=0), expected, case)  # what NumPy does
    assert judge(SUM, np.sum(x.T.copy(), axis=1), expected, case)


def test_fault_last_element_dropped():
    x = np.random.default_rng(3).uniform(size=1000).astype(np.float32)
    case = Case("sum", "float32", {"input": x}, elementwise=False)
    assert judge(SUM, np.sum(x), exact_sum(x), case)
    assert not judge(SUM, np.sum(x[:-1]), exact_sum(x), case)


@pytest.mark.parametrize("agree", [Agree.exact(), Agree.rounded(), Agree.ulp(f32=4, f64=2)])
def test_fault_sign_of_zero_lost(agree):
    x = np.array([-0.0, 0.0, 1.0], np.float32)
    expected = evaluate(lambda m, x: m.sin(x), x)
    case = Case("sin", "float32", {"input": x})
    honest = expected.rounded(F32)
    assert judge(agree, honest, expected, case)
    verdict = judge(agree, honest + np.float32(0), expected, case)
    assert (verdict.failures, verdict.index, verdict.special_failures) == (1, (0,), 1)


def test_sign_of_zero_is_free_where_the_agreement_says_so():
    want = np.array([-0.0, 0.0, 1.0], np.float32)
    case = Case("amax", "float32", {"input": want})
    assert not judge(Agree.exact(), np.abs(want), want, case)
    assert "in the sign of zero" in judge(Agree.exact(), np.abs(want), want, case).message
    assert judge(Agree.exact(signed_zero=False), np.abs(want), want, case)


def test_fault_tf32_inputs_of_matmul():
    a, b = normal(4, (16, 512)), normal(5, (512, 16))

    def tf32(x):
        return ((x.view(np.uint32) + 0x1000) & np.uint32(0xFFFFE000)).view(np.float32)

    expected = exact_matmul(a, b)
    case = Case("matmul", "float32", {"input": a, "other": b}, elementwise=False)
    assert judge(MATMUL, a @ b, expected, case, typical=True)
    verdict = judge(MATMUL, tf32(a) @ tf32(b), expected, case, typical=True)
    assert not verdict
    assert verdict.bound == 8 < verdict.worst


def test_fault_float16_accumulation():
    x = np.random.default_rng(6).uniform(size=(4, 2000)).astype(np.float16)
    expected = exact_sum(x, 1)
    case = Case("sum", "float16", {"input": x}, {"dim": 1}, elementwise=False)
    assert judge(SUM, np.sum(x, axis=1, dtype=np.float32).astype(np.float16), expected, case)
    assert not judge(SUM, np.cumsum(x, axis=1, dtype=np.float16)[:, -1], expected, case)
    ones = np.ones(1000, ml_dtypes.bfloat16)
    case = Case("sum", "bfloat16", {"input": ones}, elementwise=False)
    assert judge(SUM, np.asarray(1000, ml_dtypes.bfloat16), exact_sum(ones), case)
    assert not judge(SUM, np.sum(ones), exact_sum(ones), case)  # 256, by ml_dtypes


def test_fault_naive_sigmoid():
    x = np.linspace(-103, 20, 5000).astype(np.float32)
    expected = evaluate(lambda m, x: m.sigmoid(x), x)
    case = Case("sigmoid", "float32", {"input": x})
    agree = Agree.ulp(f32=4.5, f64=2.5)
    with np.errstate(over="ignore"):
        naive = 1 / (1 + np.exp(-x))
    kind = (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)
    assert judge(agree, kind, expected, case)
    verdict = judge(agree, naive, expected, case)
    assert not verdict
    assert case.inputs["input"][verdict.index] < -87


def test_fault_subnormals_flushed_without_saying_so():
    x = np.array([1e-40, 1.5e-38, 3e-38, -1e-40, 1.0], np.float32)
    half = evaluate(lambda m, x: x * 0.5, x)
    case = Case("mul", "float32", {"input": x, "other": 0.5})
    flushing = flush(flush(x) * np.float32(0.5))
    assert flushing.tolist()[:3] == [0, 0, np.float32(1.5e-38)]
    for agree in (Agree.exact(), Agree.ulp(f32=1, f64=1)):
        assert judge(agree, x * np.float32(0.5), half, case)
        assert judge(agree, flushing, half, case).failures == 3
        declared = evaluate(lambda m, x: x * 0.5, flush(x))
        assert judge(agree, flushing, half, case, flushed=declared)
        assert not judge(agree, np.abs(flushing), half, case, flushed=declared)  # a zero of the wrong sign


def test_a_flushing_device_may_read_its_inputs_as_zeros():
    x = np.array([1e-40, 1.0], np.float32)
    gradual, declared = evaluate(lambda m, x: m.log(x), x), evaluate(lambda m, x: m.log(x), flush(x))
    case = Case("log", "float32", {"input": x})
    for got in (gradual.rounded(F32), declared.rounded(F32)):
        assert judge(EXP, got, gradual, case, flushed=declared)
    assert not judge(EXP, declared.rounded(F32), gradual, case)
    assert not judge(EXP, np.array([-50, 0], np.float32), gradual, case, flushed=declared)


def test_fault_max_drops_nan_and_inf_turns_finite():
    expected = np.array([np.nan, np.inf, 3.0], np.float32)
    case = Case("amax", "float32", {}, elementwise=False)
    assert judge(Agree.exact(), expected.copy(), expected, case)
    assert not judge(Agree.exact(), np.array([1, np.inf, 3], np.float32), expected, case)
    x = np.array([0.0, np.inf, -1.0], np.float32)
    log = evaluate(lambda m, x: m.log(x), x)
    case = Case("log", "float32", {"input": x})
    assert judge(EXP, np.array([-np.inf, np.inf, np.nan], np.float32), log, case)
    bad = judge(EXP, np.array([-3e38, 3e38, 0], np.float32), log, case)
    assert (bad.failures, bad.special_failures) == (3, 3)


def test_fault_wrong_dtype_shape_and_integers():
    x = np.arange(4, dtype=np.int32)
    case = Case("add", "int32", {"input": x, "other": 1})
    assert judge(Agree.exact(), x + np.int32(1), x + np.int32(1), case)
    assert judge(Agree.exact(), x, x + np.int32(1), case).failures == 4
    assert "has dtype int64 instead of int32" in judge(Agree.exact(), x.astype(np.int64), x, case).message
    assert "has shape (3,) instead of (4,)" in judge(Agree.exact(), x[:3], x, case).message


def test_fault_in_one_part_of_a_complex_number():
    z = np.array([1 + 2j, complex(np.nan, 0)], np.complex64)
    case = Case("mul", "complex64", {"input": z})
    assert judge(Agree.exact(), z.copy(), z, case)
    assert judge(Agree.exact(), np.conj(z), z, case).failures == 2  # the second in the sign of a zero


def test_premature_overflow_is_an_error_like_any_other():
    """Rule 7 of OpenCL's test: infinity counts as the number after the largest."""
    x = np.array([F32.largest * (1 - 2.0**-24)])  # half an ULP below the largest
    expected = evaluate(lambda m, x: x * 1, x)
    case = Case("exp", "float32", {"input": x})
    infinite = np.array([np.inf], np.float32)
    assert judge(Agree.ulp(f32=2, f64=1), infinite, expected, case)
    assert not judge(Agree.ulp(f32=1, f64=1), infinite, expected, case)
    beyond = evaluate(lambda m, x: x * 1.001, x)
    assert judge(Agree.ulp(f32=0.5, f64=0.5), infinite, beyond, case)
    assert not judge(Agree.ulp(f32=3, f64=1), np.array([F32.largest], np.float32), beyond, case)


@pytest.mark.parametrize("fmt", [F32, F64])
def test_overflow_begins_half_an_ulp_above_the_largest(fmt):
    largest = np.array([fmt.largest], fmt.dtype)
    case = Case("add", fmt.name, {"input": largest})
    for share, bound, good in ((0.25, 0.75, True), (0.25, np.nextafter(0.75, 0), False), (0.5, 0.5, True)):
        part = np.array([share * 2.0 ** (fmt.emax + 1 - fmt.precision)])
        expected = evaluate(lambda m, x, part=part: x + part, largest)
        verdict = judge(Agree.ulp(f32=bound, f64=bound), np.array([np.inf], fmt.dtype), expected, case)
        assert verdict.ok is good


def test_a_nan_where_a_number_was_due_is_infinitely_wrong():
    x = np.ones(3, np.float32)
    for agree, expected in ((EXP, evaluate(lambda m, x: m.exp(x), x)), (SUM, exact_sum(np.diag(x), 0))):
        case = Case("f", "float32", {"input": x})
        verdict = judge(agree, expected.rounded(F32) * np.array([1, np.nan, 1], np.float32), expected, case)
        assert (verdict.failures, verdict.index, verdict.worst) == (1, (1,), np.inf)


def test_a_limit_is_decided_exactly():
    """Errors of just over and just under the bound, closer than the wide format can tell."""
    exact = Fraction(4, 3)
    unit = fraction_ulp(exact, F64)
    near, far = round_fraction(exact + 2 * unit, F64), round_fraction(exact + 3 * unit, F64)
    share = float(abs(Fraction(near) - exact) / unit)
    expected = evaluate(lambda m, a: a / 3, np.array([4.0]))
    case = Case("div", "float64", {"input": np.array([4.0])})
    for bound, good in ((np.nextafter(share, 9), True), (np.nextafter(share, 0), False)):
        assert judge(Agree.ulp(f32=1, f64=bound), np.array([near]), expected, case).ok is good
    assert not judge(Agree.ulp(f32=1, f64=share), np.array([far]), expected, case)


# ------------------------------------------------------------ no false alarms

UNARY = {
    "exp": (np.exp, 3.0),
    "log": (lambda x: np.log(np.abs(x)), 2.0),
    "tanh": (np.tanh, 3.0),
    "log1p": (lambda x: np.log1p(np.abs(x)), 1e-3),
    "expm1": (np.expm1, 1e-3),
    "sin": (np.sin, 100.0),
    "sqrt": (lambda x: np.sqrt(np.abs(x)), 1.0),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_false_alarm_on_float64_rounded_once(seed):
    for name, (compute, scale) in UNARY.items():
        for fmt in (F32, F16, BF16):
            x = normal(seed, 200, scale=scale).astype(fmt.dtype)
            values = np.abs(x) if name in ("log", "log1p", "sqrt") else x
            expected = evaluate(lambda m, x, name=name: m.function(name, x), values)
            got = round_to(compute(x.astype(np.float64)).astype(np.longdouble), fmt)
            case = Case(name, fmt.name, {"input": values})
            judge(Agree.rounded(), got, expected, case).check()
            judge(Agree.ulp(f32=0.51, f64=0.51), got, expected, case).check()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_false_alarm_on_every_magnitude(seed):
    x = patterns(seed, 500)
    y = patterns(seed + 100, 500)
    with np.errstate(all="ignore"):
        for name, formula, compute in (
            ("mul", lambda m, x, y: x * y, np.multiply),
            ("add", lambda m, x, y: x + y, np.add),
            ("sub", lambda m, x, y: x - y, np.subtract),
            ("div", lambda m, x, y: x / y, np.divide),
        ):
            case = Case(name, "float32", {"input": x, "other": y})
            judge(Agree.exact(), compute(x, y), evaluate(formula, x, y), case).check()
        for name, compute in (("exp", np.exp), ("log", np.log), ("sqrt", np.sqrt), ("tanh", np.tanh)):
            expected = evaluate(lambda m, x, name=name: m.function(name, x), x)
            got = compute(x.astype(np.float64)).astype(np.float32)
            case = Case(name, "float32", {"input": x})
            verdict = judge(Agree.ulp(f32=0.51, f64=0.51), got, expected, case).check()
            assert verdict.worst <= 0.5 + 1e-6  # special results use nothing of the bound


@pytest.mark.parametrize("seed", SEEDS)
def test_no_false_alarm_on_reductions(seed):
    for fmt in (F32, F16, BF16):
        x = normal(seed, (3, 400)).astype(fmt.dtype)
        wide = x.astype(np.float64)
        case = Case("sum", fmt.name, {"input": x}, {"dim": 1}, elementwise=False)
        got = round_to(wide.sum(1).astype(np.longdouble), fmt)
        judge(SUM, got, exact_sum(x, 1), case).check()
        got = round_to(wide.mean(1).astype(np.longdouble), fmt)
        judge(SUM, got, exact_mean(x, 1), case).check()
        got = round_to(wide.var(1, ddof=1).astype(np.longdouble), fmt)
        judge(Agree.terms(k=Growth(log2=2, plus=40)), got, exact_var(x, 1), case).check()
        got = round_to(wide.prod(1).astype(np.longdouble), fmt)
        judge(Agree.terms(k=Growth(linear=1)), got, exact_prod(x, 1), case).check()
        got = round_to(np.cumsum(wide, 1).astype(np.longdouble), fmt)
        judge(Agree.terms(k=Growth(linear=1)), got, exact_cumsum(x, 1), case).check()
        got = round_to((wide @ wide.T).astype(np.longdouble), fmt)
        judge(MATMUL, got, exact_matmul(x, x.T), case, typical=True).check()
        judge(Agree.rounded(), got, exact_matmul(x, x.T), case).check()


def test_sums_whose_terms_overflow_have_no_bound():
    x = np.array([[3e38, 3e38, -3e38], [1, 2, 3]], np.float32)
    case = Case("sum", "float32", {"input": x}, {"dim": 1}, elementwise=False)
    for lost in (np.inf, np.nan, 0):
        verdict = judge(SUM, np.array([lost, 6], np.float32), exact_sum(x, 1), case)
        assert (verdict.ok, verdict.excluded) == (True, 1)
    assert not judge(SUM, np.array([np.inf, 5], np.float32), exact_sum(x, 1), case)


def test_what_a_class_needs_is_asked_for():
    x = np.ones(3, np.float32)
    case = Case("f", "float32", {"input": x})
    same = evaluate(lambda m, x: x, x)
    with pytest.raises(ValueError, match="class U is measured, it needs a reference"):
        judge(EXP, x, x, case)
    with pytest.raises(ValueError, match="class G needs a reference with terms"):
        judge(SUM, x, same, case)
    with pytest.raises(ValueError, match="no factor for standard normal data"):
        judge(SUM, x, same.with_terms(x, 1), case, typical=True)
    with pytest.raises(ValueError, match="class C needs the running error"):
        judge(Agree.running(), x, same, case)
    with pytest.raises(ValueError, match="expected results of dtype float64"):
        judge(Agree.exact(), x, x.astype(np.float64), case)
    with pytest.raises(
        ValueError, match="the inputs of f do not broadcast to its result: it is not elementwise"
    ):
        judge(SUM, np.sum(x), exact_sum(x), case)
