"""Optimizer steps of the NumPy backend: every block is done once, whatever the layout and the dtype."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail_numpy import optimizers as first
from dovetail_numpy import optimizers_matrices as matrices
from dovetail_numpy import optimizers_moments as moments
from dovetail_numpy import optimizers_scales as scales
from dovetail_numpy import step_blocks

Array = np.ndarray[Any, Any]

_ADAM = {"lr": 0.1, "step": 7.0, "beta1": 0.9, "beta2": 0.99, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}
_OLD = {**_ADAM, "decoupled": True}
# A function, how many arrays of state it has, which of them are squares, and its numbers.
STEPS: dict[str, tuple[Callable[..., None], int, set[int], dict[str, Any]]] = {
    "sgd": (
        first.sgd_step, 1, set(),
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.1, "nesterov": True, "maximize": True},
    ),
    "adam": (first.adam_step, 3, {1, 2}, {**_ADAM, "decoupled": False}),
    "radam": (moments.radam_step, 2, {1}, _OLD),
    "early radam": (moments.radam_step, 2, {1}, {**_OLD, "step": 2.0}),
    "adamax": (moments.adamax_step, 2, {1}, _ADAM),
    "adagrad": (
        scales.adagrad_step, 1, {0},
        {"lr": 0.1, "step": 3.0, "lr_decay": 0.1, "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
    ),
    "adadelta": (
        scales.adadelta_step, 2, {0, 1}, {"lr": 0.5, "rho": 0.9, "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
    ),
    "rmsprop": (
        scales.rmsprop_step, 3, {0},
        {"lr": 0.1, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1, "momentum": 0.9, "maximize": True},
    ),
    "rprop": (
        scales.rprop_step, 2, {1}, {"shrink": 0.5, "grow": 1.2, "smallest": 0.1, "largest": 0.9, "maximize": True},
    ),
    "asgd": (
        scales.asgd_step, 1, set(), {"eta": 0.1, "mu": 0.3, "lambd": 0.1, "weight_decay": 0.1, "maximize": True},
    ),
    "early asgd": (
        scales.asgd_step, 1, set(), {"eta": 0.1, "mu": 1.0, "lambd": 0.1, "weight_decay": 0.0, "maximize": False},
    ),
}  # fmt: skip
named = pytest.mark.parametrize("name", STEPS)


def arrays_of(name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> list[Array]:
    """Parameter, gradient and state; a centred mean is small beside the root of its square."""
    _, count, squares, _ = STEPS[name]
    found = [np.random.default_rng(i).standard_normal(shape) for i in range(2 + count)]
    for i in squares:
        found[2 + i] = abs(found[2 + i]) + 1
    if name == "rmsprop":
        found[3] *= 0.1
    return [np.array(array, dtype) for array in found]


def run(name: str, arrays: list[Array]) -> list[Array]:
    """Run a step in place and return the arrays."""
    STEPS[name][0](*arrays, **STEPS[name][3])
    return arrays


@named
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_element_is_stepped_once_by_itself(name: str, dtype: Any) -> None:
    """A long array gives what its pieces give: no block is left out, done twice, or mixed with another."""
    size = 2 * step_blocks.BLOCK + 5
    pieces = arrays_of(name, (size,), dtype)
    whole = run(name, [array.copy() for array in pieces])
    for start in range(0, size, 30_011):
        run(name, [array[start : start + 30_011] for array in pieces])
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a, b)
    before = arrays_of(name, (size,), dtype)
    assert (whole[1] == before[1]).all(), "the gradient is left alone"
    for i in (0, *range(2, len(whole))):
        assert (whole[i] != before[i]).mean() > 0.3, f"array {i} is updated"


@named
@pytest.mark.parametrize("shape", [(0, 3), (7, 3), (300, 400)], ids=str)
def test_other_layouts_give_the_same_bits(name: str, shape: tuple[int, ...]) -> None:
    plain = run(name, arrays_of(name, shape))
    for other in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]):
        odd = run(name, [other(array) for array in arrays_of(name, shape)])
        for a, b in zip(plain, odd, strict=True):
            np.testing.assert_array_equal(a, b)


@named
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_computed_in_float32_and_rounded_once(name: str, dtype: Any) -> None:
    half = arrays_of(name, (70_000,), dtype)
    wide = run(name, [array.astype(np.float32) for array in half])
    for narrow, full in zip(run(name, half), wide, strict=True):
        assert narrow.dtype == dtype
        np.testing.assert_array_equal(narrow, full.astype(dtype))


@named
def test_a_number_is_stepped_like_an_array_of_one(name: str) -> None:
    number, one = (run(name, arrays_of(name, shape)) for shape in ((), (1,)))
    for a, b in zip(number, one, strict=True):
        assert a.shape == ()
        np.testing.assert_array_equal(a, b[0])


def test_the_product_of_nadam_is_rounded_in_its_own_dtype() -> None:
    arrays = [np.random.default_rng(i).standard_normal(5) for i in range(3)]
    product = np.array(0.5, np.float32)
    options = {**_ADAM, "momentum_decay": 0.1, "decoupled": False}
    moments.nadam_step(*arrays, abs(arrays[0]), product, **options)
    mu = np.float32(0.9 * (1 - 0.5 * 0.96 ** (7 * 0.1)))
    assert product.dtype == np.float32
    assert product == np.float32(0.5) * mu


def test_threads_have_buffers_of_their_own() -> None:
    """Steps of several threads at once give what one after the other gives."""
    expected = [run("adam", arrays_of("adam", (100_000 + i,))) for i in range(4)]
    found: dict[int, list[Array]] = {}

    def work(i: int) -> None:
        found[i] = run("adam", arrays_of("adam", (100_000 + i,)))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, arrays in enumerate(expected):
        for a, b in zip(arrays, found[i], strict=True):
            np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------------------------ Adafactor

FACTORED = {"lr": 0.1, "step": 3.0, "beta2_decay": -0.8, "eps1": 1e-3, "eps2": 1e-2, "d": 1.0, "weight_decay": 0.1}


def adafactor(arrays: list[Array | None], maximize: bool = False) -> list[Array | None]:
    """The formula in float64, on whole arrays."""
    p, g, rows, columns, each = (None if a is None else a.astype(np.float64) for a in arrays)
    assert p is not None
    assert g is not None
    g = -g if maximize else g
    weight, relative = 3**-0.8, max(1e-2, np.sqrt((p * p).mean())) * min(0.1, 3**-0.5)
    if each is not None:
        each = each + (g * g - each) * weight
        estimate = each
    else:
        rows = rows + ((g * g).mean(-1, keepdims=True) - rows) * weight
        columns = columns + ((g * g).mean(-2, keepdims=True) - columns) * weight
        estimate = rows * columns / np.maximum(rows.mean(-2, keepdims=True), 1e-3)
    change = g / np.sqrt(np.maximum(estimate, 1e-6))
    excess = max(1.0, np.sqrt((change * change).mean()))
    return [p * (1 - 0.1 * 0.1) - change * relative / excess, arrays[1], rows, columns, each]


def factored(shape: tuple[int, ...], dtype: Any) -> list[Array | None]:
    """Parameter, gradient, and factors or a variance."""
    rng = np.random.default_rng(0)
    arrays = [np.array(rng.standard_normal(shape), dtype) for _ in range(2)]
    if len(shape) < 2:
        return [*arrays, None, None, np.array(rng.uniform(1, 2, shape), dtype)]
    parts = [(*shape[:-1], 1), (*shape[:-2], 1, shape[-1])]
    return [*arrays, *(np.array(rng.uniform(1, 2, part), dtype) for part in parts), None]


SHAPES = [
    (),
    (5,),
    (2 * step_blocks.BLOCK + 3,),
    (7, 3),
    (3, 300, 400),
    (2, 1, 5, 4),
    (3, step_blocks.BLOCK + 2),
    (0, 4),
]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adafactor_is_its_formula(dtype: Any, shape: tuple[int, ...], maximize: bool) -> None:
    arrays = factored(shape, dtype)
    expected = adafactor(arrays, maximize) if np.prod(shape) else arrays
    matrices.adafactor_step(*arrays, **FACTORED, maximize=maximize)
    for mine, wanted in zip(arrays, expected, strict=True):
        if mine is not None:
            np.testing.assert_allclose(mine, wanted, rtol=2e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


@pytest.mark.parametrize("shape", [(70_000,), (90, 1000)], ids=str)
def test_adafactor_in_other_layouts_and_16_bits(shape: tuple[int, ...]) -> None:
    plain, odd = factored(shape, np.float32), factored(shape, np.float32)
    odd = [None if a is None else np.repeat(a, 2, axis=-1)[..., ::2] for a in odd]
    half = [None if a is None else a.astype(ml_dtypes.bfloat16) for a in plain]
    full = [None if a is None else a.astype(np.float32) for a in half]
    for arrays in (plain, odd, half, full):
        matrices.adafactor_step(*arrays, **FACTORED, maximize=False)
    for a, b, c, d in zip(plain, odd, half, full, strict=True):
        if a is not None:
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(c, d.astype(ml_dtypes.bfloat16))
