"""Normalisation, softmax and losses on the NumPy backend, within their running error bounds.

No tolerance is typed in: `Bounded` carries a longdouble value and a first-order bound of the rounding error
through the formula, one operation at a time, and the kernel has to stay within what comes out.
"""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import losses, normalization

Array = np.ndarray[Any, Any]
Axes = tuple[int, ...]

UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}
TINIEST = {np.dtype(np.float32): 2.0**-149, np.dtype(np.float64): 2.0**-1074}
# exp and log may be off by 3 units in the last place, each of at most 2 u.
LIBRARY = 6


class Bounded:
    """A number and what it may be off by after the operations that made it, in arithmetic of one dtype."""

    def __init__(self, value: Any, error: Any = 0.0, dtype: Any = np.float32) -> None:
        self.value: Any = np.asarray(value, np.longdouble)
        self.error: Any = np.broadcast_to(np.asarray(error, np.longdouble), self.value.shape)
        self.dtype = np.dtype(dtype)

    def _rounded(self, value: Any, error: Any, units: float = 1) -> Bounded:
        unit = UNIT[self.dtype]
        return Bounded(value, error + units * unit * (abs(value) + error) + TINIEST[self.dtype], self.dtype)

    def _lift(self, other: Any) -> Bounded:
        # A Python number is rounded to the dtype before it is used.
        return other if isinstance(other, Bounded) else Bounded(0, 0, self.dtype)._rounded(np.longdouble(other), 0)

    def __add__(self, other: Any) -> Bounded:
        other = self._lift(other)
        return self._rounded(self.value + other.value, self.error + other.error)

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error, self.dtype)

    def __sub__(self, other: Any) -> Bounded:
        return self + -self._lift(other)

    def __mul__(self, other: Any) -> Bounded:
        other = self._lift(other)
        error = abs(self.value) * other.error + abs(other.value) * self.error + self.error * other.error
        return self._rounded(self.value * other.value, error)

    def __truediv__(self, other: Any) -> Bounded:
        other = self._lift(other)
        value = self.value / other.value
        return self._rounded(value, (self.error + abs(value) * other.error) / (abs(other.value) - other.error))

    def sqrt(self) -> Bounded:
        value = np.sqrt(self.value)
        # sqrt(v) - sqrt(v - e), without a division by 0.
        return self._rounded(value, value - np.sqrt(np.maximum(self.value - self.error, 0)))

    def exp(self) -> Bounded:
        return self._rounded(np.exp(self.value), np.exp(self.value) * np.expm1(self.error), LIBRARY)

    def log(self) -> Bounded:
        return self._rounded(np.log(self.value), -np.log1p(-self.error / self.value), LIBRARY)

    def sum(self, axes: Axes) -> Bounded:
        count = math.prod(self.value.shape[axis] for axis in axes)
        # Blocks of products have a tree of their own above the blocks: 32 twice.
        steps = max(count - 1, 0).bit_length() + 64
        error = self.error.sum(axis=axes, keepdims=True)
        magnitude = (abs(self.value) + self.error).sum(axis=axes, keepdims=True)
        return Bounded(
            self.value.sum(axis=axes, keepdims=True), error + steps * UNIT[self.dtype] * magnitude, self.dtype
        )

    def mean(self, axes: Axes) -> Bounded:
        return self.sum(axes) / math.prod(self.value.shape[axis] for axis in axes)

    def pick(self, index: Any) -> Bounded:
        return Bounded(self.value[index], self.error[index], self.dtype)

    def admits(self, result: Array) -> bool:
        """Tell whether a result has the dtype and is no further off than the bound."""
        shape = np.shape(result)
        distance = abs(result - self.value.reshape(shape))
        return result.dtype == self.dtype and bool((distance <= self.error.reshape(shape)).all())


def normal(seed: int, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def channels_last(array: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 2 else array


# ---------------------------------------------------------------------------------------------- normalisation


def normalised(x: Bounded, axes: Axes, eps: float) -> tuple[Bounded, Bounded, Bounded]:
    """Return the normalised numbers, their means and 1 / standard deviations."""
    mean = x.mean(axes)
    centred = x - mean
    one = Bounded(1, 0, x.dtype)
    rstd = one / ((centred * centred).mean(axes) + eps).sqrt()
    return centred * rstd, mean, rstd


def normalised_grad(g: Bounded, normal_x: Bounded, rstd: Bounded, axes: Axes) -> Bounded:
    return (g - g.mean(axes) - normal_x * (g * normal_x).mean(axes)) * rstd


SHAPES = [(6, 3), (4, 5, 7), (3, 16, 6, 5), (64, 4, 28, 28)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_of_a_batch(shape: tuple[int, ...], offset: float, layout: str, dtype: Any) -> None:
    x, g = normal(0, shape, dtype) + dtype(offset), normal(1, shape, dtype)
    w, b = normal(2, shape[1:2], dtype), normal(3, shape[1:2], dtype)
    axes = (0, *range(2, len(shape)))
    column = (1, shape[1], *(1,) * (len(shape) - 2))
    wide_x, wide_g, wide_w, wide_b = (
        Bounded(array, 0, dtype) for array in (x, g, w.reshape(column), b.reshape(column))
    )
    normal_x, mean, rstd = normalised(wide_x, axes, 1e-5)
    if layout == "last":
        x, g = (np.moveaxis(channels_last(array), -1, 1) if array.ndim > 2 else array for array in (x, g))

    out, used_mean, used_rstd = normalization.batch_norm(x, w, b, None, None, training=True, eps=1e-5)
    assert (normal_x * wide_w + wide_b).admits(out)
    assert mean.admits(used_mean)
    assert rstd.admits(used_rstd)
    gx, gw, gb = normalization.batch_norm_backward(g, x, w, used_mean, used_rstd, training=True)
    assert normalised_grad(wide_g * wide_w, normal_x, rstd, axes).admits(gx)
    assert (wide_g * normal_x).sum(axes).admits(gw)
    assert wide_g.sum(axes).admits(gb)


def test_batch_norm_with_running_statistics() -> None:
    x, g, w, b = (normal(i, s) for i, s in enumerate(((5, 3, 4, 4), (5, 3, 4, 4), (3,), (3,))))
    mean, var = normal(4, (3,)), abs(normal(5, (3,))) + np.float32(0.5)
    wide_x, wide_g, wide_w, wide_b, wide_mean, wide_var = (
        Bounded(array if array.ndim == 4 else array.reshape(1, 3, 1, 1)) for array in (x, g, w, b, mean, var)
    )
    rstd = Bounded(1) / (wide_var + 1e-5).sqrt()
    out, used_mean, used_rstd = normalization.batch_norm(x, w, b, mean, var, training=False, eps=1e-5)
    assert ((wide_x - wide_mean) * rstd * wide_w + wide_b).admits(out)
    gx, gw, _ = normalization.batch_norm_backward(g, x, w, used_mean, used_rstd, training=False)
    assert (wide_g * rstd * wide_w).admits(gx)
    assert (wide_g * (wide_x - wide_mean) * rstd).sum((0, 2, 3)).admits(gw)
    with pytest.raises(ValueError, match="running_mean"):
        normalization.batch_norm(x, w, b, None, None, training=False, eps=1e-5)


def test_batch_norm_moves_the_running_statistics_and_writes_to_no_argument() -> None:
    x, mean, var = normal(0, (8, 3, 5)), np.zeros(3, np.float32), np.ones(3, np.float32)
    before = [array.copy() for array in (x, mean, var)]
    *_, new_mean, new_var = normalization.batch_norm_train(x, None, None, mean, var, momentum=0.1, eps=1e-5)
    wide = Bounded(x)
    assert new_mean is not None
    assert new_var is not None
    batch = wide.mean((0, 2))
    assert (batch * 0.1).admits(new_mean)
    centred = wide - batch
    assert ((centred * centred).sum((0, 2)) / 39 * 0.1 + 0.9).admits(new_var)
    for array, copy in zip((x, mean, var), before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(
    ("shape", "kept"), [((6, 10), 1), ((3, 4, 5), 1), ((3, 4, 5), 2), ((1000, 200), 1), ((7,), 0)], ids=str
)
def test_layer_norm(shape: tuple[int, ...], kept: int, affine: bool, dtype: Any) -> None:
    x, g = normal(0, shape, dtype) + dtype(3), normal(1, shape, dtype)
    inner, axes, outer = shape[kept:], tuple(range(kept, len(shape))), tuple(range(kept))
    w, b = (normal(2, inner, dtype), normal(3, inner, dtype)) if affine else (None, None)
    ones, zeros = np.ones(inner), np.zeros(inner)
    wide_w, wide_b = Bounded(ones if w is None else w, 0, dtype), Bounded(zeros if b is None else b, 0, dtype)
    wide_g = Bounded(g, 0, dtype)
    normal_x, mean, rstd = normalised(Bounded(x, 0, dtype), axes, 1e-5)

    out, used_mean, used_rstd = normalization.layer_norm(x, w, b, normalized_shape=inner, eps=1e-5)
    assert (normal_x * wide_w + wide_b).admits(out)
    assert used_mean.shape == used_rstd.shape == (*shape[:kept], *(1,) * len(inner))
    assert mean.admits(used_mean)
    assert rstd.admits(used_rstd)
    gx, gw, gb = normalization.layer_norm_backward(g, x, w, used_mean, used_rstd, normalized_shape=inner)
    assert normalised_grad(wide_g * wide_w, normal_x, rstd, axes).admits(gx)
    assert (wide_g * normal_x).sum(outer).admits(gw)
    assert wide_g.sum(outer).admits(gb)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_a_large_mean_costs_no_digit(kind: str) -> None:
    x = normal(0, (500, 30)) + np.float32(10_000)
    axis = 0 if kind == "batch" else 1
    wide = x.astype(np.longdouble)
    centred = wide - wide.mean(axis=axis, keepdims=True)
    rstd = 1 / np.sqrt(wide.var(axis=axis, keepdims=True) + np.longdouble(1e-5))
    if kind == "batch":
        out, _, _ = normalization.batch_norm(x, None, None, None, None, training=True, eps=1e-5)
    else:
        out, _, _ = normalization.layer_norm(x, None, None, normalized_shape=(30,), eps=1e-5)
    # Subtracting the rounded mean is exact here (Sterbenz). What remains to be off is the mean of the rest and
    # the variance, each by at most 9 + 64 additions, and a few operations.
    scale = abs(centred) + abs(centred).mean(axis=axis, keepdims=True)
    assert (abs(out - centred * rstd) <= 100 * UNIT[x.dtype] * rstd * scale).all()


def test_the_bound_sees_a_variance_divided_by_too_few() -> None:
    x = normal(0, (50, 20))
    exact, _, _ = normalised(Bounded(x), (1,), 1e-5)
    centred = x - x.mean(axis=1, keepdims=True)
    assert not exact.admits(centred / np.sqrt(x.var(axis=1, ddof=1, keepdims=True) + np.float32(1e-5)))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype: Any) -> None:
    x, w, b, g = (normal(i, s, dtype) for i, s in enumerate(((6, 4, 3, 3), (4,), (4,), (6, 4, 3, 3))))
    wide = [array.astype(np.float32) for array in (x, w, b, g)]
    out, mean, rstd = normalization.batch_norm(x, w, b, None, None, training=True, eps=1e-5)
    expected, *_ = normalization.batch_norm(*wide[:3], None, None, training=True, eps=1e-5)
    np.testing.assert_array_equal(out, expected.astype(dtype))
    assert mean.dtype == rstd.dtype == np.float32
    for ours, theirs in zip(
        normalization.batch_norm_backward(g, x, w, mean, rstd, training=True),
        normalization.batch_norm_backward(wide[3], wide[0], wide[1], mean, rstd, training=True),
    ):
        np.testing.assert_array_equal(ours, theirs.astype(dtype))
    target = np.array([1, 0, 3, 2, 1, 0])
    keywords: dict[str, Any] = {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.1}
    loss, log_probs = losses.cross_entropy(x[..., 0, 0], target, w, **keywords)
    theirs, _ = losses.cross_entropy(wide[0][..., 0, 0], target, wide[1], **keywords)
    assert (loss.dtype, log_probs.dtype) == (np.dtype(dtype), np.dtype(np.float32))
    np.testing.assert_array_equal(loss, theirs.astype(dtype))
    np.testing.assert_array_equal(losses.softmax(x, dim=1), losses.softmax(wide[0], dim=1).astype(dtype))


# ----------------------------------------------------------------------------------------- softmax and losses


def log_softmax(x: Bounded, dim: int) -> Bounded:
    shifted = x - Bounded(x.value.max(axis=dim, keepdims=True), 0, x.dtype)
    return shifted - shifted.exp().sum((dim,)).log()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize(("shape", "dim"), [((5,), 0), ((4, 6), 1), ((3000, 5), 0), ((3, 7, 4), 1), ((900, 300), 1)])
def test_softmax_family(shape: tuple[int, ...], dim: int, scale: int, dtype: Any) -> None:
    x, g = normal(0, shape, dtype) * dtype(scale), normal(1, shape, dtype)
    wide, wide_g = Bounded(x, 0, dtype), Bounded(g, 0, dtype)
    shifted = wide - Bounded(wide.value.max(axis=dim, keepdims=True), 0, dtype)
    probability = shifted.exp() / shifted.exp().sum((dim,))
    logarithm = log_softmax(wide, dim)

    out = losses.softmax(x, dim=dim)
    assert probability.admits(out)
    grad = losses.softmax_backward(g, out, dim=dim)
    assert ((wide_g - (wide_g * probability).sum((dim,))) * probability).admits(grad)
    out = losses.log_softmax(x, dim=dim)
    assert logarithm.admits(out)
    grad = losses.log_softmax_backward(g, out, dim=dim)
    assert (wide_g - logarithm.exp() * wide_g.sum((dim,))).admits(grad)


def test_softmax_at_the_edges() -> None:
    inf, nan = np.inf, np.nan
    x = np.array([[-inf, 0, -inf], [-inf, -inf, -inf], [inf, 0, 1], [nan, 0, 1], [1e38, -1e38, 0]], np.float32)
    expected = np.array([[0, 1, 0], [nan] * 3, [nan] * 3, [nan] * 3, [1, 0, 0]])
    np.testing.assert_array_equal(losses.softmax(x, dim=1), expected)
    np.testing.assert_array_equal(losses.log_softmax(x, dim=1)[0], [-inf, 0, -inf])
    assert losses.softmax(np.float32(3).reshape(()), dim=0) == 1
    assert losses.softmax(np.empty((0, 3), np.float32), dim=1).shape == (0, 3)
    assert losses.softmax(np.empty((3, 0), np.float32), dim=1).shape == (3, 0)


REDUCTIONS = ["mean", "sum", "none"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy(reduction: str, smoothing: float, weighted: bool, dtype: Any) -> None:
    rows, classes, ignored = 40, 7, 3
    x = normal(0, (rows, classes), dtype) * dtype(4)
    target = np.random.default_rng(1).integers(0, classes, rows)
    w = abs(normal(2, (classes,), dtype)) if weighted else None
    keywords: dict[str, Any] = {"reduction": reduction, "ignore_index": ignored, "label_smoothing": smoothing}
    g = normal(3, (rows,) if reduction == "none" else (), dtype)

    counted = (target != ignored).astype(dtype)
    weights = Bounded(np.ones(classes) if w is None else w, 0, dtype)
    log_p = log_softmax(Bounded(x, 0, dtype), 1)
    mine = weights.pick(target) * Bounded(counted, 0, dtype)
    hit = mine * (Bounded(1, 0, dtype) - smoothing)
    share = weights * (smoothing / classes)
    smooth = (log_p * share).sum((1,)).pick((slice(None), 0)) * Bounded(counted, 0, dtype)
    row_losses = -(log_p.pick((np.arange(rows), target)) * hit) - smooth
    total = mine.sum((0,))
    expected = {"none": row_losses, "sum": row_losses.sum((0,)), "mean": row_losses.sum((0,)) / total}[reduction]

    loss, saved = losses.cross_entropy(x, target, w, **keywords)
    assert loss.shape == g.shape
    assert expected.admits(loss)
    assert log_p.admits(saved)

    row_g = Bounded(g, 0, dtype) / total if reduction == "mean" else Bounded(g, 0, dtype)
    onehot = Bounded(np.eye(classes)[target], 0, dtype)
    by_row = Bounded(hit.value[:, None], hit.error[:, None], dtype)
    out = log_p.exp() * (by_row + share.sum((0,)).pick(0)) - share - onehot * by_row
    scale = Bounded(row_g.value.reshape(-1, 1), row_g.error.reshape(-1, 1), dtype)
    grad = losses.cross_entropy_backward(g, saved, target, w, **keywords)
    assert (out * scale * Bounded(counted[:, None], 0, dtype)).admits(grad)


def test_the_bound_sees_smoothing_spread_over_the_other_classes() -> None:
    x, target = normal(0, (40, 7)), np.zeros(40, np.int64)
    keywords: dict[str, Any] = {"reduction": "sum", "ignore_index": -100}
    loss, _ = losses.cross_entropy(x, target, None, label_smoothing=0.2, **keywords)
    wrong, _ = losses.cross_entropy(x, target, None, label_smoothing=0.2 * 7 / 6, **keywords)
    log_p = log_softmax(Bounded(x), 1)
    exact = -(log_p.pick((slice(None), 0)).sum((0,)) * 0.8) - (log_p * (0.2 / 7)).sum((0, 1)).pick((0, 0))
    assert exact.admits(loss)
    assert not exact.admits(wrong)


def test_a_batch_without_a_counted_row() -> None:
    x, target = np.full((3, 4), np.inf, np.float32), np.full(3, -100)
    for reduction, expected in (("mean", np.nan), ("sum", 0.0), ("none", np.zeros(3))):
        keywords: dict[str, Any] = {"reduction": reduction, "ignore_index": -100}
        loss, saved = losses.cross_entropy(x, target, None, label_smoothing=0.1, **keywords)
        np.testing.assert_array_equal(loss, expected)
        g = np.ones(loss.shape, np.float32)
        grad = losses.cross_entropy_backward(g, saved, target, None, label_smoothing=0.1, **keywords)
        np.testing.assert_array_equal(grad, np.zeros((3, 4)))
        np.testing.assert_array_equal(losses.nll_loss(x, target, None, **keywords), expected)


@pytest.mark.oracle
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(5,), (6, 5), (2, 5, 3), (2, 5, 3, 4), (0, 5)], ids=str)
def test_losses_agree_with_pytorch(shape: tuple[int, ...], reduction: str, smoothing: float) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    x, w = normal(0, shape, np.float64), abs(normal(1, (5,), np.float64))
    target = np.asarray(np.random.default_rng(2).integers(0, 5, (shape[:1] + shape[2:]) if len(shape) > 1 else ()))
    leaf = torch.from_numpy(x).requires_grad_()
    keywords: dict[str, Any] = {"reduction": reduction, "ignore_index": 2}
    g = normal(3, target.shape if reduction == "none" else (), np.float64)
    # Either side adds at most all terms w g (|log p| + 1) in some order, after 20 operations on each.
    rows = np.moveaxis(x, 1, -1).reshape(-1, 5) if x.ndim > 1 else x.reshape(1, 5)
    terms = abs(log_softmax(Bounded(rows, 0, np.float64), 1).value) + 1 if x.size else np.ones(1)
    steps = (terms.size + 20) * 2.0**-53
    divisor = min(1, float(w[target[target != 2]].sum()) or 1)
    most = 2 * steps * float(terms.sum()) * max(1, w.max()) * max(1, abs(g).max(initial=0)) / divisor

    theirs = torch.nn.functional.cross_entropy(
        leaf, torch.from_numpy(target), torch.from_numpy(w), label_smoothing=smoothing, **keywords
    )
    theirs.backward(torch.from_numpy(np.asarray(g)))
    loss, saved = losses.cross_entropy(x, target, w, label_smoothing=smoothing, **keywords)
    grad = losses.cross_entropy_backward(np.asarray(g), saved, target, w, label_smoothing=smoothing, **keywords)
    assert loss.shape == tuple(theirs.shape)
    np.testing.assert_allclose(loss, theirs.detach().numpy(), rtol=0, atol=most)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=0, atol=most)

    leaf.grad = None
    theirs = torch.nn.functional.nll_loss(leaf, torch.from_numpy(target), torch.from_numpy(w), **keywords)
    theirs.backward(torch.from_numpy(np.asarray(g)))
    loss = losses.nll_loss(x, target, w, **keywords)
    grad = losses.nll_loss_backward(np.asarray(g), target, w, input_shape=x.shape, **keywords)
    np.testing.assert_allclose(loss, theirs.detach().numpy(), rtol=0, atol=most)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=0, atol=most)
