"""Outputs, gradients and saved state of every spatial layer are PyTorch's with the same weights."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import dovetail
from dovetail import nn

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
pytestmark = pytest.mark.oracle

SEQUENCE, IMAGE, VOLUME = (2, 4, 9), (2, 4, 7, 6), (2, 4, 5, 6, 4)

# Constructor, shapes of one input. "half" stands for positions: layers that unpool get what a pooling found.
CONVOLUTIONS = [
    ("Conv1d(4, 6, 3, 2, 1, 2, 2)", SEQUENCE),
    ("Conv1d(4, 6, 3, padding='same', dilation=2, bias=False)", SEQUENCE[1:]),
    ("Conv1d(4, 2, 3, padding='valid')", SEQUENCE),
    *((f"Conv1d(4, 2, 3, padding=2, padding_mode='{m}')", SEQUENCE) for m in ("reflect", "replicate", "circular")),
    ("Conv1d(4, 2, 4, padding='same', padding_mode='reflect')", SEQUENCE),
    ("Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2)", IMAGE),
    ("Conv2d(4, 4, 3, padding='same', groups=4)", IMAGE[1:]),
    ("Conv2d(4, 2, (2, 3), padding='same', padding_mode='replicate')", IMAGE),
    ("Conv3d(4, 6, 3)", VOLUME),
    ("Conv3d(4, 6, (2, 3, 1), (2, 1, 3), (1, 2, 0), (1, 2, 1), 2)", VOLUME),
    ("Conv3d(4, 4, 2, groups=4, bias=False)", VOLUME[1:]),
    ("Conv3d(4, 3, (1, 3, 3), padding='same')", VOLUME),
    ("Conv3d(4, 3, (2, 3, 4), padding='same', dilation=(1, 2, 1))", VOLUME),
    ("Conv3d(4, 3, 2, padding='valid')", VOLUME),
    *(
        (f"Conv3d(4, 2, 3, padding=(1, 2, 1), padding_mode='{m}')", VOLUME)
        for m in ("reflect", "replicate", "circular")
    ),
    ("ConvTranspose1d(4, 6, 3)", SEQUENCE),
    ("ConvTranspose1d(4, 6, 3, 2, 1, 1, 2, False)", SEQUENCE[1:]),
    ("ConvTranspose1d(4, 2, 3, dilation=3, output_padding=2)", SEQUENCE),
    ("ConvTranspose2d(4, 6, (2, 3), (3, 2), (0, 1), (2, 1), 2)", IMAGE),
    ("ConvTranspose2d(4, 2, 3, dilation=(1, 2), padding=2)", IMAGE[1:]),
    ("ConvTranspose3d(4, 6, 2)", VOLUME),
    ("ConvTranspose3d(4, 6, (2, 3, 2), (1, 2, 3), (0, 1, 1), (0, 1, 2), 2, False)", VOLUME),
    ("ConvTranspose3d(4, 2, 2, dilation=2, output_padding=1)", VOLUME[1:]),
]
POOLINGS = [
    ("MaxPool1d(3, 2, 1, ceil_mode=True)", SEQUENCE),
    ("MaxPool1d(2, dilation=2, return_indices=True)", SEQUENCE[1:]),
    ("MaxPool2d((2, 3), return_indices=True)", IMAGE),
    ("MaxPool2d(3, 2, 1, 2, True, True)", IMAGE[1:]),
    ("MaxPool3d(2)", VOLUME),
    ("MaxPool3d((2, 3, 2), (1, 2, 1), (1, 1, 0), (1, 2, 1), True)", VOLUME),
    ("MaxPool3d(3, 2, 1, 1, True, True)", VOLUME[1:]),
    ("AvgPool1d(3, 2, 1, True, False)", SEQUENCE),
    ("AvgPool2d((3, 2), (2, 1), (1, 0), True)", IMAGE),
    ("AvgPool3d(2)", VOLUME),
    ("AvgPool3d((3, 2, 1), (2, 1, 1), (1, 1, 0), True, False)", VOLUME),
    ("AvgPool3d(3, 2, 1, True, True)", VOLUME[1:]),
    ("AvgPool3d(2, divisor_override=5)", VOLUME),
    ("LPPool1d(2, 3)", SEQUENCE),
    ("LPPool1d(4, 2, 1, True)", SEQUENCE[1:]),
    ("LPPool2d(2, (2, 3), (1, 2), True)", IMAGE),
    ("LPPool2d(float('inf'), 2)", IMAGE),
    ("LPPool3d(2, 2)", VOLUME),
    ("LPPool3d(-float('inf'), (1, 2, 2), 1)", VOLUME[1:]),
]
for dims, shape in ((1, SEQUENCE), (2, IMAGE), (3, VOLUME)):
    sizes: list[Any] = [1, 3, 11, shape[2:]]
    sizes += [] if dims == 1 else [(2, None, 3)[:dims], (None, 4, None)[:dims]]
    for size in sizes:
        POOLINGS += [
            (f"AdaptiveAvgPool{dims}d({size})", shape),
            (f"AdaptiveMaxPool{dims}d({size})", shape[1:]),
            (f"AdaptiveMaxPool{dims}d({size}, True)", shape),
        ]
OTHERS = [
    *((f"{k}Pad1d((2, 1){v})", SEQUENCE) for k, v in (("Constant", ", 1.5"), ("Zero", ""), ("Circular", ""))),
    *((f"{k}Pad1d(2)", SEQUENCE[1:]) for k in ("Reflection", "Replication", "Circular", "Zero")),
    *((f"{k}Pad2d((1, 2, 3, 0))", IMAGE) for k in ("Reflection", "Replication", "Circular", "Zero")),
    *((f"{k}Pad2d(2)", IMAGE[1:]) for k in ("Reflection", "Replication", "Circular", "Zero")),
    ("ConstantPad2d((1, -2, -1, 2), -0.5)", IMAGE),
    *((f"{k}Pad3d((1, 2, 0, 3, 2, 1))", VOLUME) for k in ("Reflection", "Replication", "Circular", "Zero")),
    *((f"{k}Pad3d(1)", VOLUME[1:]) for k in ("Reflection", "Replication", "Circular", "Zero")),
    ("ConstantPad3d(1, 2.0)", VOLUME),
    ("Fold((4, 5), (2, 2))", (3, 8, 12)),
    ("Fold(4, (2, 3), dilation=(2, 1), padding=1, stride=(1, 2))", (12, 8)),
    ("Unfold(2)", IMAGE),
    ("Unfold((2, 3), dilation=(2, 1), padding=(0, 1), stride=2)", IMAGE[1:]),
    ("PixelShuffle(2)", (3, 8, 2, 3)),
    ("PixelUnshuffle(3)", (2, 2, 6, 3)),
    ("ChannelShuffle(2)", IMAGE),
    ("Upsample(5)", SEQUENCE),
    ("Upsample(scale_factor=2)", IMAGE),
    ("Upsample(scale_factor=(1.5, 2.5), mode='bilinear')", IMAGE),
    ("Upsample((9, 4), mode='bilinear', align_corners=True)", IMAGE),
    ("Upsample(scale_factor=1.7, mode='bicubic', recompute_scale_factor=True)", IMAGE),
    ("Upsample(scale_factor=0.6, mode='linear', align_corners=False)", SEQUENCE),
    ("Upsample((4, 7, 5), mode='trilinear')", VOLUME),
    ("Upsample((4, 7, 5), mode='nearest-exact')", VOLUME),
    ("Upsample((3, 9), mode='area')", IMAGE),
    ("UpsamplingNearest2d(scale_factor=3)", IMAGE),
    ("UpsamplingBilinear2d((5, 9))", IMAGE),
]
TOLERANCE = {"float64": 1e-9, "float32": 3e-5}


def build(text: str, dtype: str) -> tuple[Any, Any]:
    """Both layers with the same weights."""
    torch.manual_seed(0)
    theirs = eval("nn." + text, {"nn": torch.nn}).to(getattr(torch, dtype))
    ours = eval("nn." + text, {"nn": nn}).to(getattr(dovetail, dtype))
    ours.load_state_dict({k: dovetail.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()})
    return ours, theirs


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Values without ties."""
    size = int(np.prod(shape))
    return np.random.default_rng(size).permutation(np.linspace(-2, 2, size)).reshape(shape).astype(dtype)


def run(frame: Any, layer: Any, host: np.ndarray[Any, Any]) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """The results, and the gradients of the input and of every parameter."""
    x = frame.tensor(host, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's advice on padding='same'
        found = layer(x)
    results = list(found) if isinstance(found, tuple) else [found]
    first = results[0]
    weights = np.random.default_rng(1).uniform(0.5, 1.5, tuple(first.shape)).astype(host.dtype)
    (first * frame.tensor(weights)).sum().backward()
    named = [(f"result {i}", r) for i, r in enumerate(results)]
    named += [("gradient of the input", x.grad)]
    named += [(f"gradient of {name}", p.grad) for name, p in layer.named_parameters()]
    return [(name, t.detach().numpy()) for name, t in named]


def check(text: str, shape: tuple[int, ...], dtype: str) -> None:
    ours, theirs = build(text, dtype)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    host = values(shape, dtype)
    for (name, a), (other, b) in zip(run(dovetail, ours, host), run(torch, theirs, host), strict=True):
        assert (name, a.shape, a.dtype) == (other, b.shape, b.dtype)
        scale = max(float(np.abs(b).max(initial=0)), 1.0)
        np.testing.assert_allclose(a, b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale, err_msg=name)


@pytest.mark.parametrize(("text", "shape"), CONVOLUTIONS)
def test_convolutions(text: str, shape: tuple[int, ...]) -> None:
    check(text, shape, "float64")


@pytest.mark.parametrize(("text", "shape"), CONVOLUTIONS[::4] + POOLINGS[::7] + OTHERS[::7])
def test_in_float32(text: str, shape: tuple[int, ...]) -> None:
    check(text, shape, "float32")


@pytest.mark.parametrize(("text", "shape"), POOLINGS)
def test_poolings(text: str, shape: tuple[int, ...]) -> None:
    check(text, shape, "float64")


@pytest.mark.parametrize(("text", "shape"), OTHERS)
def test_paddings_foldings_and_resamplings(text: str, shape: tuple[int, ...]) -> None:
    check(text, shape, "float64")


@pytest.mark.parametrize("text", [t for t, _ in CONVOLUTIONS[::6]] + [t for t, _ in POOLINGS[::9]])
def test_a_difference_would_be_seen(text: str) -> None:
    """The comparison itself can fail: one weight, or one value of the input, makes it."""
    ours, theirs = build(text, "float64")
    shape = dict(CONVOLUTIONS + POOLINGS)[text]
    host = values(shape, "float64")
    other = host + 1e-3 * (np.arange(host.size).reshape(shape) % 2)
    mine, yours = run(dovetail, ours, other), run(torch, theirs, host)
    assert not np.allclose(mine[0][1], yours[0][1], rtol=TOLERANCE["float64"])


@pytest.mark.parametrize(
    "text",
    [
        "Conv1d(4, 6, 3)",
        "Conv2d(4, 6, (3, 2), groups=2)",
        "Conv3d(4, 6, 3)",
        "ConvTranspose1d(4, 6, 3)",
        "ConvTranspose2d(4, 6, 3, groups=2)",
        "ConvTranspose3d(8, 4, 3)",
    ],
)
def test_initial_weights_are_as_wide_as_pytorchs(text: str) -> None:
    theirs, ours = eval("nn." + text, {"nn": torch.nn}), eval("nn." + text, {"nn": nn})
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        fan_in = int(np.prod(tuple(theirs.weight.shape)[1:]))
        bound = 1 / np.sqrt(fan_in)
        for values in (a.detach().numpy(), b.detach().numpy()):
            assert np.abs(values).max() <= bound
    assert np.abs(ours.weight.detach().numpy()).max() > 0.8 / np.sqrt(fan_in)


ON_JAX = [
    ("Conv3d(2, 2, 2, padding=(1, 0, 1))", (1, 2, 2, 3, 2)),
    ("ConvTranspose1d(2, 2, 2, 2, output_padding=1)", (1, 2, 3)),
    ("ConvTranspose3d(2, 2, 2)", (1, 2, 2, 1, 2)),
    ("MaxPool3d(2)", (1, 1, 2, 2, 2)),
    ("AdaptiveMaxPool1d(2, True)", (1, 2, 3)),
    ("LPPool1d(2, 2)", (1, 2, 3)),
    ("ReflectionPad2d(1)", (1, 2, 2, 3)),
    ("Fold(3, 2)", (1, 4, 4)),
    ("Unfold(2)", (1, 2, 3, 3)),
    ("PixelShuffle(2)", (1, 4, 2, 1)),
    ("Upsample(3, mode='bicubic')", (1, 1, 2, 2)),
]


@pytest.mark.parametrize(("text", "shape"), ON_JAX)
def test_layers_on_jax(text: str, shape: tuple[int, ...]) -> None:
    pytest.importorskip("jax", reason="compares the backend of JAX, which is not installed")
    ours, theirs = build(text, "float64")
    host = values(shape, "float64")
    with dovetail.use_backend("jax"):
        found = run(dovetail, ours.to("jax:cpu:0"), host)
    for (name, a), (_, b) in zip(found, run(torch, theirs, host), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=name)


UNDER_AUTOCAST = [
    "conv3d(z(1, 2, 3, 3, 3), z(2, 2, 2, 2, 2))",
    *(f"conv_transpose{d}d(z(1, 2, *[3] * {d}), z(2, 2, *[2] * {d}))" for d in (1, 2, 3)),
    *(f"{k}_pool{d}d(z(1, 2, *[4] * {d}), 2)" for k in ("max", "avg", "adaptive_avg") for d in (1, 2, 3)),
    *(f"adaptive_max_pool{d}d(z(1, 2, *[5] * {d}), 2)" for d in (1, 2, 3)),
    *(f"max_unpool{d}d(z(1, 2, *[1] * {d}), z(1, 2, *[1] * {d}).long(), 2)" for d in (1, 2, 3)),
    *(
        f"pad(z(1, 2, *[3] * {d}), [1, 1] * {d}, '{m}')"
        for m in ("reflect", "replicate", "circular")
        for d in (1, 2, 3)
    ),
    "fractional_max_pool2d(z(1, 2, 5, 5), 2, 3, _random_samples=z(1, 2, 2) * 0)",
    "interpolate(z(1, 2, 3, 3), 4, mode='bilinear')",
    "interpolate(z(1, 2, 3, 3, 3), 4, mode='area')",
    "unfold(z(1, 2, 5, 5), 2)",
    "grid_sample(z(1, 2, 3, 3), z(1, 2, 2, 2), align_corners=False)",
]


@pytest.mark.parametrize("source", ["float32", "bfloat16"])
@pytest.mark.parametrize("call", UNDER_AUTOCAST)
def test_types_under_autocast(call: str, source: str) -> None:
    found = []
    for frame in (dovetail, torch):
        names = {**vars(frame.nn.functional), "z": lambda *s, f=frame: f.ones(*s, dtype=getattr(f, source))}
        with frame.autocast("cpu", dtype=frame.bfloat16):
            result = eval(call, names)
        found.append(str(result.dtype).rpartition(".")[2])
    assert found[0] == found[1]
