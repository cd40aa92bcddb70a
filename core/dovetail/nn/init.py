"""Initial values of weights: every function fills a tensor in place, outside the graph, and returns it."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dovetail import ops
from dovetail.autograd.mode import no_grad
from dovetail.errors import ArgumentError

if TYPE_CHECKING:
    from dovetail.random.generator import Generator
    from dovetail.tensor.tensor import Tensor

Filler = TypeVar("Filler", bound=Callable[..., Any])

_UNIT_GAINS = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps the variance of activations level through a nonlinearity.

    1 for linear layers, convolutions and sigmoid, 5/3 for tanh, sqrt(2) for relu, sqrt(2 / (1 + slope²)) for
    leaky_relu with ``param`` as its negative slope (He et al. 2015, arXiv:1502.01852), 3/4 for selu.

    >>> from dovetail import nn
    >>> nn.init.calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity in _UNIT_GAINS:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ArgumentError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4  # found by trial: github.com/pytorch/pytorch/pull/50664
    known = ", ".join((*_UNIT_GAINS, "tanh", "relu", "leaky_relu", "selu"))
    raise ArgumentError(f"Unsupported nonlinearity {nonlinearity}; known are {known}")


# ------------------------------------------------------------------------------------------------ plain fills


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with draws from the normal distribution."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with draws from the normal distribution, each drawn anew until it lies in [a, b].

    Proposals come from the normal distribution itself, or from the uniform one where [a, b] holds less than
    0.3 of it (Robert 1995, "Simulation of truncated normal variables"). What is accepted is decided on the
    host in float64, so the values are the same on every device.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    share = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    values = np.empty(tensor.numel(), dtype=np.float64)
    pending = np.arange(values.size)
    while pending.size:
        if share > 0.3:
            drawn = _draws(tensor, pending.size).normal_(mean, std, generator=generator)
            proposed = _on_host(drawn)
            accepted = (proposed >= a) & (proposed <= b)
        else:
            proposed = _on_host(_draws(tensor, pending.size).uniform_(a, b, generator=generator))
            level = _on_host(_draws(tensor, pending.size).uniform_(0.0, 1.0, generator=generator))
            mode = max(a, min(mean, b))
            drop = ((proposed - mean) / std) ** 2 - ((mode - mean) / std) ** 2
            accepted = level <= np.exp(-0.5 * drop)
        values[pending[accepted]] = proposed[accepted]
        pending = pending[~accepted]
    return _write(tensor, values)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    return tensor.fill_(val)


@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return tensor.fill_(1.0)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return tensor.zero_()


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity, so that a linear layer passes its inputs on as far as it can."""
    if tensor.ndim != 2:
        raise ArgumentError("Only tensors with 2 dimensions are supported")
    return tensor.copy_(ops.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill the weight of a convolution so that each group passes its input channels on as far as it can."""
    if tensor.ndim not in (3, 4, 5):
        raise ArgumentError("Only tensors with 3, 4, or 5 dimensions are supported")
    out_channels, in_channels, *kernel = tensor.shape
    if out_channels % groups != 0:
        raise ArgumentError("dim 0 must be divisible by groups")
    per_group = out_channels // groups
    values = np.zeros(tensor.shape, dtype=np.float64)
    centre = tuple(size // 2 for size in kernel)
    for group in range(groups):
        for channel in range(min(per_group, in_channels)):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _write(tensor, values)


# ---------------------------------------------------------------------------------------------- scaled by fan


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return the inputs of an output and the outputs of an input, for a weight (out, in, *kernel)."""
    if tensor.ndim < 2:
        raise ArgumentError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, "
            f"got shape {tuple(tensor.shape)}"
        )
    out_channels, in_channels, *kernel = tensor.shape
    return in_channels * math.prod(kernel), out_channels * math.prod(kernel)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ArgumentError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def _xavier_std(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor)))


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    """Return the standard deviation, or None for a tensor without elements, whose fan may be 0."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


@no_grad()
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from U(-x, x) with x = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return tensor.uniform_(-bound, bound, generator=generator)


@no_grad()
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill from N(0, std²) with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010)."""
    return tensor.normal_(0.0, _xavier_std(tensor, gain), generator=generator)


@no_grad()
def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from U(-x, x) with x = gain * sqrt(3 / fan) (He et al. 2015, arXiv:1502.01852).

    ``a`` is the negative slope of a leaky_relu; ``mode`` "fan_in" keeps the variance in the forward pass,
    "fan_out" in the backward pass.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return tensor.uniform_(-bound, bound, generator=generator)


@no_grad()
def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill from N(0, std²) with std = gain / sqrt(fan) (He et al. 2015, arXiv:1502.01852)."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else tensor.normal_(0.0, std, generator=generator)


# ------------------------------------------------------------------------------------------------- structured


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a matrix of orthonormal rows or columns, whichever are fewer, times ``gain``.

    Dimensions after the first are taken as one (Saxe et al. 2013, arXiv:1312.6120). The QR decomposition
    runs on the host in float64, so the values are the same on every device.
    """
    if tensor.ndim < 2:
        raise ArgumentError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    drawn = _on_host(_draws(tensor, tensor.numel()).normal_(0.0, 1.0, generator=generator))
    matrix = drawn.reshape(rows, -1)
    wide = rows < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    # The signs make Q uniform over the orthogonal matrices (Mezzadri 2007, arXiv:math-ph/0609050).
    q = q * np.sign(np.diag(r))
    return _write(tensor, gain * (q.T if wide else q))


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill a matrix from N(0, std²), a fraction ``sparsity`` of each column with zero (Martens 2010)."""
    if tensor.ndim != 2:
        raise ArgumentError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0.0, std, generator=generator)
    for column in range(columns):
        tensor[ops.randperm(rows, generator=generator, device=tensor.device)[:zeros], column] = 0
    return tensor


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _draws(tensor: Tensor, count: int) -> Tensor:
    return ops.empty(count, dtype=tensor.dtype, device=tensor.device)


def _on_host(drawn: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(drawn.double().cpu().numpy())


def _write(tensor: Tensor, values: np.ndarray[Any, Any]) -> Tensor:
    return tensor.copy_(ops.from_numpy(values.reshape(tensor.shape)))


# ----------------------------------------------------------------------------------------------- former names


def _former(function: Filler) -> Filler:
    """Return the function under the name that it had before PyTorch 0.4, which warns."""
    new = function.__name__
    old = new.removesuffix("_")

    @functools.wraps(function)
    def deprecated(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    deprecated.__name__ = old
    return deprecated  # type: ignore[return-value]  # the same signature, by wraps


uniform = _former(uniform_)
normal = _former(normal_)
constant = _former(constant_)
eye = _former(eye_)
dirac = _former(dirac_)
xavier_uniform = _former(xavier_uniform_)
xavier_normal = _former(xavier_normal_)
kaiming_uniform = _former(kaiming_uniform_)
kaiming_normal = _former(kaiming_normal_)
orthogonal = _former(orthogonal_)
sparse = _former(sparse_)
