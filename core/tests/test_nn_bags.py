"""EmbeddingBag over its modes and options, batch norms that become synchronised, scatters with a reduction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

TABLE = np.random.default_rng(2).standard_normal((6, 3))
FLAT = np.array([1, 5, 2, 2, 0, 5, 3])
ROWS = np.array([[1, 5, 2], [2, 2, 0]])
OFFSETS = np.array([0, 2, 2, 5])
BAGS: list[tuple[dict[str, Any], Any, Any]] = [
    (options | {"mode": mode}, indices, offsets)
    for mode in ("sum", "mean", "max")
    for options in ({}, {"padding_idx": 2}, {"padding_idx": -1, "max_norm": 1.0}, {"max_norm": 0.7, "norm_type": 1.0})
    for indices, offsets in ((FLAT, OFFSETS), (ROWS, None))
] + [
    ({"mode": "mean", "include_last_offset": True}, FLAT, np.array([0, 2, 2, 7])),
    ({"mode": "max", "include_last_offset": True}, FLAT, np.array([0, 2, 2, 7])),
]


def bag(framework: Any, options: dict[str, Any], indices: Any, offsets: Any, weights: Any = None) -> list[Any]:
    """The bags' vectors, the table afterwards, and the gradients of table and weights."""
    layer = framework.nn.EmbeddingBag.from_pretrained(framework.tensor(TABLE), freeze=False, **options)
    factors = None if weights is None else framework.tensor(weights, requires_grad=True)
    result = layer(framework.tensor(indices), None if offsets is None else framework.tensor(offsets), factors)
    scale = np.linspace(0.5, 1.5, result.numel()).reshape(tuple(result.shape))
    (result * framework.tensor(scale)).sum().backward()
    found = [result.detach(), layer.weight.detach(), layer.weight.grad]
    return [x.numpy() for x in (found if factors is None else [*found, factors.grad])]


@pytest.mark.parametrize(("options", "indices", "offsets"), BAGS)
def test_embedding_bag(options: dict[str, Any], indices: Any, offsets: Any) -> None:
    if offsets is not None and options["mode"] == "max" and "padding_idx" in options:
        options = options | {"padding_idx": 3}  # a bag of padding alone is uninitialised memory in PyTorch
    for a, b in zip(bag(dovetail, options, indices, offsets), bag(torch, options, indices, offsets), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("indices", "offsets"), [(FLAT, OFFSETS), (ROWS, None)])
@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_gradients_are_scaled_by_frequency(mode: str, indices: Any, offsets: Any) -> None:
    # By definition: PyTorch on a CPU divides by the counts of other rows.
    plain = bag(dovetail, {"mode": mode}, indices, offsets)
    scaled = bag(dovetail, {"mode": mode, "scale_grad_by_freq": True}, indices, offsets)
    counts = np.maximum(np.bincount(indices.reshape(-1), minlength=6), 1)
    np.testing.assert_array_equal(plain[0], scaled[0])
    np.testing.assert_allclose(scaled[2], plain[2] / counts[:, None])


@pytest.mark.parametrize("form", ["flat", "rows"])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_per_sample_weights(form: str, padding_idx: int | None) -> None:
    indices, offsets = (FLAT, OFFSETS) if form == "flat" else (ROWS, None)
    weights = np.random.default_rng(4).standard_normal(indices.shape)
    options = {"mode": "sum", "padding_idx": padding_idx}
    ours, theirs = (bag(f, options, indices, offsets, weights) for f in (dovetail, torch))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


WRONG: list[tuple[dict[str, Any], Any, Any, type[Exception], str]] = [
    ({"mode": "median"}, FLAT, OFFSETS, ValueError, "mode has to be one of sum, mean or max"),
    ({}, FLAT, None, ValueError, "offsets has to be a 1D Tensor but got None"),
    ({}, ROWS, OFFSETS, ValueError, "if input is 2D, then offsets has to be None"),
    ({"mode": "max", "scale_grad_by_freq": True}, FLAT, OFFSETS, ValueError, "max mode does not support scaling"),
    ({"mode": "max", "sparse": True}, FLAT, OFFSETS, ValueError, "max mode does not support sparse"),
    ({}, np.array([6]), np.array([0]), IndexError, "index out of range"),
]


@pytest.mark.parametrize(("options", "indices", "offsets", "kind", "words"), WRONG)
def test_bags_that_make_no_sense(
    options: dict[str, Any], indices: Any, offsets: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        bag(dovetail, options, indices, offsets)


def test_weights_belong_to_sums() -> None:
    with pytest.raises(NotImplementedError, match="only supported for mode='sum'"):
        bag(dovetail, {"mode": "mean"}, FLAT, OFFSETS, np.ones(7))
    with pytest.raises(ValueError, match="must have the same shape as the input"):
        bag(dovetail, {"mode": "sum"}, FLAT, OFFSETS, np.ones(3))
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        nn.EmbeddingBag(3, 2, padding_idx=3)


def test_batch_norms_are_synchronised_with_their_tensors() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, eps=0.5), nn.Sequential(nn.BatchNorm2d(4, affine=False)))
    weight = net[1].weight
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert [type(m).__name__ for m in converted.modules()] == [
        "Sequential", "Linear", "SyncBatchNorm", "Sequential", "SyncBatchNorm",
    ]  # fmt: skip
    assert converted[1].weight is weight
    assert converted[1].eps == 0.5
    assert converted[2][0].weight is None
    single = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm1d(2))
    assert isinstance(single, nn.SyncBatchNorm)


def test_instance_norm_complains_of_other_channels() -> None:
    with pytest.raises(ValueError, match=r"to match num_features \(3\), but got: 4"):
        nn.InstanceNorm1d(3, affine=True)(dovetail.zeros(2, 4, 5))
    with pytest.warns(UserWarning, match="does not match num_features") as found:
        nn.InstanceNorm1d(3)(dovetail.zeros(2, 4, 5))
    assert found[0].filename == __file__
    with pytest.raises(ValueError, match="expected 3D or 4D input"):
        nn.InstanceNorm2d(3)(dovetail.zeros(2, 3))
    state = {"running_mean": dovetail.zeros(3), "running_var": dovetail.ones(3)}
    with pytest.raises(RuntimeError, match=r"does not track running stats by default since 0\.4\.0"):
        nn.InstanceNorm2d(3).load_state_dict(state)


@pytest.mark.filterwarnings("ignore:index_reduce.. is in beta")
@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_index_reduce(reduce: str, include_self: bool) -> None:
    rng = np.random.default_rng(6)
    base, source = rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    results = []
    for framework in (dovetail, torch):
        x, y = (framework.tensor(a, requires_grad=True) for a in (base, source))
        index = framework.tensor([0, 2, 2, 0])
        out = x.index_reduce(1, index, y, reduce, include_self=include_self)
        (out * out).sum().backward()
        results.append([out.detach().numpy(), x.grad.numpy(), y.grad.numpy()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)


def test_scatters_write_in_place() -> None:
    x = dovetail.zeros(3)
    assert x.scatter_reduce_(0, dovetail.tensor([0, 0, 2]), dovetail.tensor([1.0, 4.0, -1.0]), "amax") is x
    assert x.tolist() == [4.0, 0.0, 0.0]
    x.index_reduce_(0, dovetail.tensor([1]), dovetail.tensor([5.0]), "mean", include_self=False)
    assert x.tolist() == [4.0, 5.0, 0.0]
    with pytest.raises(RuntimeError, match="must be either prod, mean, amax or amin, got sum"):
        x.index_reduce(0, dovetail.tensor([1]), dovetail.tensor([5.0]), "sum")


def test_cross_map_windows_are_symmetric() -> None:
    x = dovetail.tensor(np.random.default_rng(3).standard_normal((2, 9, 2, 2)))
    assert dovetail.allclose(nn.CrossMapLRN2d(3, alpha=0.5)(x), nn.LocalResponseNorm(3, alpha=0.5)(x))
    squares = (x * x).numpy()
    around = sum(np.pad(squares, ((0, 0), (2, 2), (0, 0), (0, 0)))[:, k : k + 9] for k in (1, 2, 3))
    expected = x.numpy() * (1 + 0.25 / 4 * around) ** -0.75
    np.testing.assert_allclose(nn.CrossMapLRN2d(4, alpha=0.25)(x).numpy(), expected)
