"""Agreements: they answer with their bounds, refuse nonsense, and print themselves for the documentation."""

from __future__ import annotations

import doctest

import pytest

from dovetail.record import agree as agree_module
from dovetail.record.agree import Agree, Growth

SUM = Agree.terms(k=Growth(log2=1, plus=32))
MATMUL = Agree.terms(k=Growth(linear=1), typical=8)


def test_agreements_print_themselves_as_one_phrase():
    assert str(Agree.ulp(f32=3, f64=1.5)) == (
        "at most 3 ULP in float32, 1.5 ULP in float64, 0.6 ULP in float16 and bfloat16"
    )
    assert str(Agree.exact()) == "the same bits everywhere"
    assert str(Agree.exact(signed_zero=False)) == "the same bits everywhere, except for the sign of zero"
    assert "k = ceil(log2 n) + 32 for n terms" in str(SUM)
    assert "k = n for n terms (8 on standard normal data)" in str(MATMUL)
    assert str(Agree.terms(k=4)).endswith("k = 4")
    assert str(Agree.terms(k=lambda n: n)).endswith("k = a function of the number of terms")
    for agree in (Agree.rounded(), Agree.running(), Agree.stream(), Agree.distribution()):
        assert str(agree)
        assert "\n" not in str(agree)
    assert doctest.testmod(agree_module).failed == 0


def test_agreements_answer_and_refuse():
    assert Agree.ulp(f32=3, f64=1.5).at_most("complex64") == 3
    assert Agree.rounded().at_most("float16") == 0.5
    assert SUM.factor(1000) == 42
    assert Agree.terms(k=lambda n: n / 2).factor(10) == 5
    assert Agree.ulp(f32=3, f64=1) == Agree.ulp(f64=1, f32=3)
    assert hash(SUM) == hash(Agree.terms(k=Growth(log2=1, plus=32)))
    with pytest.raises(ValueError, match="no bound in ULP for int32: the agreement is at most 3 ULP"):
        Agree.ulp(f32=3, f64=1).at_most("int32")
    with pytest.raises(ValueError, match="no factor over terms"):
        Agree.exact().factor(3)
    with pytest.raises(ValueError, match=r"at least 0\.5, got 0.4 for float64"):
        Agree.ulp(f32=3, f64=0.4)
    with pytest.raises(ValueError, match="positive and finite"):
        Agree.terms(k=0)
    with pytest.raises(AttributeError):
        Agree.exact().kind = "U"
