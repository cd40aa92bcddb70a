from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import dovetail
import dovetail.nn.functional as F
from dovetail import nn
from dovetail.errors import DovetailError


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")


# ------------------------------------------------------------------------------------------ softmax


@pytest.mark.parametrize(("shape", "dim"), [((), 0), ((3,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_without_dim_the_warning_names_the_one_chosen(name: str, shape: tuple[int, ...], dim: int) -> None:
    x = dovetail.rand(shape)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}.*dim={dim} was chosen") as caught:
        result = getattr(F, name)(x)
    assert caught[0].filename == __file__
    assert result.tolist() == getattr(F, name)(x, dim=dim).tolist()


def test_the_module_warns_at_the_users_line() -> None:
    for layer in (nn.Softmax(), nn.LogSoftmax(), nn.Softmin()):
        with pytest.warns(UserWarning, match="Implicit dimension choice") as caught:
            layer(dovetail.zeros(2))
        assert caught[0].filename == __file__


def test_softmax_casts_first() -> None:
    result = F.softmax(dovetail.zeros(2), 0, dtype=dovetail.float64)
    assert result.dtype is dovetail.float64


# ------------------------------------------------------------------------------------------ losses


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_sizes_that_broadcast_warn_with_the_fix(name: str) -> None:
    loss = getattr(F, name)
    with pytest.warns(UserWarning, match="Using a target size .* that is different to the input size") as caught:
        result = loss(dovetail.zeros(3, 1), dovetail.ones(3))
    assert "input.squeeze(1)" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert tuple(result.shape) == ()
    with pytest.warns(UserWarning, match=r"target\.squeeze\(1\)"):
        assert tuple(loss(dovetail.zeros(3), dovetail.ones(3, 1), reduction="none").shape) == (3, 3)


def test_binary_losses_refuse_other_sizes() -> None:
    with pytest.raises(ValueError, match=r"Target size .* must be the same as input size"):
        F.binary_cross_entropy_with_logits(dovetail.zeros(3, 1), dovetail.zeros(3))
    with pytest.raises(ValueError, match=r"Using a target size .* is deprecated"):
        F.binary_cross_entropy(dovetail.zeros(3, 1), dovetail.zeros(3))


@pytest.mark.parametrize(
    "name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "kl_div"]
)
def test_an_unknown_reduction_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="avg is not a valid value for reduction") as caught:
        getattr(F, name)(dovetail.ones(2), dovetail.ones(2), reduction="avg")
    assert isinstance(caught.value, DovetailError)


@pytest.mark.parametrize(
    ("size_average", "reduce", "word"),
    [
        (True, None, "mean"),
        (False, None, "sum"),
        (None, False, "none"),
        (False, False, "none"),
        (None, True, "mean"),
    ],
)
def test_the_former_arguments(size_average: bool | None, reduce: bool | None, word: str, torch: Any) -> None:
    assert torch.nn._reduction.legacy_get_string(size_average, reduce, emit_warning=False) == word
    a, b = dovetail.zeros(2), dovetail.tensor([1.0, 3.0])
    with pytest.warns(UserWarning, match=f"please use reduction='{word}' instead") as caught:
        result = F.mse_loss(a, b, size_average, reduce)
    assert caught[0].filename == __file__
    assert result.tolist() == F.mse_loss(a, b, reduction=word).tolist()
    with pytest.warns(UserWarning, match="please use reduction") as caught:
        assert nn.MSELoss(size_average, reduce).reduction == word
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="please use reduction") as caught:
        assert nn.CrossEntropyLoss(None, size_average, reduce=reduce).reduction == word
    assert caught[0].filename == __file__


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weighted_losses(name: str, reduction: str, torch: Any) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.random((3, 2)) for _ in range(3)]
    results = []
    for framework in (dovetail, torch):
        x, y, w = map(framework.tensor, arrays)
        results.append(getattr(framework.nn.functional, name)(x, y, reduction=reduction, weight=w).numpy())
    np.testing.assert_allclose(*results, rtol=1e-12)
    with pytest.raises(ValueError, match="Weights and input must have the same size"):
        getattr(F, name)(dovetail.ones(2), dovetail.ones(2), weight=dovetail.ones(1))


def test_kl_div_warns_of_its_mean() -> None:
    with pytest.warns(UserWarning, match="'batchmean' divides only by the batch size"):
        F.kl_div(dovetail.zeros(2, 2), dovetail.ones(2, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.kl_div(dovetail.zeros(2, 2), dovetail.ones(2, 2), reduction="batchmean")


def test_huber_refuses_a_delta_that_is_no_number() -> None:
    with pytest.raises(TypeError, match="delta must be a float or int"):
        nn.HuberLoss(delta="1")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------ in place

IN_PLACE = [
    ("relu", ()),
    ("relu6", ()),
    ("leaky_relu", (0.2,)),
    ("elu", (0.5,)),
    ("celu", (0.5,)),
    ("selu", ()),
    ("silu", ()),
    ("mish", ()),
    ("hardtanh", (-0.5, 0.5)),
    ("hardsigmoid", ()),
    ("hardswish", ()),
    ("threshold", (0.1, 3.0)),
]


@pytest.mark.parametrize(("name", "args"), IN_PLACE)
def test_in_place_writes_and_differentiates(name: str, args: tuple[Any, ...]) -> None:
    values = np.random.default_rng(0).standard_normal(7) * 2
    function = getattr(F, name)
    gradients = []
    for inplace in (False, True):
        leaf = dovetail.tensor(values, requires_grad=True)
        x = leaf * 1
        result = function(x, *args, inplace=inplace)
        assert (result is x) == inplace
        assert (x.tolist() == result.tolist()) == inplace
        (result * result).sum().backward()
        gradients.append((result.tolist(), leaf.grad.tolist()))
    assert gradients[0] == gradients[1]


def test_in_place_on_a_leaf_is_refused() -> None:
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        F.relu(dovetail.ones(2, requires_grad=True), inplace=True)


def test_underscored_names() -> None:
    for name in ("relu_", "elu_", "celu_", "selu_", "leaky_relu_", "hardtanh_", "rrelu_"):
        x = dovetail.tensor([-2.0, 0.5])
        expected = getattr(F, name[:-1])(x).tolist()
        assert getattr(F, name)(x) is x
        assert x.tolist() == expected
    x = dovetail.tensor([-2.0, 0.5])
    assert F.threshold_(x, 0.0, 7.0).tolist() == [7.0, 0.5]


# ------------------------------------------------------------------------------------------ dropout


def test_dropout_keeps_the_mean() -> None:
    dovetail.manual_seed(0)
    x = dovetail.ones(200, 200, requires_grad=True)
    y = F.dropout(x, 0.25)
    kept = y != 0
    assert abs(float(kept.float().mean()) - 0.75) < 0.01
    np.testing.assert_allclose(y.detach().numpy()[kept.numpy()], 1 / 0.75, rtol=1e-6)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == y.tolist()
    assert F.dropout(x, 0.25, training=False) is x


def test_dropout_in_place() -> None:
    x = dovetail.ones(50)
    assert F.dropout(x, 0.5, inplace=True) is x
    assert set(x.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("name", "shape", "channel_dims"),
    [("1d", (4, 50, 3), 2), ("1d", (50, 3), 1), ("2d", (4, 50, 3, 2), 2), ("3d", (4, 50, 3, 2, 2), 2)],
)
def test_channels_are_dropped_whole(name: str, shape: tuple[int, ...], channel_dims: int) -> None:
    dovetail.manual_seed(0)
    y = getattr(F, f"dropout{name}")(dovetail.ones(shape), 0.5).numpy()
    flat = y.reshape(int(np.prod(shape[:channel_dims])), -1)
    assert np.all((flat == 0).all(axis=1) | (flat == 2).all(axis=1))
    assert 0.2 < (flat[:, 0] == 0).mean() < 0.8


def test_dropout2d_warns_of_three_dimensions() -> None:
    with pytest.warns(UserWarning, match="assuming that channel-wise 1D dropout behavior is desired"):
        F.dropout2d(dovetail.ones(2, 3, 4))
    with pytest.warns(UserWarning, match="dropout2d: Received a 2-D input"):
        F.dropout2d(dovetail.ones(2, 3))
    with pytest.raises(RuntimeError, match="dropout1d: Expected 2D or 3D input, but received a 4D input"):
        F.dropout1d(dovetail.ones(2, 3, 4, 5))


@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha_dropout_keeps_mean_and_variance(name: str) -> None:
    dovetail.manual_seed(0)
    x = dovetail.randn(300, 300)
    y = getattr(F, name)(x, 0.3, training=True)
    assert abs(float(y.mean())) < 0.02
    assert abs(float(y.std()) - 1) < 0.02
    assert getattr(F, name)(x, 0.3) is x
    assert float(getattr(F, name)(x, 1.0, training=True).abs().sum()) == 0.0


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probabilities(p: float) -> None:
    message = "dropout probability has to be between 0 and 1, but got"
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"):
        with pytest.raises(ValueError, match=message):
            getattr(F, name)(dovetail.ones(2, 2, 2, 2), p)
    with pytest.raises(ValueError, match=message):
        nn.Dropout(p)


def test_dropout_layers_do_nothing_in_evaluation() -> None:
    x = dovetail.ones(2, 3, 4, 5)
    for layer in (nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.FeatureAlphaDropout()):
        assert layer.eval()(x) is x


def test_rrelu() -> None:
    dovetail.manual_seed(0)
    x = dovetail.full((1000,), -1.0)
    slopes = -F.rrelu(x, 0.2, 0.6, training=True).numpy()
    assert slopes.min() >= 0.2
    assert slopes.max() <= 0.6
    assert abs(slopes.mean() - 0.4) < 0.02
    np.testing.assert_allclose(F.rrelu(x, 0.2, 0.6).numpy(), -0.4, rtol=1e-6)
    y = dovetail.tensor([2.0, -1.0], requires_grad=True)
    nn.RReLU(0.2, 0.6)(y).sum().backward()
    assert y.grad is not None
    assert y.grad[0].item() == 1.0
    assert 0.2 <= y.grad[1].item() <= 0.6


# ------------------------------------------------------------------------------------------ normalisation


def test_batch_norm_refuses_one_value_per_channel() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training, got input size"):
        nn.BatchNorm1d(3)(dovetail.ones(1, 3))
    nn.BatchNorm1d(3).eval()(dovetail.ones(1, 3))
    with pytest.raises(ValueError, match=r"expected 2D or 3D input \(got 4D input\)"):
        nn.BatchNorm1d(3)(dovetail.ones(2, 3, 1, 1))
    with pytest.raises(ValueError, match=r"expected 4D input \(got 2D input\)"):
        nn.BatchNorm2d(3)(dovetail.ones(2, 3))
    with pytest.raises(ValueError, match="batch_norm eps must be positive during training"):
        nn.BatchNorm1d(3, eps=0.0)(dovetail.ones(2, 3))


def test_momentum_none_averages_all_batches() -> None:
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = np.random.default_rng(0).standard_normal((4, 5, 2)).astype("float32")
    for batch in batches:
        layer(dovetail.tensor(batch))
    np.testing.assert_allclose(layer.running_mean.numpy(), batches.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), batches.var(axis=1, ddof=1).mean(axis=0), rtol=1e-5)
    assert layer.num_batches_tracked.item() == 4
    layer.reset_running_stats()
    assert layer.num_batches_tracked.item() == 0
    assert layer.running_var.tolist() == [1.0, 1.0]


def test_running_statistics_can_be_held_still() -> None:
    layer = nn.BatchNorm1d(2)
    layer.track_running_stats = False
    x = dovetail.rand(4, 2)
    layer(x)
    assert layer.running_mean.tolist() == [0.0, 0.0]
    assert layer.num_batches_tracked.item() == 0
    expected = x.numpy() / (1 + layer.eps) ** 0.5
    np.testing.assert_allclose(layer.eval()(x).detach().numpy(), expected, rtol=1e-6)


def test_running_statistics_have_no_graph() -> None:
    layer = nn.BatchNorm1d(2)
    layer(dovetail.rand(4, 2, requires_grad=True))
    assert not layer.running_mean.requires_grad
    assert not layer.running_var.requires_grad


def test_normalize(torch: Any) -> None:
    values = np.random.default_rng(0).standard_normal((3, 4))
    values[1] = 0
    for kwargs in ({}, {"p": 1.0, "dim": 0}, {"p": 3.0, "eps": 2.0}):
        ours = F.normalize(dovetail.tensor(values), **kwargs).numpy()
        np.testing.assert_allclose(ours, torch.nn.functional.normalize(torch.tensor(values), **kwargs).numpy())


# ------------------------------------------------------------------------------------------ the others


def test_max_pool_with_indices(torch: Any) -> None:
    values = np.random.default_rng(0).standard_normal((2, 3, 6, 7))
    for args in ((2,), (3, 2, 1), (2, 1, 0, 2)):
        ours = F.max_pool2d(dovetail.tensor(values), *args, return_indices=True)
        theirs = torch.nn.functional.max_pool2d(torch.tensor(values), *args, return_indices=True)
        for a, b in zip(ours, theirs):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    first, second = nn.MaxPool2d(2, return_indices=True)(dovetail.tensor(values))
    assert second.dtype is dovetail.int64
    assert tuple(first.shape) == (2, 3, 3, 3)


def test_max_pool1d_with_indices(torch: Any) -> None:
    values = np.random.default_rng(0).standard_normal((2, 3, 9))
    ours = F.max_pool1d(dovetail.tensor(values), 3, 2, return_indices=True)
    theirs = torch.nn.functional.max_pool1d(torch.tensor(values), 3, 2, return_indices=True)
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("name", "shapes", "kwargs"),
    [
        ("conv_transpose2d", [(2, 4, 3, 3), (4, 3, 2, 2), (6,)], {"stride": 2, "output_padding": 1, "groups": 2}),
        ("instance_norm", [(2, 3, 4)], {"eps": 1e-3}),
    ],
)
def test_functions_without_a_layer(name: str, shapes: Any, kwargs: Any, torch: Any) -> None:
    arrays = [np.random.default_rng(0).standard_normal(shape) for shape in shapes]
    ours = getattr(F, name)(*map(dovetail.tensor, arrays), **kwargs)
    theirs = getattr(torch.nn.functional, name)(*map(torch.tensor, arrays), **kwargs)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_adaptive_pooling_needs_enough_dimensions() -> None:
    with pytest.raises(ValueError, match="Input dimension should be at least 3"):
        F.adaptive_avg_pool2d(dovetail.ones(2, 2), (1, 1))


@pytest.mark.parametrize("index", [5, -6])
def test_the_padding_row_must_exist(index: int) -> None:
    for call in (
        lambda: nn.Embedding(5, 2, padding_idx=index),
        lambda: F.embedding(dovetail.tensor([0]), dovetail.ones(5, 2), padding_idx=index),
    ):
        with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
            call()


def test_embedding_from_pretrained() -> None:
    table = dovetail.arange(6.0).reshape(3, 2)
    layer = nn.Embedding.from_pretrained(table)
    assert not layer.weight.requires_grad
    assert layer(dovetail.tensor([2, 0])).tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert nn.Embedding.from_pretrained(table, freeze=False, padding_idx=1).weight.requires_grad
    with pytest.raises(AssertionError, match="expected to be 2-dimensional"):
        nn.Embedding.from_pretrained(dovetail.ones(3))
    with pytest.raises(AssertionError, match="Shape of weight does not match"):
        nn.Embedding(4, 2, _weight=table)


def test_the_padding_row_starts_at_zero_and_stays() -> None:
    layer = nn.Embedding(4, 2, padding_idx=1)
    assert layer.weight[1].tolist() == [0.0, 0.0]
    layer(dovetail.tensor([1, 2, 2])).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [[0.0, 0.0], [0.0, 0.0], [2.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "out_channels must be divisible by groups"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), "groups must be a positive integer"),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), "Invalid padding string 'full'"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), "padding='same' is not supported for strided"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode must be one of"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "expected one value or 2"),
        (lambda: nn.GroupNorm(3, 4), r"num_channels \(4\) must be divisible by num_groups \(3\)"),
        (lambda: nn.Bilinear(0, 1, 1), "in1_features must be > 0"),
        (lambda: F.hardtanh(dovetail.ones(1), 2.0, 1.0), "min_val cannot be greater than max_val"),
        (lambda: nn.Softmax2d()(dovetail.ones(2)), "expected input to be 3D or 4D, got 1D instead"),
    ],
)
def test_values_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert isinstance(caught.value, DovetailError)


def test_unflatten_takes_sizes() -> None:
    with pytest.raises(TypeError, match="unflattened_size must be a tuple of ints, but found type int"):
        nn.Unflatten(1, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="but found element of type str at pos 1"):
        nn.Unflatten(1, (2, "3"))  # type: ignore[arg-type]


def test_hardtanh_takes_its_former_arguments() -> None:
    with pytest.warns(FutureWarning, match="`min_value` is deprecated and renamed to `min_val`"):
        assert nn.Hardtanh(min_value=-3.0).min_val == -3.0
    with pytest.raises(AssertionError, match="max_val must be greater than min_val"):
        nn.Hardtanh(2.0, 1.0)
