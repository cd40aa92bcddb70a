"""Normalisation: values, gradients of both orders and running statistics are PyTorch's, with kernels and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail.errors import DovetailError

F = dovetail.ops


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


FAILURE = "Expected a proper Tensor but got None"
"""What PyTorch's second derivatives say where there is a bias and no weight: nothing to compare with."""


def derivatives(frame: Any, function: Callable[..., Any], hosts: list[Any]) -> list[np.ndarray[Any, Any]]:
    """Value, gradients, and gradients of a weighted sum of the gradients; None among the arrays stays None."""
    made = [None if h is None else frame.tensor(h, requires_grad=True) for h in hosts]
    sources = [t for t in made if t is not None]
    y = function(*made)
    rng = np.random.default_rng(5)

    def weighted(t: Any) -> Any:
        return (t * frame.tensor(rng.uniform(0.5, 1.5, tuple(t.shape)))).sum()

    first = frame.autograd.grad(weighted(y), sources, create_graph=True)
    parts = [weighted(g) for g in first]
    total = sum(parts[1:], parts[0])
    second = [None] * len(sources)
    if total.requires_grad:
        try:
            second = frame.autograd.grad(total, sources, allow_unused=True)
        except RuntimeError as error:
            if frame is dovetail or FAILURE not in str(error):
                raise
            sources = []
    found = [np.zeros(s.shape) if g is None else g.detach().numpy(force=True) for s, g in zip(sources, second)]
    return [y.detach().numpy(), *(g.detach().numpy() for g in first), *found]


def same(torch: Any, ours: Callable[..., Any], theirs: Callable[..., Any], hosts: list[Any]) -> None:
    """Compare a function of arrays in both frameworks."""
    found, expected = derivatives(dovetail, ours, hosts), derivatives(torch, theirs, hosts)
    assert len(found) >= len(expected) >= 2
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def parameters(channels: Any, weight: bool, bias: bool) -> list[Any]:
    rng = np.random.default_rng(11)
    return [rng.uniform(0.5, 2, channels) if weight else None, rng.normal(size=channels) if bias else None]


AFFINE = [(False, False), (True, True), (True, False), (False, True)]
INPUTS = [(5, 3), (4, 3, 6), (3, 3, 2, 4), (2, 3, 2, 2, 2)]


@pytest.mark.oracle
@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(shape: Any, weight: bool, bias: bool, training: bool, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(3)
    hosts = [rng.normal(1, 2, shape), *parameters(3, weight, bias)]
    mean, var = rng.normal(size=3), rng.uniform(0.5, 2, 3)

    def call(frame: Any, function: Any) -> Any:
        kept = [] if training else [frame.tensor(mean), frame.tensor(var)]
        return lambda x, w, b: function(x, *(kept or (None, None)), w, b, training=training, eps=1e-3)

    same(torch, call(dovetail, F.batch_norm), call(torch, torch.nn.functional.batch_norm), hosts)


@pytest.mark.oracle
@pytest.mark.parametrize("momentum", [0.1, 0.75, 0.0, 1.0])
@pytest.mark.parametrize("shape", INPUTS)
def test_running_statistics_move_in_place(shape: Any, momentum: float, ways: str, torch: Any) -> None:
    rng = np.random.default_rng(4)
    mean, var = rng.normal(size=3), rng.uniform(0.5, 2, 3)
    ours = [dovetail.tensor(mean), dovetail.tensor(var)]
    theirs = [torch.tensor(mean), torch.tensor(var)]
    held = ours[0].detach()
    for seed in (1, 2):
        batch = np.random.default_rng(seed).normal(2, 3, shape)
        F.batch_norm(dovetail.tensor(batch), *ours, training=True, momentum=momentum)
        torch.nn.functional.batch_norm(torch.tensor(batch), *theirs, training=True, momentum=momentum)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    assert held.tolist() == ours[0].tolist()
    assert ours[0]._version == 2


def test_momentum_may_be_a_live_tensor(ways: str) -> None:
    x = dovetail.tensor(np.random.default_rng(0).normal(size=(6, 2)))
    kept = []
    for momentum in (0.25, dovetail.tensor(0.25)):
        mean, var = dovetail.zeros(2, dtype=x.dtype), dovetail.ones(2, dtype=x.dtype)
        F.batch_norm(x, mean, var, training=True, momentum=momentum)
        kept.append((mean.tolist(), var.tolist()))
    assert kept[0] == kept[1]


def test_a_captured_step_moves_the_statistics(ways: str) -> None:
    mean, var = dovetail.zeros(2), dovetail.ones(2)

    def step(x: Any) -> Any:
        return F.batch_norm(x, mean, var, training=True)

    batches = [dovetail.tensor(np.random.default_rng(s).normal(s, 1, (8, 2)).astype(np.float32)) for s in (1, 2)]
    program = dovetail.program.capture(step, batches[0])
    assert (mean.tolist(), var.tolist()) == ([0.0, 0.0], [1.0, 1.0])
    captured = [program(b) for b in batches]
    found = (mean.tolist(), var.tolist())
    mean.zero_()
    var.fill_(1)
    eager = [step(b) for b in batches]
    assert found == (mean.tolist(), var.tolist())
    for a, b in zip(captured, eager, strict=True):
        assert a.tolist() == b.tolist()


def test_the_statistics_do_not_become_part_of_the_graph(ways: str) -> None:
    x = dovetail.rand(4, 2, requires_grad=True)
    mean, var = dovetail.zeros(2), dovetail.ones(2)
    F.batch_norm(x, mean, var, training=True)
    assert (mean.requires_grad, var.requires_grad) == (False, False)


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mixed", [True, False])
def test_sixteen_bits(dtype: str, mixed: bool, ways: str, torch: Any) -> None:
    kind = dovetail.dtypes.by_name(dtype)
    other = dovetail.float32 if mixed else kind
    rng = np.random.default_rng(0)
    x = dovetail.tensor(rng.normal(size=(8, 3, 5))).to(kind)
    w, b = (dovetail.tensor(rng.uniform(0.5, 2, 3)).to(other) for _ in range(2))
    x.requires_grad_()
    w.requires_grad_()
    got = F.batch_norm(x, None, None, w, b, training=True)
    got.sum().backward()
    wide = [torch.tensor(t.detach().double().numpy()) for t in (x, w, b)]
    exact = torch.nn.functional.batch_norm(wide[0], None, None, *wide[1:], training=True).numpy()
    unit = 2.0**-11 if dtype == "float16" else 2.0**-8
    assert (got.dtype, x.grad.dtype, w.grad.dtype) == (kind, kind, other)
    assert np.max(np.abs(got.double().detach().numpy() - exact)) <= 4 * unit * np.abs(exact).max()


@pytest.mark.oracle
@pytest.mark.parametrize(("weight", "bias"), AFFINE)
@pytest.mark.parametrize(("shape", "sizes"), [((4, 6), (6,)), ((2, 3, 4), (4,)), ((2, 3, 4), (3, 4)), ((5,), (5,))])
def test_layer_norm(shape: Any, sizes: Any, weight: bool, bias: bool, ways: str, torch: Any) -> None:
    hosts = [np.random.default_rng(6).normal(1, 2, shape), *parameters(sizes, weight, bias)]
    same(
        torch,
        lambda x, w, b: F.layer_norm(x, sizes, w, b, 1e-3),
        lambda x, w, b: torch.nn.functional.layer_norm(x, sizes, w, b, 1e-3),
        hosts,
    )


@pytest.mark.oracle
@pytest.mark.parametrize("eps", [None, 1e-3])
@pytest.mark.parametrize("weight", [True, False])
def test_rms_norm(weight: bool, eps: float | None, ways: str, torch: Any) -> None:
    hosts = [np.random.default_rng(6).normal(1, 2, (2, 3, 4)), *parameters((4,), weight, False)[:1]]
    same(
        torch,
        lambda x, w: F.rms_norm(x, (4,), w, eps),
        lambda x, w: torch.nn.functional.rms_norm(x, (4,), w, eps),
        hosts,
    )


@pytest.mark.oracle
@pytest.mark.parametrize(("weight", "bias"), AFFINE[:3])  # with a bias alone PyTorch's gradient fails
@pytest.mark.parametrize(("shape", "groups"), [((3, 6), 3), ((2, 6, 4), 2), ((2, 4, 3, 2), 1), ((2, 4, 3, 2), 4)])
def test_group_norm(shape: Any, groups: int, weight: bool, bias: bool, ways: str, torch: Any) -> None:
    hosts = [np.random.default_rng(6).normal(1, 2, shape), *parameters(shape[1], weight, bias)]
    same(
        torch,
        lambda x, w, b: F.group_norm(x, groups, w, b, 1e-3),
        lambda x, w, b: torch.nn.functional.group_norm(x, groups, w, b, 1e-3),
        hosts,
    )


@pytest.mark.oracle
@pytest.mark.parametrize(("weight", "bias"), AFFINE)
def test_instance_norm(weight: bool, bias: bool, ways: str, torch: Any) -> None:
    hosts = [np.random.default_rng(6).normal(1, 2, (2, 3, 4, 2)), *parameters(3, weight, bias)]
    same(
        torch,
        lambda x, w, b: F.instance_norm(x, None, None, w, b),
        lambda x, w, b: torch.nn.functional.instance_norm(x, None, None, w, b),
        hosts,
    )
    running = [np.zeros(3), np.ones(3)]
    ours, theirs = [dovetail.tensor(r) for r in running], [torch.tensor(r) for r in running]
    F.instance_norm(dovetail.tensor(hosts[0]), *ours)
    torch.nn.functional.instance_norm(torch.tensor(hosts[0]), *theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e5])
def test_a_large_mean_costs_no_digits(offset: float, ways: str) -> None:
    """The variance of float32 numbers far from 0: mean(x^2) - mean(x)^2 would have none of its digits left."""
    host = (np.random.default_rng(0).normal(size=(64, 2)) + offset).astype(np.float32)
    wide = host.astype(np.float64)
    exact = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5)
    got = F.batch_norm(dovetail.tensor(host), None, None, training=True).numpy()
    np.testing.assert_allclose(got, exact, atol=2e-6 * max(1.0, np.abs(exact).max()))
    rows = F.layer_norm(dovetail.tensor(host.T.copy()), (64,)).numpy()
    np.testing.assert_allclose(rows, exact.T, atol=2e-6 * max(1.0, np.abs(exact).max()))


WRONG: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("running_mean should contain 3 elements not 2", lambda f, z: f.batch_norm(z(2, 3, 4), z(2), z(3), training=True)),
    ("running_mean must be defined in evaluation mode", lambda f, z: f.batch_norm(z(2, 3, 4), None, None)),
    ("running_var must be defined in evaluation mode", lambda f, z: f.batch_norm(z(2, 3, 4), z(3), None)),
    ("Expected more than 1 value per channel", lambda f, z: f.batch_norm(z(1, 3), z(3), z(3), training=True)),
    ("weight should contain 3 elements not 2", lambda f, z: f.batch_norm(z(2, 3), z(3), z(3), z(2), training=True)),
    ("bias should contain 3 elements not 2", lambda f, z: f.batch_norm(z(2, 3), z(3), z(3), z(3), z(2), training=True)),
    ("must either both be None or neither", lambda f, z: f.batch_norm(z(2, 3, 4), None, z(3), training=True)),
    ("expected input with shape [*, 3], but got input", lambda f, z: f.layer_norm(z(2, 3, 4), (3,))),
    ("Expected normalized_shape to be at least 1-dimensional", lambda f, z: f.layer_norm(z(2, 3, 4), ())),
    ("Expected bias to be of same shape", lambda f, z: f.layer_norm(z(2, 3, 4), (4,), z(4), z(3))),
    ("divisible by num_groups, but got input of shape [2, 6, 4]", lambda f, z: f.group_norm(z(2, 6, 4), 4)),
    ("Expected more than 1 spatial element", lambda f, z: f.instance_norm(z(2, 3, 1))),
    ("expected input with shape [*3]", lambda f, z: f.rms_norm(z(2, 3, 4), (3,))),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("words", "call"), WRONG)
def test_mistakes_are_told_in_pytorchs_words(words: str, call: Any, torch: Any) -> None:
    with pytest.raises((ValueError, RuntimeError)) as theirs:
        call(torch.nn.functional, torch.ones)
    with pytest.raises(DovetailError) as ours:
        call(F, dovetail.ones)
    assert words in str(theirs.value)
    assert words in str(ours.value)
    assert isinstance(ours.value, type(theirs.value))
