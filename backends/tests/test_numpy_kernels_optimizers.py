"""Optimizer steps of the NumPy backend: within their error bound, equal to PyTorch's, and in place."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import optimizers, step_blocks

Array = np.ndarray[Any, Any]

UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}


def gamma(steps: int, dtype: Any) -> float:
    """Return gamma_K = K u / (1 - K u)."""
    return steps * UNIT[np.dtype(dtype)] / (1 - steps * UNIT[np.dtype(dtype)])


def normal(seed: int, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


ADAM: dict[str, Any] = {
    "lr": 0.01,
    "step": 3,
    "beta1": 0.9,
    "beta2": 0.99,
    "eps": 1e-3,
    "weight_decay": 0.0,
    "decoupled": False,
    "maximize": False,
}
SGD: dict[str, Any] = {
    "lr": 0.1,
    "momentum": 0.0,
    "dampening": 0.0,
    "weight_decay": 0.0,
    "nesterov": False,
    "maximize": False,
}


def adam_in_longdouble(p: Array, g: Array, m: Array, v: Array, top: Array | None, k: dict[str, Any]) -> Any:
    """Return parameter, mean and square after one step, and the sums of magnitudes behind each of them."""
    p, g, m, v = (array.astype(np.longdouble) for array in (p, g, m, v))
    grad, size = (-g if k["maximize"] else g), abs(g)
    p_size = abs(p)
    if k["decoupled"]:
        p = p * (1 - k["lr"] * k["weight_decay"])
    else:
        grad, size = grad + k["weight_decay"] * p, size + k["weight_decay"] * abs(p)
    m_size = k["beta1"] * abs(m) + (1 - k["beta1"]) * (size + 2 * abs(m))
    v_size = k["beta2"] * v + (1 - k["beta2"]) * size * size
    m = k["beta1"] * m + (1 - k["beta1"]) * grad
    v = k["beta2"] * v + (1 - k["beta2"]) * grad * grad
    used = v if top is None else np.maximum(v, top)
    denominator = np.sqrt(used / (1 - k["beta2"] ** k["step"])) + k["eps"]
    rate = k["lr"] / (1 - k["beta1"] ** k["step"])
    new = p - rate * m / denominator
    # An error of v moves the root by at most sqrt(error), an error of m goes through the quotient.
    change = rate * m_size / denominator
    return new, m, v, p_size + change * (1 + np.sqrt(v_size) / denominator), m_size, v_size


VARIANTS = [
    {},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "decoupled": True},
    {"maximize": True, "weight_decay": 0.1},
    {"beta1": 0.3},
    {"step": 1},
    {"step": 100_000, "lr": 1e-4},
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("shape", [(), (5,), (7, 3), (3 * step_blocks.BLOCK + 5,), (0, 3)], ids=str)
def test_adam_stays_within_its_bound(
    shape: tuple[int, ...], variant: dict[str, Any], amsgrad: bool, dtype: Any
) -> None:
    keywords = ADAM | variant
    p, g, m = (np.asarray(normal(i, shape, dtype)) for i in range(3))
    v = np.asarray(abs(normal(3, shape, dtype)))
    top = np.asarray(abs(normal(4, shape, dtype))) if amsgrad else None
    new, mean, square, size, m_size, v_size = adam_in_longdouble(p, g, m, v, top, keywords)
    highest = None if top is None else np.maximum(top, square)
    optimizers.adam_step(p, g, m, v, top, **keywords)
    # 5 operations make a mean, 6 its square, and 8 more the update from both.
    assert (abs(m - mean) <= gamma(5, dtype) * m_size).all()
    assert (abs(v - square) <= gamma(6, dtype) * v_size).all()
    assert (abs(p - new) <= gamma(24, dtype) * size).all()
    if top is not None:
        assert (abs(top - highest) <= gamma(6, dtype) * v_size).all()


def test_the_bound_sees_eps_inside_the_root() -> None:
    p, g, m, v = (abs(normal(i, (50,))) for i in range(4))
    v *= np.float32(1e-6)
    new, *_, size, _, _ = adam_in_longdouble(p, g * 0, m, v, None, ADAM)
    outside = p.copy()
    optimizers.adam_step(outside, g * 0, m.copy(), v.copy(), None, **ADAM)
    inside = p - ADAM["lr"] / (1 - 0.9**3) * (0.9 * m) / np.sqrt(0.99 * v / (1 - 0.99**3) + ADAM["eps"])
    assert (abs(outside - new) <= gamma(24, np.float32) * size).all()
    assert not (abs(inside.astype(np.float32) - new) <= gamma(24, np.float32) * size).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "variant",
    [
        {},
        {"weight_decay": 0.1},
        {"maximize": True, "weight_decay": 0.1},
        {"momentum": 0.9},
        {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1, "maximize": True},
        {"momentum": 0.9, "nesterov": True},
    ],
    ids=str,
)
def test_sgd_stays_within_its_bound(variant: dict[str, Any], dtype: Any) -> None:
    k = SGD | variant
    for shape in ((7, 3), (2 * step_blocks.BLOCK + 5,)):
        p, g, buffer = (normal(i, shape, dtype) for i in range(3))
        wide_p, grad, kept = (array.astype(np.longdouble) for array in (p, g, buffer))
        size = abs(grad) + k["weight_decay"] * abs(wide_p) + abs(kept)
        grad = (-grad if k["maximize"] else grad) + k["weight_decay"] * wide_p
        momentum = k["momentum"] * kept + (1 - k["dampening"]) * grad
        step = grad + k["momentum"] * momentum if k["nesterov"] else momentum if k["momentum"] else grad
        optimizers.sgd_step(p, g, buffer if k["momentum"] else None, **k)
        assert (abs(p - (wide_p - k["lr"] * step)) <= gamma(10, dtype) * (abs(wide_p) + 2 * size)).all()
        if k["momentum"]:
            assert (abs(buffer - momentum) <= gamma(6, dtype) * size).all()


def transposed(array: Array) -> Array:
    return np.asfortranarray(array)


def sliced(array: Array) -> Array:
    return np.repeat(array, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("other", [transposed, sliced])
def test_other_layouts_give_the_same_bits(other: Callable[[Array], Array]) -> None:
    for shape in ((7, 3), (300, 400)):
        arrays = [abs(normal(i, shape)) for i in range(4)]
        strided = [other(array) for array in arrays]
        for p, g, m, v in (arrays, strided):
            optimizers.adam_step(p, g, m, v, None, **ADAM)
            optimizers.sgd_step(p, g, m, **(SGD | {"momentum": 0.9}))
        for plain, odd in zip(arrays, strided):
            np.testing.assert_array_equal(plain, odd)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(dtype: Any) -> None:
    half = [abs(normal(i, (70_000,), dtype)) for i in range(4)]
    wide = [array.astype(np.float32) for array in half]
    optimizers.adam_step(*half, None, **ADAM)
    optimizers.adam_step(*wide, None, **ADAM)
    for narrow, full in zip(half, wide):
        assert narrow.dtype == dtype
        np.testing.assert_array_equal(narrow, full.astype(dtype))


def test_the_gradient_is_left_alone_and_read_only_parameters_are_refused() -> None:
    p, g = normal(0, (5,)), normal(1, (5,))
    before = g.copy()
    optimizers.sgd_step(p, g, None, **(SGD | {"weight_decay": 0.1, "maximize": True}))
    optimizers.sgd_step(p, g, g * 0, **(SGD | {"momentum": 0.9, "nesterov": True}))
    optimizers.adam_step(p, g, g * 0, g * 0, None, **(ADAM | {"weight_decay": 0.1, "maximize": True}))
    np.testing.assert_array_equal(g, before)
    p.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        optimizers.sgd_step(p, g, None, **SGD)


@pytest.mark.oracle
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("maximize", [False, True])
def test_five_steps_agree_with_pytorch(maximize: bool, decay: float) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    for adamw, amsgrad in itertools.product((False, True), repeat=2):
        p, m, v = normal(0, (40,), np.float64), np.zeros(40), np.zeros(40)
        top = np.zeros(40) if amsgrad else None
        theirs = torch.from_numpy(p.copy()).requires_grad_()
        kind = torch.optim.AdamW if adamw else torch.optim.Adam
        optimizer = kind([theirs], lr=0.01, amsgrad=amsgrad, weight_decay=decay, maximize=maximize)
        for step in range(1, 6):
            g = normal(step, (40,), np.float64)
            theirs.grad = torch.from_numpy(g)
            optimizer.step()
            keywords = {"lr": 0.01, "step": step, "beta2": 0.999, "eps": 1e-8, "weight_decay": decay}
            keywords |= {"decoupled": adamw, "maximize": maximize}
            optimizers.adam_step(p, g, m, v, top, **(ADAM | keywords))
        # 24 operations a step on numbers of the parameter's size and updates below 0.1, on both sides.
        np.testing.assert_allclose(p, theirs.detach().numpy(), rtol=0, atol=2 * 5 * gamma(24, np.float64) * 4)

    for nesterov, dampening in ((False, 0.0), (False, 0.3), (True, 0.0)):
        p, buffer = normal(0, (40,), np.float64), np.zeros(40)
        theirs = torch.from_numpy(p.copy()).requires_grad_()
        keywords = {"lr": 0.1, "momentum": 0.9, "dampening": dampening, "weight_decay": decay}
        keywords |= {"nesterov": nesterov, "maximize": maximize}
        optimizer = torch.optim.SGD([theirs], **keywords)
        for step in range(5):
            g = normal(step, (40,), np.float64)
            theirs.grad = torch.from_numpy(g)
            optimizer.step()
            optimizers.sgd_step(p, g, buffer, **(keywords | ({} if step else {"dampening": 0.0})))
        np.testing.assert_allclose(p, theirs.detach().numpy(), rtol=0, atol=2 * 5 * gamma(10, np.float64) * 16)
