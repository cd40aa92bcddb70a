"""Kernels of sequence models: packed batches are their sequences one by one, and no input is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dovetail_numpy import attention, recurrent, reductions

RNG = np.random.default_rng(4)
LENGTHS = (5, 3, 3, 1)
SIZES = (4, 3, 3, 1, 1)
UNITS = 6


def rows(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def arguments(kind: str) -> tuple[Any, ...]:
    """Gates of all steps, states of four sequences, weights."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind] * UNITS
    x, h, weight = rows(sum(SIZES), gates), rows(4, UNITS), 0.5 * rows(gates, UNITS)
    if kind == "lstm":
        return x, h, rows(4, UNITS), weight, None
    return (x, h, weight, rows(gates)) if kind == "gru" else (x, h, weight)


def run(kind: str, given: tuple[Any, ...], sizes: tuple[int, ...], reverse: bool) -> Any:
    words = {"nonlinearity": "tanh"} if kind == "rnn" else {}
    return getattr(recurrent, kind)(*given, batch_sizes=sizes, reverse=reverse, **words)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_a_packed_batch_is_its_sequences(kind: str, reverse: bool) -> None:
    given = arguments(kind)
    before = [None if a is None else a.copy() for a in given]
    out, *rest = run(kind, given, SIZES, reverse)
    starts = np.concatenate(([0], np.cumsum(SIZES)))
    states = 2 if kind == "lstm" else 1
    for i, length in enumerate(LENGTHS):
        places = [starts[t] + i for t in range(length)]
        own = [given[0][places], *(given[k][i : i + 1] for k in range(1, 1 + states)), *given[1 + states :]]
        alone, *last = run(kind, tuple(own), (1,) * length, reverse)
        np.testing.assert_allclose(out[places], alone, rtol=1e-12)
        for whole, part in zip(rest[:states], last, strict=False):
            np.testing.assert_allclose(whole[i : i + 1], part, rtol=1e-12)
    for a, b in zip(given, before, strict=True):
        assert a is None or np.array_equal(a, b)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_gradients_are_differences(kind: str, reverse: bool) -> None:
    given = arguments(kind)
    states = 2 if kind == "lstm" else 1
    found = run(kind, given, SIZES, reverse)
    slopes = [rows(*found[0].shape), *(rows(4, UNITS) for _ in range(states))]

    def total(*arrays: Any) -> float:
        results = run(kind, arrays, SIZES, reverse)
        return float(sum((s * r).sum() for s, r in zip(slopes, results, strict=False)))

    kept = (found[0], *found[1 + states :])
    words = {"nonlinearity": "tanh"} if kind == "rnn" else {}
    backward = getattr(recurrent, f"{kind}_backward")
    before = [a.copy() for a in kept]
    grads = backward(*given, *kept, *slopes, batch_sizes=SIZES, reverse=reverse, **words)
    assert all(np.array_equal(a, b) for a, b in zip(kept, before, strict=True))
    step = 1e-6
    for k, array in enumerate(given):
        if array is None:
            continue
        direction = rows(*array.shape)
        moved = [[*given[:k], array + sign * step * direction, *given[k + 1 :]] for sign in (1, -1)]
        expected = (total(*moved[0]) - total(*moved[1])) / (2 * step)
        assert float((grads[k] * direction).sum()) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_heads_that_are_views_come_back_in_the_order_of_their_rows() -> None:
    x = rows(2, 5, 3, 4).astype(np.float32)
    heads = x.transpose(0, 2, 1, 3)
    words = {"scale": 0.5, "dropout_p": 0.0}
    out, weights = attention.attention(heads, heads, heads, None, None, causal=None, scores=(2, 3, 5, 5), **words)
    assert out.shape == heads.shape
    assert out.transpose(0, 2, 1, 3).flags.c_contiguous
    grads = attention.attention_backward(out, heads, heads, heads, None, None, out, weights, mask_grad=False, **words)
    assert all(g.transpose(0, 2, 1, 3).flags.c_contiguous for g in grads[:3])
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)


def test_a_query_that_may_look_nowhere_gets_zeros() -> None:
    q, mask = rows(3, 4), np.array([[True, False, True], [False, False, False], [True, True, True]])
    out, weights = attention.attention(q, q, q, mask, None, causal=None, scale=0.5, dropout_p=0.0, scores=(3, 3))
    assert not out[1].any()
    assert not weights[1].any()
    np.testing.assert_allclose(weights[[0, 2]].sum(axis=-1), 1)


@pytest.mark.parametrize("length", [1, 16, 17, 100, 256, 257, 1000])
def test_sums_of_rows_keep_the_bound_of_sums(length: int) -> None:
    for values in (np.full((3, length), 0.1, np.float32), rows(3, length).astype(np.float32)):
        found = reductions.row_sums(values)
        assert found.shape == (3, 1)
        exact = values.astype(np.float64).sum(axis=1, keepdims=True)
        bound = (
            (np.ceil(np.log2(length)) + 32) * 2.0**-24 * np.abs(values).astype(np.float64).sum(axis=1, keepdims=True)
        )
        assert (np.abs(found - exact) <= bound).all()
    turned = rows(length, 3).astype(np.float32).T
    np.testing.assert_allclose(reductions.row_sums(turned), turned.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-4)
