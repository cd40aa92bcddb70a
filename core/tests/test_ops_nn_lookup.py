"""Embedding, one-hot rows, dropout and attention against PyTorch and against their definitions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import CaptureError, DovetailError

F = dovetail.ops


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


# ------------------------------------------------------------------------------------------ embedding


@pytest.mark.oracle
@pytest.mark.parametrize("padding_idx", [None, 0, 3, -1])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0,)])
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_embedding(dtype: Any, shape: Any, padding_idx: int | None, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(1)
    indices, table = rng.integers(0, 6, shape).astype(dtype), rng.normal(size=(6, 3))
    weights = rng.uniform(0.5, 1.5, (*shape, 3))
    found = []
    for frame, function in ((dovetail, F.embedding), (torch, torch.nn.functional.embedding)):
        rows = frame.tensor(table, requires_grad=True)
        out = function(frame.tensor(indices), rows, padding_idx)
        (out * out * frame.tensor(weights)).sum().backward()
        found.append((out.detach().numpy(), rows.grad.numpy()))
    for a, b in zip(*found, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-14)


def test_the_second_derivative_of_an_embedding(ways: str) -> None:
    indices = dovetail.tensor([[0, 2], [2, 1]])
    table = dovetail.rand(3, 2, dtype=dovetail.float64).requires_grad_()

    def function(rows: Any) -> Any:
        found = F.embedding(indices, rows)
        return found * found

    assert dovetail.autograd.gradcheck(function, [table])
    assert dovetail.autograd.gradgradcheck(function, [table])


def test_many_equal_indices_add_up_exactly(ways: str) -> None:
    table = dovetail.zeros(3, 2, requires_grad=True)
    F.embedding(dovetail.full((10000,), 1), table).sum().backward()
    assert table.grad.tolist() == [[0.0, 0.0], [10000.0, 10000.0], [0.0, 0.0]]


@pytest.mark.parametrize(("index", "shown"), [(10, 10), (-1, -1), (3, 3)])
def test_an_index_outside_the_rows(index: int, shown: int, ways: str) -> None:
    with pytest.raises(IndexError, match="index out of range in self") as caught:
        F.embedding(dovetail.tensor([0, index]), dovetail.zeros(3, 2))
    assert f"index {shown} is out of bounds for dimension 0 with size 3" in str(caught.value)


@pytest.mark.oracle
def test_wrong_embeddings_are_told_in_pytorchs_words(torch: Any) -> None:
    cases = (
        ("to have one of the following scalar types: Long, Int; but got", torch.float32, (4, 2)),
        ("'weight' must be 2-D", torch.int64, (4,)),
    )
    for words, dtype, shape in cases:
        with pytest.raises(RuntimeError, match=re.escape(words)):
            torch.nn.functional.embedding(torch.ones(1).to(dtype), torch.ones(shape))
        ours = dovetail.dtypes.by_name(str(dtype).removeprefix("torch."))
        with pytest.raises(RuntimeError, match=re.escape(words)):
            F.embedding(dovetail.ones(1).to(ours), dovetail.ones(shape))


# ------------------------------------------------------------------------------------------ one-hot


@pytest.mark.oracle
@pytest.mark.parametrize("classes", [-1, 4, 7])
@pytest.mark.parametrize("host", [np.array([1, 0, 3]), np.array([[3, 2], [0, 0]]), np.array(2)])
def test_one_hot(host: Any, classes: int, ways: str, torch: Any) -> None:
    got = F.one_hot(dovetail.tensor(host), classes)
    expected = torch.nn.functional.one_hot(torch.tensor(host), classes)
    assert got.dtype is dovetail.int64
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("host", "classes"),
    [
        (np.array([1, 2]), 2),
        (np.array([-1, 2]), -1),
        (np.array([-1, 2]), 5),
        (np.array([1.0]), -1),
        (np.array([], np.int64), -1),
    ],
)
def test_wrong_classes_are_told_in_pytorchs_words(host: Any, classes: int, ways: str, torch: Any) -> None:
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.functional.one_hot(torch.tensor(host), classes)
    with pytest.raises(DovetailError, match=re.escape(str(theirs.value))) as ours:
        F.one_hot(dovetail.tensor(host), classes)
    assert isinstance(ours.value, RuntimeError)


def test_one_hot_without_a_count_is_refused_in_a_program() -> None:
    with pytest.raises(CaptureError, match="one_hot"):
        dovetail.program.capture(F.one_hot, dovetail.tensor([1, 0]))


# ------------------------------------------------------------------------------------------ dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_expectation(p: float, ways: str) -> None:
    dovetail.manual_seed(3)
    x = dovetail.ones(20000, requires_grad=True)
    y = F.dropout(x, p)
    kept = y.detach().numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 0.02
    np.testing.assert_allclose(y.detach().numpy()[kept], 1 / (1 - p), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy() != 0, kept)


def test_dropout_depends_on_the_seed_alone(bare: str) -> None:
    masks = []
    for backend in ("numpy", bare):
        with dovetail.use_backend(backend):
            dovetail.manual_seed(11)
            masks.append(F.dropout(dovetail.ones(3, 5), 0.4).tolist())
            masks.append(F.dropout(dovetail.ones(15), 0.4).reshape(3, 5).tolist())
    assert masks[0] == masks[2]
    assert masks[1] == masks[3]
    assert masks[0] != masks[1]


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_dropout_that_drops_nothing_is_the_tensor_itself(p: float, training: bool) -> None:
    x = dovetail.ones(3)
    assert F.dropout(x, p, training) is x


def test_dropout_of_everything_is_zero() -> None:
    x = dovetail.tensor([1.0, -2.0], requires_grad=True)
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert (np.abs(y.detach().numpy()).tolist(), x.grad.tolist()) == ([0.0, 0.0], [0.0, 0.0])


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_wrong_probability(p: float) -> None:
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got"):
        F.dropout(dovetail.ones(2), p)


def test_a_program_draws_a_new_mask_at_each_run() -> None:
    x = dovetail.ones(50)
    program = dovetail.program.capture(lambda t: F.dropout(t, 0.5), x)
    dovetail.manual_seed(5)
    runs = [program(x).tolist() for _ in range(3)]
    dovetail.manual_seed(5)
    eager = [F.dropout(x, 0.5).tolist() for _ in range(3)]
    assert runs == eager
    assert runs[0] != runs[1]


# ------------------------------------------------------------------------------------------ attention

BOOLS = np.array([[True, False, True, True], [True, True, False, False], [False, False, False, False]])
ADDED = np.random.default_rng(0).normal(size=(3, 4))
ATTENTIONS: list[tuple[tuple[tuple[int, ...], ...], dict[str, Any]]] = [
    (((2, 3, 5), (2, 4, 5), (2, 4, 6)), {}),
    (((3, 5), (4, 5), (4, 2)), {"scale": 0.3}),
    (((2, 2, 3, 5), (2, 2, 4, 5), (2, 2, 4, 6)), {"attn_mask": BOOLS}),
    (((2, 2, 3, 5), (2, 2, 4, 5), (2, 2, 4, 6)), {"attn_mask": ADDED}),
    (((2, 3, 5), (2, 3, 5), (2, 3, 5)), {"is_causal": True}),
    (((2, 3, 5), (2, 4, 5), (2, 4, 5)), {"is_causal": True}),
    (((2, 4, 3, 5), (2, 2, 4, 5), (2, 2, 4, 5)), {"enable_gqa": True}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("shapes", "words"), ATTENTIONS)
def test_attention(shapes: Any, words: dict[str, Any], ways: str, torch: Any) -> None:
    rng = np.random.default_rng(2)
    hosts = [rng.normal(size=s) for s in shapes]
    found = []
    for frame, place in ((dovetail, F), (torch, torch.nn.functional)):
        sources = [frame.tensor(h, requires_grad=True) for h in hosts]
        given = {k: frame.tensor(v) if isinstance(v, np.ndarray) else v for k, v in words.items()}
        out = place.scaled_dot_product_attention(*sources, **given)
        weights = frame.tensor(np.random.default_rng(3).uniform(0.5, 1.5, tuple(out.shape)))
        (out * weights).sum().backward()
        found.append([out.detach().numpy(), *(s.grad.numpy() for s in sources)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_query_that_sees_nothing_takes_nothing_and_moves_nothing(ways: str) -> None:
    q, k, v = (dovetail.rand(1, 2, 3).requires_grad_() for _ in range(3))
    mask = dovetail.tensor([[False, False], [True, True]])
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    out.sum().backward()
    assert out[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert q.grad[0, 0].tolist() == [0.0, 0.0, 0.0]
    assert not np.isnan(k.grad.numpy()).any()


def test_dropout_of_attention_zeroes_whole_weights(ways: str) -> None:
    dovetail.manual_seed(0)
    q = dovetail.zeros(1, 1, 1)
    values = dovetail.ones(1, 4000, 1)
    out = F.scaled_dot_product_attention(q, dovetail.zeros(1, 4000, 1), values, dropout_p=0.25)
    assert abs(out.item() - 1) < 0.05
    assert out.item() != 1


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (((2, 3, 4), (2, 3, 4), (2, 3, 4)), {"attn_mask": BOOLS[:, :3], "is_causal": True}),
        (((4,), (2, 4), (2, 4)), {}),
        (((1, 4, 3, 2), (1, 3, 3, 2), (1, 3, 3, 2)), {"enable_gqa": True}),
    ],
)
def test_wrong_attention_is_told_in_pytorchs_words(shapes: Any, words: dict[str, Any], torch: Any) -> None:
    def call(frame: Any, place: Any) -> Any:
        given = {k: frame.tensor(v) if isinstance(v, np.ndarray) else v for k, v in words.items()}
        return place.scaled_dot_product_attention(*(frame.ones(s) for s in shapes), **given)

    with pytest.raises(RuntimeError) as theirs:
        call(torch, torch.nn.functional)
    with pytest.raises(DovetailError, match=re.escape(str(theirs.value).strip())):
        call(dovetail, F)
