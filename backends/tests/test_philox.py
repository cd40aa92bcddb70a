"""Random words and distributions: every implementation gives the bits that NumPy's kernels give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail.backend import streams
from dovetail_numpy import philox as numpy_philox

Array = np.ndarray[Any, Any]
FLOATS = ("float32", "float16", "bfloat16", "float64")
# int64 bits. An offset counts modulo 2^64, and carries into the second word of the counter: the last three.
STATES = ([-5, 7, 12345], [3, 4, -1], [3, 4, -2], [-3, 0, -6])


def host_dtype(name: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, name, name))


class Implementation:
    """One implementation of the functions, with NumPy arrays at its borders."""

    def __init__(self, to: Any, call: Callable[..., Any], dtype: Callable[[str], Any] = host_dtype) -> None:
        self._to, self._call, self.dtype = to, call, dtype
        self.dtypes = FLOATS

    def __call__(self, name: str, array: Array, **parameters: Any) -> Array:
        if "dtype" in parameters:
            parameters["dtype"] = self.dtype(parameters["dtype"])
        if isinstance(parameters.get("p"), np.ndarray):
            parameters["p"] = self._to(parameters["p"])
        return np.asarray(self._call(name, self._to(array), parameters))


on_numpy = Implementation(lambda a: a, lambda name, a, k: getattr(numpy_philox, name)(a, **k))


def portable(xp: Any) -> Callable[..., Any]:
    return lambda name, a, k: getattr(streams, name)(xp, a, **k)


def strict_implementation() -> Implementation:
    xp = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    made = Implementation(xp.asarray, portable(xp), lambda name: getattr(xp, name))
    made.dtypes = ("float32", "float64")  # the standard has no others
    return made


def jax_implementation(jitted: bool) -> Implementation:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    from dovetail_jax import philox

    def call(name: str, array: Any, parameters: dict[str, Any]) -> Any:
        def function(a: Any) -> Any:
            return getattr(philox, name)(a, **parameters)

        return (jax.jit(function) if jitted else function)(array)

    return Implementation(jax.numpy.asarray, call)


MAKERS: dict[str, Callable[[], Implementation]] = {
    "jax": lambda: jax_implementation(jitted=False),
    "jax jit": lambda: jax_implementation(jitted=True),
    "strict": strict_implementation,
    "portable on numpy": lambda: Implementation(lambda a: a, portable(np)),
}


@pytest.fixture(params=MAKERS)
def other(request: pytest.FixtureRequest) -> Iterator[Implementation]:
    made = MAKERS[request.param]()
    if request.param.startswith("jax"):
        import jax

        with jax.enable_x64(True):
            yield made
    else:
        yield made


@pytest.fixture
def x64() -> Iterator[Any]:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    with jax.enable_x64(True):
        yield jax


def assert_same_bits(a: Array, b: Array) -> None:
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    different = np.flatnonzero(
        np.frombuffer(a.tobytes(), f"V{a.itemsize}") != np.frombuffer(b.tobytes(), f"V{b.itemsize}")
    )
    assert different.size == 0, (
        f"{different.size} of {a.size} differ, first at {different[0]}: "
        f"{a.ravel()[different[0]]!r}, {b.ravel()[different[0]]!r}"
    )


def hard_words(width: int) -> Array:
    """Words at every edge of the formulas, each with its complement, and random ones: 2^15 in all."""
    kind = np.uint32 if width == 32 else np.uint64
    powers = [2**k + d for k in range(width) for d in (-1, 0, 1, 2**11)]
    near = [d << k for d in range(-9, 10) for k in (0, 11)]
    edges = [int(u * 2**width) + d for u in (0.075, 0.5, 0.925) for d in near]
    deep = [k << (width - 53 if width == 64 else 0) for k in range(2000)]
    far = [int(2.0**width * 1.388794386496402e-11) + (d << 11) for d in range(-50, 50)]
    special = np.array([x % 2**width for x in powers + edges + deep + far], kind)
    special = np.concatenate([special, ~special])
    random = np.random.default_rng(7).integers(0, 2**width, 2**15 - special.size, dtype=kind)
    return np.concatenate([special, random])


# ---------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1,), (9,), (3, 7)])
def test_words_agree(other: Implementation, state: list[int], width: int, shape: tuple[int, ...]) -> None:
    mine = on_numpy("random_words", np.array(state), shape=shape, width=width)
    assert_same_bits(other("random_words", np.array(state), shape=shape, width=width), mine)


# Known answers of the Random123 library (kat_vectors, philox4x64 10): counter, key, block.
KNOWN = """
0000000000000000 0000000000000000 0000000000000000 0000000000000000  0000000000000000 0000000000000000
16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b
ffffffffffffffff ffffffffffffffff ffffffffffffffff ffffffffffffffff  ffffffffffffffff ffffffffffffffff
87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0
243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89  452821e638d01377 be5466cf34e90c6c
a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6
"""


def known_answers() -> Iterator[tuple[list[int], list[int], list[int]]]:
    words = [int(word, 16) for word in KNOWN.split()]
    for i in range(0, len(words), 10):
        yield words[i : i + 4], words[i + 4 : i + 6], words[i + 6 : i + 10]


@pytest.mark.parametrize(("counter", "key", "block"), list(known_answers()))
def test_known_answers(counter: list[int], key: list[int], block: list[int], x64: Any) -> None:
    from dovetail_jax import philox as jax_philox

    xp = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    for space in (np, xp):
        both = [[space.asarray([x], dtype=space.uint64) for x in xs] for xs in (counter, key)]
        assert [int(word[0]) for word in streams.philox(space, *both)] == block
    columns = np.array(counter, np.uint64)[:, None], np.array(key, np.uint64)
    assert [int(x) for x in jax_philox.rounds(*map(x64.numpy.asarray, columns))[:, 0]] == block
    before = (sum(x << 64 * i for i, x in enumerate(counter)) - 1) % 2**256
    native = np.random.Philox(counter=before, key=np.array(key, np.uint64)).random_raw(4)
    assert [int(x) for x in native] == block


@pytest.mark.parametrize("width", [32, 64])
def test_an_element_depends_on_its_index_alone(width: int, x64: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dovetail_jax import philox as jax_philox

    per_block = 256 // width
    whole = on_numpy("random_words", np.array([9, 1, 40]), shape=(4099,), width=width)
    for count in (1, 5, 100, 4098):
        assert_same_bits(
            on_numpy("random_words", np.array([9, 1, 40]), shape=(count,), width=width), whole[:count]
        )
    pieces = [
        on_numpy("random_words", np.array([9, 1, 40 + 50 * k]), shape=(50 * per_block,), width=width)
        for k in range(4099 // (50 * per_block) + 1)
    ]
    assert_same_bits(np.concatenate(pieces)[:4099], whole)
    for chunk in (1, 37, 512):
        monkeypatch.setattr(jax_philox, "CHUNK", chunk)
        draw = jax_philox._random_words.__wrapped__  # the jitted form remembers the chunk of its first call
        chunked = draw(x64.numpy.asarray([9, 1, 40]), shape=(4099,), width=width)
        assert_same_bits(np.asarray(chunked), whole)


# -------------------------------------------------------------------------------------------- distributions

PARAMETERS = {
    "normal_from_words": [
        {},
        {"mean": 0.1, "std": 3.7},
        {"mean": -1.0, "std": 0.0},
        {"std": 0.0},
        # So near to a tie of float16, and of bfloat16, that float32 rounds to it: two roundings go wrong.
        {"mean": 1 + 2.0**-11, "std": 2.0**-40},
        {"mean": 1 + 2.0**-8, "std": 2.0**-40},
    ],
    "uniform_from_words": [{}, {"low": -0.3, "high": 0.7}, {"low": 1e3, "high": 1e3 + 1e-3}],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", PARAMETERS)
def test_floats_agree(other: Implementation, function: str, dtype: str) -> None:
    if dtype not in other.dtypes:
        with pytest.raises(AttributeError):
            other.dtype(dtype)
        return
    words = hard_words(streams.word_width(dtype))
    for parameters in PARAMETERS[function]:
        mine = on_numpy(function, words, dtype=dtype, **parameters)
        assert_same_bits(other(function, words, dtype=dtype, **parameters), mine)
        assert mine.dtype == host_dtype(dtype)


@pytest.mark.parametrize("function", PARAMETERS)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (2, 3)])
def test_shapes_of_floats(other: Implementation, function: str, shape: tuple[int, ...]) -> None:
    for dtype in ("float32", "float64"):
        width = streams.word_width(dtype)
        words = on_numpy("random_words", np.array([1, 2, 3]), shape=shape, width=width)
        mine = on_numpy(function, words, dtype=dtype)
        assert isinstance(mine, np.ndarray)
        assert mine.shape == shape
        assert_same_bits(other(function, words, dtype=dtype), mine)


def test_ten_million_draws(x64: Any) -> None:
    from dovetail_jax import philox as jax_philox

    state, n = np.array([2024, 0, 17]), 10**7
    live = x64.numpy.asarray(state)
    words = on_numpy("random_words", state, shape=(n,), width=32)
    again = jax_philox.random_words(live, shape=(n,), width=32)
    assert_same_bits(np.asarray(again), words)

    @x64.jit
    def program(state: Any) -> tuple[Any, Any]:
        drawn = jax_philox.random_words(state, shape=(n,), width=32)
        floats = jax_philox.normal_from_words, jax_philox.uniform_from_words
        return tuple(f(drawn, dtype=np.float32) for f in floats)

    captured = program(live)
    for function, compiled in zip(PARAMETERS, captured):
        mine = on_numpy(function, words, dtype="float32")
        eager = getattr(jax_philox, function)(again, dtype=np.float32)
        assert_same_bits(np.asarray(eager), mine)
        assert_same_bits(np.asarray(compiled), mine)


INTERVALS = [(0, 10), (-7, 2**31), (0, 1), (-5, 2**32 - 5), (-5, 2**32 - 4), (-(2**63), 2**63), (-1, 2**63)]


@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_integers_are_the_high_part_of_the_product(other: Implementation, low: int, high: int) -> None:
    words = hard_words(64)
    mine = on_numpy("randint_from_words", words, low=low, high=high)
    assert mine.tolist() == [low + (w * (high - low) >> 64) for w in words.tolist()]
    assert_same_bits(other("randint_from_words", words, low=low, high=high), mine)


def test_permutations_are_stable(other: Implementation) -> None:
    words = hard_words(64)[:5000] >> 60 << 60  # many equal words
    mine = on_numpy("permutation_from_words", words)
    assert mine.tolist() == sorted(range(5000), key=words.tolist().__getitem__)
    assert_same_bits(other("permutation_from_words", words), mine)


@pytest.mark.parametrize("p", [0.0, 1.0, 0.1, 0.5, 2.0**-33, 3 * 2.0**-33, 1 - 2.0**-33, 1 - 2.0**-34, 1])
def test_bernoulli_compares_integers(other: Implementation, p: float) -> None:
    words = hard_words(32)
    mine = on_numpy("bernoulli_from_words", words, p=p)
    assert mine.tolist() == [w < round(p * 2**32) for w in words.tolist()]
    assert_same_bits(other("bernoulli_from_words", words, p=p), mine)


def test_bernoulli_with_a_probability_each(other: Implementation) -> None:
    words = hard_words(32).reshape(8, -1)
    probabilities = [0.0, 1.0, 0.3, 2.0**-33, -0.5, 1.5, np.nan, 1 - 2.0**-34]
    expected = [0, 2**32, round(0.3 * 2**32), 0, 0, 2**32, 0, 2**32]
    p = np.array(probabilities)[:, None]
    mine = on_numpy("bernoulli_from_words", words, p=p)
    assert (mine == (words.astype(np.uint64) < np.array(expected, np.uint64)[:, None])).all()
    assert_same_bits(other("bernoulli_from_words", words, p=p), mine)
    short = p.astype(np.float32)
    assert_same_bits(
        other("bernoulli_from_words", words, p=short), on_numpy("bernoulli_from_words", words, p=short)
    )


# --------------------------------------------------------------------------------------- programs and errors


def test_results_hold_inside_a_larger_program(x64: Any) -> None:
    from dovetail_jax import philox as jax_philox

    jnp = x64.numpy
    traces = []

    @x64.jit
    def program(state: Any, weight: Any) -> dict[str, Any]:
        traces.append(1)
        wide = jax_philox.random_words(state, shape=(64, 256), width=64)
        words = jax_philox.random_words(state + jnp.asarray([0, 0, 4096]), shape=(64, 256), width=32)
        g = jax_philox.normal_from_words(wide, dtype=np.float64, mean=0.25, std=1.5)
        x = jax_philox.normal_from_words(words, dtype=np.float32)
        h = jax_philox.normal_from_words(words, dtype=ml_dtypes.bfloat16)
        u = jax_philox.uniform_from_words(wide, dtype=np.float64, low=-0.1, high=0.3)
        kept = jnp.where(jax_philox.bernoulli_from_words(words, p=0.5), x @ weight, 0.0)
        # What follows would be contracted with the last product, or skip the rounding, if XLA saw through.
        sums = {"g + 1": g + 1.0, "u + 1": u + 1.0, "x wide": x.astype(jnp.float64) + 1e-9}
        return {"g": g, "x": x, "u": u, "h wide": h.astype(jnp.float64), "loss": kept.sum(), **sums}

    for offset in (0, 5, 2**62):
        state = np.array([8, 3, offset])
        wide = on_numpy("random_words", state, shape=(64, 256), width=64)
        words = on_numpy("random_words", state + np.array([0, 0, 4096]), shape=(64, 256), width=32)
        g = on_numpy("normal_from_words", wide, dtype="float64", mean=0.25, std=1.5)
        x = on_numpy("normal_from_words", words, dtype="float32")
        h = on_numpy("normal_from_words", words, dtype="bfloat16").astype(np.float64)
        u = on_numpy("uniform_from_words", wide, dtype="float64", low=-0.1, high=0.3)
        expected = {"g": g, "x": x, "u": u, "h wide": h, "g + 1": g + 1.0, "u + 1": u + 1.0}
        expected["x wide"] = x.astype(np.float64) + 1e-9
        got = program(jnp.asarray(state), jnp.eye(256, dtype=jnp.float32))
        for name, value in expected.items():
            assert_same_bits(np.asarray(got[name]), value)
    assert len(traces) == 1  # the offset is a live input


def test_without_its_guard_the_normal_differs(x64: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jnp = x64.numpy
    a, b, c = (jnp.asarray(np.random.default_rng(k).normal(size=1000)) for k in range(3))
    product = a * b
    if bool((x64.jit(lambda a, b, c: a * b + c)(a, b, c) == product + c).all()):
        pytest.skip("XLA does not contract products and sums on this machine, so no guard is needed here")
    monkeypatch.setattr(streams, "_pin_to", lambda xp, words: lambda product: product)
    words = hard_words(64)
    bare = x64.jit(lambda w: streams.normal_from_words(jnp, w, dtype=np.float64))(jnp.asarray(words))
    with pytest.raises(AssertionError, match="differ, first at"):
        assert_same_bits(np.asarray(bare), on_numpy("normal_from_words", words, dtype="float64"))


def test_jax_outside_of_64_bit_mode_is_refused() -> None:
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    from dovetail_jax import philox as jax_philox

    words = jax.numpy.asarray(hard_words(32))
    with pytest.raises(TypeError, match="need 64-bit mode"):
        jax_philox.normal_from_words(words, dtype=np.float32)
    with pytest.raises(TypeError, match="need 64-bit mode"):
        jax_philox.random_words(jax.numpy.asarray([1, 2, 3]), shape=(4,), width=32)


@pytest.mark.parametrize(
    ("function", "words", "parameters", "error", "text"),
    [
        ("uniform_from_words", np.uint64, {"dtype": "float32"}, TypeError, "made from 32-bit words"),
        ("normal_from_words", np.uint32, {"dtype": "float64"}, TypeError, "made from 64-bit words"),
        ("normal_from_words", np.int32, {"dtype": "float32"}, TypeError, "got .*int32"),
        ("normal_from_words", np.uint32, {"dtype": "int32"}, TypeError, "floating-point numbers are"),
        ("randint_from_words", np.uint64, {"low": 3, "high": 3}, ValueError, "low < high"),
        ("randint_from_words", np.uint64, {"low": 0, "high": 2**63 + 1}, ValueError, "got low 0, high"),
        ("bernoulli_from_words", np.uint32, {"p": 1.5}, ValueError, "between 0 and 1, got 1.5"),
        ("bernoulli_from_words", np.uint32, {"p": float("nan")}, ValueError, "between 0 and 1, got nan"),
    ],
)
def test_wrong_requests_are_refused(
    other: Implementation, function: str, words: Any, parameters: dict[str, Any], error: type, text: str
) -> None:
    with pytest.raises(error, match=text):
        on_numpy(function, np.ones(4, words), **parameters)
    with pytest.raises(error, match=text):
        other(function, np.ones(4, words), **parameters)
