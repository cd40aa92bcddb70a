from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn
from dovetail.nn import init

N = (120, 80)


def drawn(name: str, *args: Any, shape: tuple[int, ...] = N, **kwargs: Any) -> np.ndarray[Any, Any]:
    dovetail.manual_seed(0)
    tensor = dovetail.empty(shape)
    assert getattr(init, name)(tensor, *args, **kwargs) is tensor
    return np.asarray(tensor.numpy(), dtype=np.float64)


def check_uniform(values: np.ndarray[Any, Any], low: float, high: float) -> None:
    """Bounds, mean, variance, and the largest distance from the distribution function (Kolmogorov)."""
    flat = np.sort(values.ravel())
    assert low <= flat[0] < low + 0.01 * (high - low)
    assert high >= flat[-1] > high - 0.01 * (high - low)
    expected = (flat - low) / (high - low)
    check_distance(expected)


def check_normal(values: np.ndarray[Any, Any], mean: float, std: float) -> None:
    flat = np.sort(values.ravel())
    expected = np.array([0.5 * (1 + math.erf((x - mean) / (std * math.sqrt(2)))) for x in flat])
    check_distance(expected)


def check_distance(expected: np.ndarray[Any, Any]) -> None:
    n = expected.size
    distance = np.max(np.abs(expected - (np.arange(n) + 0.5) / n))
    # 1.95 / sqrt(n) is passed by one in a thousand samples of the right distribution; the seed is fixed.
    assert distance < 1.95 / math.sqrt(n)


def test_the_check_can_fail() -> None:
    good = drawn("uniform_", -1.0, 1.0)
    with pytest.raises(AssertionError):
        check_uniform(good * 0.97, -1.0, 1.0)
    with pytest.raises(AssertionError):
        check_uniform(np.sign(good) * np.abs(good) ** 1.1, -1.0, 1.0)
    with pytest.raises(AssertionError):
        check_normal(drawn("normal_", 0.0, 1.0), 0.0, 1.1)


def test_uniform_and_normal() -> None:
    check_uniform(drawn("uniform_"), 0.0, 1.0)
    check_uniform(drawn("uniform_", -3.0, 5.0), -3.0, 5.0)
    check_normal(drawn("normal_"), 0.0, 1.0)
    check_normal(drawn("normal_", 2.0, 0.5), 2.0, 0.5)


def test_constants() -> None:
    assert np.all(drawn("constant_", 0.3) == np.float32(0.3))
    assert np.all(drawn("ones_") == 1)
    assert np.all(drawn("zeros_") == 0)
    assert np.array_equal(drawn("eye_", shape=(3, 5)), np.eye(3, 5))


def test_scaled_by_fan() -> None:
    fan_out, fan_in = N
    bound = math.sqrt(6 / (fan_in + fan_out))
    check_uniform(drawn("xavier_uniform_"), -bound, bound)
    check_uniform(drawn("xavier_uniform_", 2.0), -2 * bound, 2 * bound)
    check_normal(drawn("xavier_normal_"), 0.0, math.sqrt(2 / (fan_in + fan_out)))
    bound = math.sqrt(6 / fan_in)
    check_uniform(drawn("kaiming_uniform_"), -bound, bound)
    check_uniform(drawn("kaiming_uniform_", nonlinearity="relu"), -bound, bound)
    check_uniform(drawn("kaiming_uniform_", a=math.sqrt(5)), -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))
    check_normal(drawn("kaiming_normal_", mode="fan_out"), 0.0, math.sqrt(2 / fan_out))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0, 1, -2, 2), (0, 1, -0.1, 0.1), (0, 1, 1.5, 3), (1, 2, -2, 2), (0, 0.02, -2, 2)],
)
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    flat = np.sort(drawn("trunc_normal_", mean, std, a, b).ravel())
    assert a <= flat[0] + 1e-6
    assert flat[-1] <= b + 1e-6

    def cdf(x: float) -> float:
        return 0.5 * (1 + math.erf((x - mean) / (std * math.sqrt(2))))

    check_distance(np.array([(cdf(x) - cdf(a)) / (cdf(b) - cdf(a)) for x in flat]))


def test_truncated_normal_far_in_the_tail_warns() -> None:
    with pytest.warns(UserWarning, match="mean is more than 2 std from"):
        values = drawn("trunc_normal_", 0.0, 1.0, 6.0, 8.0)
    assert values.min() >= 6
    assert values.max() <= 8
    # The mean of the tail beyond 6 is pdf(6) / (1 - cdf(6)) = 6.158.
    assert abs(values.mean() - 6.158) < 0.01


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (8, 3, 4, 4), (5, 5)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    values = drawn("orthogonal_", 3.0, shape=shape).reshape(shape[0], -1)
    small = values @ values.T if values.shape[0] <= values.shape[1] else values.T @ values
    np.testing.assert_allclose(small, 9 * np.eye(len(small)), atol=1e-5)


def test_orthogonal_matrices_favour_no_side() -> None:
    dovetail.manual_seed(0)
    corners = [float(init.orthogonal_(dovetail.empty(3, 3))[0, 0]) for _ in range(60)]
    # Out of the decomposition alone the corner is never positive.
    assert 15 < sum(corner > 0 for corner in corners) < 45


def test_sparse() -> None:
    values = drawn("sparse_", 0.25, 0.5)
    assert np.all((values == 0).sum(axis=0) == 30)
    check_normal(values[values != 0], 0.0, 0.5)
    zeros = values == 0
    assert not np.array_equal(zeros[:, 0], zeros[:, 1])


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((4, 3, 5), 1), ((3, 4, 3, 3), 1), ((6, 2, 3, 3), 3), ((2, 2, 3, 3, 3), 1), ((4, 4, 2, 2), 2)],
)
def test_dirac_passes_channels_on(shape: tuple[int, ...], groups: int) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    expected = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    np.testing.assert_array_equal(drawn("dirac_", groups, shape=shape), expected)


@pytest.mark.parametrize("shape", [(2, 3), (4, 5, 6), (2, 3, 4, 5)])
def test_fans(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init._calculate_fan_in_and_fan_out(dovetail.empty(shape)) == expected


def test_gains() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    for name in (*init._UNIT_GAINS, "tanh", "relu", "leaky_relu", "selu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)
    with pytest.raises(ValueError, match="Unsupported nonlinearity swish"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="negative_slope True not a valid number"):
        init.calculate_gain("leaky_relu", True)


def test_the_default_of_the_layers() -> None:
    dovetail.manual_seed(1)
    linear = nn.Linear(80, 120)
    check_uniform(linear.weight.detach().numpy(), -1 / math.sqrt(80), 1 / math.sqrt(80))
    assert float(linear.bias.detach().abs().max()) <= 1 / math.sqrt(80)
    assert float(linear.bias.detach().std()) > 0.4 / math.sqrt(80)
    conv = nn.Conv2d(8, 40, 5, groups=2)
    check_uniform(conv.weight.detach().numpy(), -0.1, 0.1)
    check_normal(nn.Embedding(100, 60).weight.detach().numpy(), 0.0, 1.0)


def test_the_same_seed_gives_the_same_weights() -> None:
    def weights(seed: int) -> Any:
        dovetail.manual_seed(seed)
        return nn.Linear(5, 4).weight.tolist()

    assert weights(3) == weights(3)
    assert weights(3) != weights(4)


def test_a_generator_of_its_own() -> None:
    def draw(name: str, *args: float) -> Any:
        generator = dovetail.Generator().manual_seed(5)
        return getattr(init, name)(dovetail.empty(6, 5), *args, generator=generator).tolist()

    for name, args in [
        ("uniform_", ()),
        ("normal_", ()),
        ("trunc_normal_", ()),
        ("xavier_uniform_", ()),
        ("xavier_normal_", ()),
        ("kaiming_uniform_", ()),
        ("kaiming_normal_", ()),
        ("orthogonal_", ()),
        ("sparse_", (0.5,)),
    ]:
        dovetail.manual_seed(0)
        first = draw(name, *args)
        dovetail.rand(1)
        assert draw(name, *args) == first, name


def test_parameters_are_filled_outside_the_graph() -> None:
    parameter = nn.Parameter(dovetail.ones(4, 4))
    for name in (
        "uniform_",
        "normal_",
        "trunc_normal_",
        "ones_",
        "zeros_",
        "eye_",
        "orthogonal_",
        "xavier_normal_",
    ):
        assert getattr(init, name)(parameter) is parameter
        assert parameter.is_leaf
        assert parameter.requires_grad


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("xavier_uniform_", (3,), "Fan in and fan out can not be computed"),
        ("kaiming_normal_", (3,), "Fan in and fan out can not be computed"),
        ("eye_", (3,), "Only tensors with 2 dimensions"),
        ("dirac_", (3, 3), "Only tensors with 3, 4, or 5 dimensions"),
        ("orthogonal_", (3,), "Only tensors with 2 or more dimensions"),
    ],
)
def test_wrong_shapes(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(init, name)(dovetail.empty(shape))


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="Mode fan_on not supported"):
        init.kaiming_uniform_(dovetail.empty(2, 2), mode="fan_on")
    with pytest.raises(ValueError, match="dim 0 must be divisible by groups"):
        init.dirac_(dovetail.empty(3, 2, 2), 2)
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        init.kaiming_uniform_(dovetail.empty(0, 3))


def test_former_names_warn() -> None:
    with pytest.warns(FutureWarning, match="`nn.init.xavier_uniform` is now deprecated"):
        init.xavier_uniform(dovetail.empty(2, 2))
