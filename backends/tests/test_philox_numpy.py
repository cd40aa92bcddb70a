"""The random kernels of NumPy, which the others are compared with: the stream, accuracy, distributions."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from dovetail.backend import streams
from dovetail_numpy import philox

Array = np.ndarray[Any, Any]
FLOATS = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float64": np.float64}
SEEDS = ([0, 0, 0], [1, 2, 0], [-5, 7, 12345], [2**63 - 1, -1, 2**62])
# The offset counts modulo 2^64 and carries into the second word of the counter; here as int64 bits.
WRAPPING = ([3, 4, -1], [3, 4, -2], [-3, 0, -6])


def reference(state: list[int], words: int) -> Array:
    """NumPy's own raw stream for a state."""
    seed, stream, offset = (x % 2**64 for x in state)
    key = np.array([seed, stream], np.uint64)  # a list of large integers would go through float64
    return np.random.Philox(key=key, counter=offset).random_raw(words)


def spread_words(width: int, count: int = 2**15) -> Array:
    """Words from one end to the other: both tails in single steps, powers of two, and random ones between."""
    kind = np.uint32 if width == 32 else np.uint64
    step = 1 if width == 32 else 2**11
    tail = np.arange(count // 8, dtype=kind) * kind(step)
    powers = kind(1) << np.arange(width, dtype=kind)
    random = np.random.default_rng(11).integers(0, 2**width, count // 4, dtype=kind)
    half = np.concatenate([tail, powers, random])
    return np.concatenate([half, ~half])


@pytest.mark.parametrize("state", SEEDS + WRAPPING)
@pytest.mark.parametrize("count", [1, 3, 4, 61])
def test_raw_stream_is_numpys(state: list[int], count: int) -> None:
    raw = reference(state, count)
    words = philox.random_words(np.array(state), shape=(count,), width=64)
    halves = philox.random_words(np.array(state), shape=(count, 2), width=32)
    assert (words.dtype, halves.dtype) == (np.uint64, np.uint32)
    assert words.tolist() == raw.tolist()
    assert halves.tolist() == [[word % 2**32, word >> 32] for word in raw.tolist()]


def test_blocks() -> None:
    assert [streams.blocks((n,), 32) for n in (0, 1, 8, 9)] == [0, 1, 1, 2]
    assert [streams.blocks((n, 2), 64) for n in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert streams.blocks((), 64) == 1
    with pytest.raises(ValueError, match="32 or 64 bits wide, got width 16"):
        streams.blocks((3,), 16)


def test_blocks_of_work_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    words = spread_words(32)
    whole = philox.normal_from_words(words, dtype=np.float32)
    monkeypatch.setattr(philox, "BLOCK", 101)
    assert (philox.normal_from_words(words, dtype=np.float32) == whole).all()
    assert (philox.normal_from_words(words.reshape(2, -1), dtype=np.float32).ravel() == whole).all()


def test_threads_do_not_disturb_each_other() -> None:
    states = [np.array([k, 0, 0]) for k in range(8)]
    results: dict[int, list[Array]] = {k: [] for k in range(8)}

    def draw(k: int) -> None:
        results[k] = [philox.random_words(states[k], shape=(501,), width=64) for _ in range(50)]

    threads = [threading.Thread(target=draw, args=(k,)) for k in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, drawn in results.items():
        assert len(drawn) == 50
        assert all((words == reference([k, 0, 0], 501)).all() for words in drawn)


# SHA-256 of 50,001 numbers each: a seed means the same numbers in every release, so these never change.
FIXED = {
    ("normal", "float32"): "fe46d33d4c6d76b307b9ee6d4e67321c49a0e74dab968cd87e8bd0812e476172",
    ("normal", "float64"): "8bb7d7e53b4bb0e1e7dc87452adca259300fa882eaf3c5bf1b18f5dc39105d5a",
    ("normal", "float16"): "ee0c7e5f6887071b85a75eaee01e18c566c7c10694fb4bbf5cbc7d1332dac643",
    ("normal", "bfloat16"): "de9c48624056be63026807288d64e0634493a56e4a2d1699e504d9f2737fd26a",
    ("uniform", "float32"): "5c0ce038ce85fe26bf4539f5f6ba6c437458de7f1855f05c56cfc1482c7759b7",
    ("uniform", "float64"): "37efc44dc9b6ff528015e2336046cceea700ff0ab249c280d16470d3c9018d99",
    ("uniform", "float16"): "5aef52bf9ab2a44580e93ed2d5b11247e23fe883b87e320b5d5027c5ce0caf79",
    ("uniform", "bfloat16"): "a0635566c962f513508873ff5638dccf26764afca45662d26c14c4e860e22d0b",
}


@pytest.mark.parametrize(("kind", "dtype"), FIXED)
def test_a_seed_means_the_same_numbers_for_ever(kind: str, dtype: str) -> None:
    width = streams.word_width(dtype)
    words = philox.random_words(np.array([20, 26, 11]), shape=(50_001,), width=width)
    numbers = getattr(philox, f"{kind}_from_words")(words, dtype=FLOATS[dtype])
    digest = hashlib.sha256(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()).hexdigest()
    assert digest == FIXED[kind, dtype]


def test_one_rounding_to_sixteen_bits() -> None:
    """Next to a tie of the short dtype, on either side: by way of float32 both would be the tie."""
    words = np.array([2**31 + 2**30, 2**30], np.uint32)  # quantiles 0.67 and -0.67
    for name, bits in (("float16", 11), ("bfloat16", 8)):
        dtype, tie = FLOATS[name], 1 + 2.0**-bits
        above, below = philox.normal_from_words(words, dtype=dtype, mean=tie, std=2.0**-40).astype(np.float64)
        assert (above, below) == (1 + 2.0 ** (1 - bits), 1.0)


def test_uniforms_are_multiples_below_one() -> None:
    for dtype, bits in streams.UNIFORM_BITS.items():
        width = streams.word_width(dtype)
        words = spread_words(width)
        u = philox.uniform_from_words(words, dtype=FLOATS[dtype]).astype(np.float64)
        assert (u * 2.0**bits == (words >> (width - bits)).astype(np.float64)).all()
        last = philox.uniform_from_words(np.array([2**width - 1], words.dtype), dtype=FLOATS[dtype])
        assert float(last[0]) == 1.0 - 2.0**-bits


def test_complementary_words_give_opposite_normals() -> None:
    for dtype in FLOATS:
        words = spread_words(streams.word_width(dtype))
        x, y = (philox.normal_from_words(w, dtype=FLOATS[dtype]).astype(np.float64) for w in (words, ~words))
        assert (x == -y).all()
        assert np.isfinite(x).all()


def exact_normal(q: float, x: float, mp: Any) -> Any:
    """The quantile of q + 1/2, by one Newton step from x in 40 digits."""
    tail = mp.erfc(abs(mp.mpf(x)) / mp.sqrt(2)) / 2
    excess = (mp.mpf(1) / 2 - abs(mp.mpf(q))) - tail
    return mp.mpf(x) - mp.sign(q) * excess / mp.npdf(x)


def test_accuracy_of_the_normal() -> None:
    mp = pytest.importorskip("mpmath", reason="mpmath is not installed")
    for width, dtype in ((32, "float32"), (32, "float16"), (32, "bfloat16"), (64, "float64")):
        words = spread_words(width)[::41]
        q = streams.centred(np, words)
        rough = philox.normal_from_words(words, dtype=FLOATS[dtype])
        fine = philox._quantile(q)
        with mp.workdps(40):
            for i in range(words.size):
                exact = exact_normal(float(q[i]), float(fine[i]), mp)
                assert abs(fine[i] - exact) <= 6 * np.spacing(abs(fine[i])), f"word {words[i]}"
                if dtype == "float64":
                    continue
                # correctly rounded: no nearer number to the exact value in the dtype
                error = abs(mp.mpf(float(rough[i])) - exact)
                around = (np.nextafter(rough[i], rough.dtype.type(s)) for s in (-np.inf, np.inf))
                assert all(error <= abs(mp.mpf(float(x)) - exact) for x in around), f"word {words[i]}"


def test_distributions_pass_kolmogorov_smirnov() -> None:
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    for dtype in ("float32", "float64"):
        width = streams.word_width(dtype)
        words = philox.random_words(np.array([31, 4, 1]), shape=(10**6,), width=width)
        x = philox.normal_from_words(words, dtype=FLOATS[dtype])
        u = philox.uniform_from_words(words, dtype=FLOATS[dtype])
        assert stats.kstest(x, "norm").pvalue > 1e-6
        assert stats.kstest(u, "uniform").pvalue > 1e-6
        assert stats.kstest(x * 1.01, "norm").pvalue < 1e-6  # the test sees one per cent
