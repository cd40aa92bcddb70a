"""Formats, ULP and references are right: against rational arithmetic, mpmath and known answers."""

from __future__ import annotations

import math
from fractions import Fraction

import ml_dtypes
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.record.agree import Agree
from dovetail_conformance.judge import (
    FORMATS,
    FUNCTIONS,
    Case,
    derivative,
    evaluate,
    exact_cumprod,
    exact_cumsum,
    exact_dot,
    exact_matmul,
    exact_mean,
    exact_norm,
    exact_prod,
    exact_std,
    exact_sum,
    exact_var,
    format_of,
    formula_of,
    judge,
    round_to,
    ulp_at,
    ulps,
)
from dovetail_conformance.judge.measure import exact_fraction
from dovetail_conformance.judge.precise import Precise, to_fraction, to_wide
from dovetail_conformance.judge.reference import Reference, Source
from dovetail_conformance.judge.ulp import WIDE_SMALLEST, WIDE_UNIT, fraction_ulp, round_fraction

F32, F64, F16, BF16 = (FORMATS[n] for n in ("float32", "float64", "float16", "bfloat16"))

finite = st.floats(allow_nan=False, allow_infinity=False)
formats = st.sampled_from(list(FORMATS.values()))


def normal(seed, shape, dtype=np.float32, scale=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


# ------------------------------------------------------------ formats and ULP


@settings(deadline=None)
@given(finite, formats)
def test_rounding_agrees_with_exact_rational_rounding(x, fmt):
    got = round_to(np.longdouble(x), fmt)
    want = round_fraction(Fraction(x), fmt)
    assert got.dtype == fmt.dtype
    assert float(got) == want
    assert math.copysign(1, float(got)) == math.copysign(1, x)


@settings(deadline=None)
@given(finite)
def test_rounding_agrees_with_numpys_single_casts(x):
    with np.errstate(all="ignore"):
        assert round_to(np.longdouble(x), F32) == np.float64(x).astype(np.float32)
        assert round_to(np.longdouble(x), F16) == np.float64(x).astype(np.float16)
        assert round_to(np.longdouble(x), F64) == x


@pytest.mark.parametrize(("fmt", "bits"), [(BF16, 8), (F16, 11)])
def test_rounding_to_16_bits_happens_once(fmt, bits):
    x = 1 + 2.0**-bits + 2.0**-40  # float32 in between would land on the tie, and then go down
    assert float(round_to(np.longdouble(x), fmt)) == 1 + 2.0 ** (1 - bits)


@settings(deadline=None)
@given(finite, formats)
def test_ulp_agrees_with_the_rational_one(x, fmt):
    assert exact_fraction(ulp_at(np.longdouble(x), fmt)) == fraction_ulp(Fraction(x), fmt)


@pytest.mark.parametrize(
    ("x", "unit"),
    [
        (1.5, 2.0**-23),
        (1.0, 2.0**-24),
        (1 + 1e-12, 2.0**-23),
        (0.0, 2.0**-149),
        (1e-40, 2.0**-149),
        (2.0**-126, 2.0**-149),
        (F32.largest, 2.0**104),
        (1e39, 2.0**104),
        (math.inf, 2.0**104),
    ],
)
def test_ulp_at_the_edges(x, unit):
    assert ulp_at(np.longdouble(x), F32) == unit


@settings(deadline=None)
@given(finite, st.integers(-3, 3))
def test_neighbours_are_whole_ulps_away(x, steps):
    exact = np.float32(np.clip(x, -1e38, 1e38))
    got = exact
    for _ in range(abs(steps)):
        got = np.nextafter(got, np.float32(math.copysign(np.inf, steps)))
    off = ulps(got, np.longdouble(exact), F32)
    # Across a power of two the spacing doubles, and so does what a step counts.
    assert abs(steps) <= abs(off) <= 2 * abs(steps)


def test_ulps_of_special_results():
    nan, inf = np.nan, np.inf
    exact = np.array([nan, inf, -inf, 1.0, inf, 1.0, 1e39], np.longdouble)
    got = np.array([nan, inf, -inf, nan, 1.0, inf, inf], np.float32)
    assert ulps(got, exact, F32).tolist() == [0, 0, 0, inf, inf, pytest.approx(2.0**152), 0]


def test_a_format_is_found_by_name_dtype_and_array():
    assert (
        format_of(np.zeros(1, ml_dtypes.bfloat16)) is format_of("bfloat16") is format_of(np.dtype(BF16.dtype))
    )
    with pytest.raises(TypeError, match=r"expected one of the formats float64, .* got 'int64'"):
        format_of(np.zeros(1, np.int64))


# ------------------------------------------------------------ references


def known(name):
    """Points inside the domain of a function, of many magnitudes."""
    rng = np.random.default_rng(sum(map(ord, name)))
    points = np.concatenate(
        [rng.normal(size=60) * 3, 10 ** rng.uniform(-18, 2, 40) * rng.choice([-1, 1], 40)]
    )
    if name in ("log", "log2", "log10", "sqrt", "rsqrt", "lgamma"):
        return np.abs(points)
    if name in ("asin", "acos", "atanh", "erfinv"):
        return np.tanh(points) * (1 - 1e-9)
    return {"log1p": np.abs(points) - 0.9, "acosh": np.abs(points) + 1}.get(name, points)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fast_functions_keep_the_error_that_they_declare(name):
    x = known(name)
    reference = evaluate(lambda m, x: m.function(name, x), x)
    assert np.isfinite(reference.radius).all()
    for i, (low, high) in enumerate(reference.source.enclose(range(x.size), 128)):
        distance = abs(exact_fraction(reference.value[i]) - (low + high) / 2)
        assert distance <= exact_fraction(reference.radius[i])
        assert high - low <= max(abs(high), Fraction(1, 2**20)) * Fraction(1, 2**100)
    assert np.all(reference.radius <= 130 * WIDE_UNIT * np.abs(reference.value) + WIDE_SMALLEST)


COMPOSITES = {
    "silu": lambda m, x: x * m.sigmoid(x),
    "naive tanh gradient": lambda m, x: 1 - m.square(m.tanh(x)),
    "gelu": lambda m, x: x * 0.5 * (1 + m.erf(x / m.sqrt(2.0))),
    "log of a sum": lambda m, x: m.log(m.exp(x) + m.exp(-x)),
    "branches": lambda m, x: m.where(x < 0, m.expm1(x), m.maximum(x, 0.5) ** 3.0),
    "angle": lambda m, x: m.atan2(m.sin(x), -m.cos(x)) / m.pi,
    "log of what is left": lambda m, x: m.log((1 + abs(x) * 2.0**-62) - 1),
    "naive softplus": lambda m, x: m.log1p(m.exp(x)),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_the_radius_and_the_enclosures_of_a_composite_formula_cover_the_exact_value(name):
    half_lost = 2.0**62 * float(WIDE_UNIT) * 1.001  # 1 + this * 2^-62 rounds up by nearly half
    x = np.concatenate(
        [normal(3, 40, np.float64, 4.0), [-700.0, -90.0, -30.5, 0.0, 25.0, 400.0, 12000.0, half_lost]]
    )
    reference = evaluate(COMPOSITES[name], x)
    maths = Precise(2000)
    exact = COMPOSITES[name](maths, maths.number(x)).value
    for i, ends in enumerate(reference.source.enclose(range(x.size), 128)):
        truth = to_fraction(exact[i])
        if truth is None:
            assert ends is None
            continue
        assert ends[0] <= truth <= ends[1]
        assert ends[1] - ends[0] <= max(abs(truth), 1) * Fraction(1, 2**100)
        if np.isfinite(reference.radius[i]):
            assert abs(exact_fraction(reference.value[i]) - truth) <= exact_fraction(reference.radius[i])


def test_what_the_fast_path_loses_is_found_precisely():
    x = np.array([12000.0, 30.0])
    plus = evaluate(COMPOSITES["naive softplus"], x).rounded(F64)
    assert plus.tolist() == [12000.0, float(mpmath.log1p(mpmath.exp(30)))]
    slope = evaluate(COMPOSITES["naive tanh gradient"], np.array([40.0])).rounded(F64)
    assert slope[0] == pytest.approx(float(mpmath.mp.sech(40) ** 2), rel=1e-15)
    rest = evaluate(lambda m, x: 1 - m.sigmoid(x), np.array([400.0, 700.0])).rounded(F64)
    assert rest.tolist() == pytest.approx([math.exp(-400), math.exp(-700)], rel=1e-15)
    # What two precisions agree on may still be wrong, if it is small beside what they cannot show.
    both = evaluate(lambda m, x: (1 - m.sigmoid(x)) + 1e-300, np.array([400.0])).rounded(F64)
    assert both[0] == rest[0]
    assert evaluate(lambda m, x: (x + 1e300) - 1e300, np.array([1e-300])).rounded(F64) == 1e-300
    # A tie, and a little more that only a thousand bits show.
    above = evaluate(lambda m, x: x + m.exp(-700.0), np.array([1 + 2.0**-24]))
    assert above.rounded(F32) == np.float32(1 + 2.0**-23)


# The float64 logarithm of each, rounded to float32, is wrong: they are 2^-30 ULP and less from a tie.
LOG_INPUTS = np.array([0x3C413D3A, 0x41178FEB, 0x4C5D65A5, 0x65D890D3, 0x6F31A8EC], np.uint32).view(
    np.float32
)
LOG_ANSWERS = np.array([0xC08E158F, 0x400FE5E7, 0x418F034B, 0x4254D1F9, 0x42845A89], np.uint32).view(
    np.float32
)


def test_correct_rounding_next_to_ties():
    expected = evaluate(lambda m, x: m.log(x), LOG_INPUTS)
    assert expected.rounded(F32).tobytes() == LOG_ANSWERS.tobytes()
    case = Case("log", "float32", {"input": LOG_INPUTS})
    assert judge(Agree.rounded(), LOG_ANSWERS, expected, case)
    hasty = np.log(LOG_INPUTS.astype(np.float64)).astype(np.float32)
    verdict = judge(Agree.rounded(), hasty, expected, case)
    assert verdict.failures == 5
    assert "not the same bits: 5 of 5 elements differ, by up to 0.5 ULP" in verdict.message


class Vague(Source):
    """An exact value of which little is said at first: ``1/loose`` to either side, then ever less."""

    def __init__(self, exact, loose):
        self.exact, self.loose = exact, loose

    def enclose(self, indices, bits):
        width = Fraction(1, self.loose if bits < 1024 else 2**bits)
        return [(self.exact - width, self.exact + width) for _ in indices]


def vague(exact, value, loose=2):
    """A reference whose wide value is off as well."""
    return Reference(np.array([value], np.longdouble), np.array([3], np.longdouble), Vague(exact, loose))


def test_doubts_are_settled_by_tighter_enclosures():
    case = Case("f", "float32", elementwise=False)
    got = np.array([1 + 2.0**-22], np.float32)
    unit = Fraction(2) ** -23
    for off, good in ((unit, True), (unit * 3 + Fraction(1, 2**200), False), (unit * 3, True)):
        expected = vague(Fraction(float(got[0])) + off, 1.5)
        assert judge(Agree.ulp(f32=3, f64=1), got, expected, case).ok is good
    assert vague(Fraction(1, 3), 1.5).rounded(F32) == np.float32(1 / 3)


def test_ties_and_zeros_that_never_show_themselves():
    tie = 1 + 3 * Fraction(2) ** -24
    assert vague(tie, 1.5).rounded(F32) == np.float32(1 + 2.0**-22)
    for value in (1e-3, -1e-3):
        zero = vague(Fraction(0), value).rounded(F32)
        assert zero == 0
        assert np.signbit(zero) == (value < 0)


def test_an_exact_tie_goes_to_even():
    x = np.array([1 + 2.0**-24, 1 + 3 * 2.0**-24, -(1 + 2.0**-24)])
    want = np.array([1, 1 + 2.0**-22, -1], np.float32)
    assert evaluate(lambda m, x: x * 1, x).rounded(F32).tolist() == want.tolist()
    assert evaluate(lambda m, x: m.log2(m.exp2(x)), x).rounded(F32).tolist() == want.tolist()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20))
def test_exact_sums_and_products(values):
    x = np.array(values)
    exact = [Fraction(v) for v in values]
    total = sum(exact, Fraction(0))
    n = len(values)
    assert exact_sum(x).rounded(F64) == round_fraction(total, F64) == math.fsum(values)
    assert exact_mean(x).rounded(F64) == round_fraction(total / n, F64)
    squares = sum((v * v for v in exact), Fraction(0))
    assert exact_dot(x, x).source.enclose([0], 64) == [(squares, squares)]
    assert exact_prod(x).source.enclose([0], 64) == [(math.prod(exact), math.prod(exact))]
    var = (squares - total * total / n) / n
    assert exact_var(x, correction=0).source.enclose([0], 64) == [(var, var)]
    ((low, high),) = exact_std(x, correction=0).source.enclose([0], 128)
    assert low * low <= var <= high * high
    assert high - low <= high / 2**100
    sums = [sum(exact[: i + 1], Fraction(0)) for i in range(n)]
    assert exact_cumsum(x, 0).source.enclose(range(n), 64) == [(s, s) for s in sums]
    products = [math.prod(exact[: i + 1]) for i in range(n)]
    assert exact_cumprod(x, 0).source.enclose(range(n), 64) == [(p, p) for p in products]
    size = sum(map(abs, exact), Fraction(0))
    assert abs(exact_fraction(exact_sum(x).terms[()]) - size) <= 8 * exact_fraction(WIDE_UNIT) * size


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ml_dtypes.bfloat16])
def test_exact_matrix_products(dtype):
    a, b = normal(1, (2, 3, 5), dtype), normal(2, (5, 4), dtype)
    reference = exact_matmul(a, b)
    for i in range(24):
        n, r, c = np.unravel_index(i, (2, 3, 4))
        want = sum((Fraction(float(p)) * Fraction(float(q)) for p, q in zip(a[n, r], b[:, c])), Fraction(0))
        assert reference.source.enclose([i], 64) == [(want, want)]
        assert abs(exact_fraction(reference.value.reshape(-1)[i]) - want) <= exact_fraction(
            reference.radius.reshape(-1)[i]
        )
    assert reference.shape == (2, 3, 4)
    assert exact_matmul(a[0, 0], b).shape == (4,)
    a[0, 1, 2] = np.inf
    assert np.argwhere(~np.isfinite(exact_matmul(a, b).value))[:, :2].tolist() == [[0, 1]] * 4
    assert exact_matmul(a, b).rounded(F32)[0, 1, 3] == np.inf * np.sign(float(b[2, 3]))


def test_exact_reductions_over_dims_and_special_elements():
    x = np.array([[1.0, np.inf, 2.0], [np.nan, 1.0, 1.0], [np.inf, -np.inf, 0.5]], np.float32)
    assert str(exact_sum(x, 1).rounded(F64)) == "[inf nan nan]"
    assert str(exact_mean(x, (0,), keepdim=True).rounded(F32)) == "[[      nan       nan 1.1666666]]"
    assert np.isnan(exact_var(x, 1).value).all()
    assert str(exact_norm(x, 1).rounded(F64)) == "[inf nan inf]"
    assert exact_sum(np.zeros((0, 2)), 0).value.tolist() == [0, 0]
    assert np.isnan(exact_mean(np.zeros((0, 2)), 0).value).all()
    assert np.isnan(exact_var(np.ones((1, 2)), 0).value).all()


def test_terms_of_a_variance_allow_for_a_rounded_mean():
    x = 1000 + normal(1, 500, np.float64)
    bare, with_mean = exact_var(x), exact_var(x, unit=2.0**-24)
    assert bare.terms == pytest.approx(np.var(x, ddof=1), rel=1e-12)
    assert with_mean.terms - bare.terms == pytest.approx(2.0**-24 * 500 / 499 * np.mean(x) ** 2, rel=1e-12)


def test_derivatives_need_no_rule():
    x = normal(5, 30, np.float64, 3.0)
    slope = derivative(lambda m, x: m.tanh(x), x)
    closed = evaluate(lambda m, x: 1 / m.square(m.cosh(x)), x)
    assert slope.rounded(F64).tolist() == closed.rounded(F64).tolist()
    curve = derivative(lambda m, a, x: m.sin(a * x), 2.0, x, wrt=1, order=2)
    assert curve.rounded(F64).tolist() == evaluate(lambda m, x: -4 * m.sin(2 * x), x).rounded(F64).tolist()


@settings(deadline=None)
@given(st.fractions(), st.integers(-300, 300))
def test_rationals_become_wide_numbers_and_back(q, shift):
    value = q * Fraction(2) ** shift
    assert abs(exact_fraction(to_wide(value)) - value) <= 4 * exact_fraction(WIDE_UNIT) * abs(value)


def test_multi_precision_numbers_become_rationals():
    maths = Precise(200)
    assert to_fraction(maths.number(np.array(0.1)).value.item()) == Fraction(0.1)
    assert to_fraction(maths.number(np.int64(2**63 - 1)).value.item()) == 2**63 - 1
    assert to_fraction(maths.log(np.array(-1.0)).value.item()) is None
    assert to_fraction(maths.exp(np.array(1e308)).value.item()) is None
    assert 0 < to_fraction(maths.exp(np.array(-1e9)).value.item()) < Fraction(1, 2**8000)


@pytest.mark.parametrize(
    ("reference", "formula"),
    [
        (np.arctan2, lambda m, x, y: m.atan2(x, y)),
        (np.hypot, lambda m, x, y: m.sqrt(x * x + y * y)),
        (np.logaddexp, lambda m, x, y: m.log(m.exp(x) + m.exp(y))),
        (np.logaddexp2, lambda m, x, y: m.log2(m.exp2(x) + m.exp2(y))),
        (np.true_divide, lambda m, x, y: x / y),
        (
            lambda x, y: np.where(x > y, np.arcsinh(x), -np.abs(y)),
            lambda m, x, y: m.where(x > y, m.asinh(x), -abs(y)),
        ),
        (
            lambda x, y: np.where(np.ceil(0.0) != x, np.where(x <= y, 1.0, y), x),
            lambda m, x, y: m.where(x > y, y, 1.0),
        ),
        (lambda x, y: 2.5 - x * np.float32(3) ** y, lambda m, x, y: 2.5 - x * m.pow(3, y)),
    ],
)
def test_functions_of_numpy_arrays_are_formulas_too(reference, formula):
    x, y = normal(1, 50, np.float64, 4.0), normal(2, 50, np.float64, 4.0)
    got, want = evaluate(formula_of(reference), x, y), evaluate(formula, x, y)
    assert got.rounded(F64).tolist() == want.rounded(F64).tolist()
    assert got.rounded(F64).tolist() == pytest.approx(reference(x, y).tolist(), rel=1e-12)


def test_reductions_of_numpy_arrays_are_formulas_too():
    x = normal(1, (3, 7), np.float64)

    def logsumexp(x):
        top = np.max(x, axis=1, keepdims=True)
        return np.log(np.sum(np.exp(x - top), axis=1, keepdims=True)) + top

    got = evaluate(formula_of(logsumexp), x, elementwise=False).rounded(F64)
    assert got.ravel().tolist() == pytest.approx(logsumexp(x).ravel().tolist(), rel=1e-14)
    with pytest.raises(TypeError):
        evaluate(formula_of(np.sinc), x)


def test_composed_functions_of_infinities():
    x, y = np.array([np.inf, -np.inf, np.inf, 0.0]), np.array([np.inf, -np.inf, -np.inf, -np.inf])
    assert evaluate(formula_of(np.logaddexp), x, y).rounded(F32).tolist() == [np.inf, -np.inf, np.inf, 0]
    x, y = np.array([np.inf, np.nan, 3.0]), np.array([np.nan, 1.0, 4.0])
    assert str(evaluate(formula_of(np.hypot), x, y).rounded(F32)) == "[inf nan  5.]"


def test_an_unknown_function_names_those_that_exist():
    with pytest.raises(AttributeError, match=r"no function 'sine'; there are .*sin, sinh"):
        evaluate(lambda m, x: m.sine(x), np.ones(1))
