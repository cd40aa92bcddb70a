"""Constants, switches, older constructors and small namespaces of the top package that tutorials use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dovetail


def test_constants() -> None:
    assert (dovetail.pi, dovetail.e, dovetail.inf) == (math.pi, math.e, math.inf)
    assert math.isnan(dovetail.nan)
    assert dovetail.ones(2)[:, dovetail.newaxis].shape == (2, 1)


def test_switches_are_what_they_were_set_to() -> None:
    cudnn = dovetail.backends.cudnn
    before = cudnn.benchmark
    cudnn.benchmark = not before
    assert cudnn.benchmark is not before
    cudnn.benchmark = before
    with cudnn.flags(deterministic=True):
        assert cudnn.deterministic
    assert not cudnn.deterministic
    assert not dovetail.backends.mps.is_available()
    assert not dovetail.backends.mps.is_built()
    assert dovetail.backends.cudnn.version() is None
    assert dovetail.backends.cuda.is_built() == dovetail.cuda.is_available()
    assert dovetail.backends.cuda.matmul.allow_tf32 is False
    dovetail.set_float32_matmul_precision("high")
    assert dovetail.get_float32_matmul_precision() == "high"
    dovetail.set_float32_matmul_precision("highest")
    with pytest.raises(RuntimeError, match="is one of 'highest', 'high', 'medium', got 'low'"):
        dovetail.set_float32_matmul_precision("low")
    dovetail.use_deterministic_algorithms(True, warn_only=True)
    assert dovetail.are_deterministic_algorithms_enabled()
    dovetail.use_deterministic_algorithms(False)
    threads = dovetail.get_num_threads()
    dovetail.set_num_threads(threads)
    with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer, got 0"):
        dovetail.set_num_threads(0)


def test_memory_formats_are_accepted() -> None:
    x = dovetail.ones(1, 2, 3, 3)
    assert x.contiguous(memory_format=dovetail.channels_last) is x
    assert x.to(memory_format=dovetail.channels_last) is x
    assert dovetail.equal(x.clone(memory_format=dovetail.preserve_format), x)
    net = dovetail.nn.Conv2d(2, 1, 1).to(memory_format=dovetail.channels_last)
    assert net(x).shape == (1, 1, 3, 3)
    assert repr(dovetail.contiguous_format) == "dovetail.contiguous_format"
    assert isinstance(dovetail.channels_last_3d, dovetail.memory_format)
    assert isinstance(dovetail.strided, dovetail.layout)


def test_the_accelerator_is_cudas() -> None:
    assert dovetail.accelerator.is_available() == dovetail.cuda.is_available()
    assert dovetail.accelerator.device_count() == dovetail.cuda.device_count()
    assert (dovetail.accelerator.current_accelerator() is None) == (not dovetail.cuda.is_available())


def test_constructors_of_one_dtype() -> None:
    for name, dtype in (
        ("FloatTensor", "float32"), ("DoubleTensor", "float64"), ("HalfTensor", "float16"), ("LongTensor", "int64"),
        ("BFloat16Tensor", "bfloat16"), ("IntTensor", "int32"), ("ShortTensor", "int16"), ("CharTensor", "int8"),
        ("ByteTensor", "uint8"), ("BoolTensor", "bool"),
    ):  # fmt: skip
        kind = getattr(dovetail, name)
        made = kind([1, 0])
        assert made.dtype.name == dtype
        assert made.tolist() == [1, 0]
        assert kind(2, 3).shape == (2, 3)
        assert kind().shape == (0,)
        assert isinstance(made, kind)
        assert not isinstance(made, dovetail.FloatTensor if dtype != "float32" else dovetail.LongTensor)


@pytest.mark.oracle
def test_special_functions_by_their_names() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    x = np.linspace(0.1, 0.9, 5)
    for name in ("expit", "gammaln", "psi", "i0", "i1", "erf", "sinc", "logit", "log1p"):
        ours, theirs = (getattr(f.special, name)(f.tensor(x)) for f in (dovetail, torch))
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)
    with pytest.raises(AttributeError, match="has no attribute 'airy_ai'"):
        _ = dovetail.special.airy_ai


@pytest.mark.oracle
def test_further_creation() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")

    def run(f: Any) -> list[Any]:
        x = f.tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True)
        return [
            f.logspace(0, 2, 3).tolist(), f.logspace(-1, 1, 4, base=2.0, dtype=f.float64).tolist(),
            f.scalar_tensor(3).tolist(), str(f.scalar_tensor(3).dtype).split(".")[1],
            tuple(f.broadcast_shapes((2, 1), (3,), 1)),
            [t.tolist() for t in f.unravel_index(f.tensor([5, 0]), (2, 3))],
            x.conj().tolist(), x.real.tolist(), f.real(x).tolist(),
            x.H.tolist(), x.mH.tolist(), x.adjoint().tolist(), x.resolve_conj().tolist(), x.is_conj(),
            f.angle(x).tolist(), tuple(x.new(2, 3).shape), x.detach().new([1, 2]).tolist(),
        ]  # fmt: skip

    for a, b in zip(run(dovetail), run(torch), strict=True):
        assert a == b or np.allclose(a, b, rtol=1e-6)
    assert dovetail.range(1, 4, 0.5).tolist() == [1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    with pytest.raises(RuntimeError, match="not implemented for tensors with non-complex dtypes"):
        dovetail.imag(dovetail.ones(1))
    with pytest.raises(RuntimeError, match="only supported on matrices"):
        _ = dovetail.ones(2, 2, 2).H
