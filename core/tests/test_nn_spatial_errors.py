"""What spatial layers and functions refuse, they refuse with PyTorch's type of error and in its words."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import dovetail
from dovetail.errors import DovetailError

pytestmark = pytest.mark.oracle
KINDS = (IndexError, ValueError, TypeError, NotImplementedError, RuntimeError)

# A call, and the words that both messages must have; without them the whole first line of PyTorch's.
CALLS: list[tuple[str, str | None]] = [
    # ------------------------------------------------------------------ convolutions
    ("F.conv3d(z(1, 4, 3, 3, 3), z(2, 3, 2, 2, 2))", None),
    ("F.conv3d(z(3, 3, 3), z(2, 3, 2, 2, 2))", None),
    ("F.conv3d(z(1, 3, 2, 2, 2), z(2, 3, 3, 3, 3))", None),
    ("F.conv3d(z(1, 3, 3, 3, 3), z(2, 3, 2, 2, 2), z(3))", None),
    ("F.conv3d(z(1, 3, 3, 3, 3), z(2, 3, 2, 2, 2), padding='same', stride=2)", None),
    ("F.conv3d(z(1, 3, 3, 3, 3), z(2, 3, 2, 2, 2), stride=(1, 2))", "list of 3 values"),
    ("F.conv_transpose1d(z(1, 4, 3), z(3, 2, 2))", None),
    ("F.conv_transpose1d(z(3), z(3, 2, 2))", None),
    ("F.conv_transpose2d(z(1, 3, 2, 2), z(3, 2, 2, 2), stride=2, output_padding=2)", "output padding must be smaller"),
    ("F.conv_transpose3d(z(1, 4, 3, 3, 3), z(3, 2, 2, 2, 2))", None),
    ("F.conv_transpose3d(z(1, 3, 1, 1, 1), z(3, 2, 2, 2, 2), padding=2)", "Output size is too small"),
    ("F.conv_transpose3d(z(1, 3, 1, 1, 1), z(3, 2, 2, 2, 2), stride=0)", "stride"),
    ("nn.Conv3d(3, 4, 2, groups=2)", "in_channels must be divisible by groups"),
    ("nn.Conv3d(4, 3, 2, groups=2)", "out_channels must be divisible by groups"),
    ("nn.Conv3d(4, 4, 2, groups=0)", "groups must be a positive integer"),
    ("nn.Conv2d(4, 4, 2, padding='foo')", "Invalid padding string 'foo'"),
    ("nn.Conv1d(4, 4, 2, padding='same', stride=2)", None),
    ("nn.Conv2d(4, 4, 2, padding_mode='foo')", "padding_mode must be one of"),
    ("nn.ConvTranspose2d(4, 4, 2, padding_mode='reflect')", None),
    (
        "nn.ConvTranspose2d(3, 4, 3, 2, 1)(z(1, 3, 4, 5), output_size=(6, 9))",
        "(6, 9), but valid sizes range from [7, 9]",
    ),
    ("nn.ConvTranspose2d(3, 4, 3, 2, 1)(z(3, 4, 5), output_size=(6,))", None),
    # ------------------------------------------------------------------ poolings
    ("F.max_pool3d(z(8, 8, 8), 2)", None),
    ("F.max_pool3d(z(1, 3, 8, 8, 8), (2, 2))", None),
    ("F.max_pool3d(z(1, 3, 2, 2, 2), 3)", None),
    ("F.max_pool3d(z(1, 3, 8, 8, 8), 3, padding=2)", None),
    ("F.max_pool3d(z(1, 3, 8, 8, 8), 3, dilation=0)", None),
    ("F.max_pool3d(z(1, 3, 8, 8, 8), 3, 0)", None),
    ("F.max_pool3d(z(1, 3, 0, 8, 8), 3)", "input has a shape of [1, 3, 0, 8, 8] and non-batch dimension"),
    ("F.max_pool3d(z(1, 2, 8, 8, 8), 3, padding=-1)", None),
    ("F.avg_pool3d(z(8, 8, 8), 2)", None),
    ("F.avg_pool3d(z(1, 3, 2, 2, 2), 3)", None),
    ("F.avg_pool3d(z(1, 3, 8, 8, 8), 3, divisor_override=0)", None),
    ("F.avg_pool3d(z(1, 3, 8, 8, 8).int(), 3)", None),
    ("F.max_pool1d(z(8), 3)", None),
    ("F.max_pool1d(z(1, 3, 8), (3, 3))", "kernel_size must be an int, list of ints or tuple of ints of size 1"),
    ("F.avg_pool1d(z(1, 3, 8), (3, 3))", None),
    ("F.adaptive_avg_pool1d(z(8), 2)", None),
    ("F.adaptive_avg_pool1d(z(1, 3, 8), (2, 2))", None),
    ("F.adaptive_avg_pool1d(z(1, 3, 8), None)", "not NoneType"),
    ("F.adaptive_avg_pool2d(z(8), 2)", None),
    ("F.adaptive_avg_pool2d(z(1, 3, 8, 8), (2, 2, 2))", None),
    ("F.adaptive_avg_pool2d(z(1, 3, 0, 8), 2)", None),
    ("F.adaptive_avg_pool3d(z(8, 8, 8), 2)", None),
    ("F.adaptive_avg_pool3d(z(1, 0, 8, 8, 8), 2)", None),
    ("F.adaptive_max_pool2d(z(8, 8), 2)", None),
    ("F.adaptive_max_pool2d(z(1, 0, 8, 8), 2)", None),
    ("F.adaptive_max_pool3d(z(8), 2)", None),
    ("F.adaptive_max_pool3d(z(1, 3, 8, 8, 8), (2, 2))", "output_size"),
    ("F.max_unpool2d(z(1, 3, 4, 4), i(1, 3, 4, 4).int(), 2)", None),
    ("F.max_unpool2d(z(1, 3, 4, 4), i(1, 3, 4, 2), 2)", None),
    ("F.max_unpool2d(z(1, 3, 4, 4), i(1, 3, 4, 4) + 1000, 2)", None),
    ("F.max_unpool1d(z(1, 3, 4), i(1, 3, 4) - 1, 2)", None),
    ("F.max_unpool2d(z(1, 3, 4, 4), i(1, 3, 4, 4), 2, output_size=(20, 20))", None),
    ("F.max_unpool2d(z(1, 3, 4, 4), i(1, 3, 4, 4), 2, output_size=(8,) * 5)", None),
    ("F.max_unpool3d(z(4, 4, 4), i(4, 4, 4), 2)", None),
    ("F.max_unpool2d(z(1, 3, 4, 4).int(), i(1, 3, 4, 4), 2)", "not implemented for 'Int'"),
    ("nn.FractionalMaxPool2d(2)", None),
    ("nn.FractionalMaxPool2d(2, 3, 0.5)", None),
    ("nn.FractionalMaxPool3d(2, output_ratio=1.5)", None),
    ("nn.FractionalMaxPool3d(0, 2)", None),
    ("F.fractional_max_pool2d(z(1, 3, 5, 5), 2)", None),
    ("F.fractional_max_pool2d(z(1, 3, 5, 5), 4, 3)", "pool height 4 too large relative to input height 5"),
    # ------------------------------------------------------------------ paddings, foldings, shuffles
    ("F.pad(z(2, 3), (3, 0), 'reflect')", None),
    ("F.pad(z(1, 2, 2, 3), (0, 0, 2, 1), 'reflect')", None),
    ("F.pad(z(2, 1), (0, -1), 'replicate')", None),
    ("F.pad(z(2, 0), (1, 0), 'reflect')", None),
    ("F.pad(z(1, 0, 3, 3), (1, 0, 0, 0), 'replicate')", None),
    ("F.pad(z(1, 2, 3), (4, 0), 'circular')", None),
    ("F.pad(z(2, 1), (0, -2), 'circular')", None),
    ("F.pad(z(3), (1, 0), 'reflect')", None),
    ("F.pad(z(3, 3), (1, 0, 1, 0), 'replicate')", None),
    ("F.pad(z(3, 3), (1,))", None),
    ("F.pad(z(3, 1), (-2, 2))", None),
    ("nn.CircularPad1d(1)(z(3))", None),
    ("nn.CircularPad2d(1)(z(3, 3))", None),
    ("nn.CircularPad3d(1)(z(3, 3))", None),
    ("nn.ReflectionPad2d((1, 2, 3))(z(1, 1, 5, 5))", None),
    ("F.unfold(z(1, 1, 3, 3), (2, 2, 2))", None),
    ("F.unfold(z(1, 1, 3, 3), 4)", None),
    ("F.unfold(z(1, 1, 3, 3), 0)", None),
    ("F.unfold(z(1, 1, 3, 3), 2, stride=0)", None),
    ("F.unfold(z(1, 1, 3, 3), 2, padding=-1)", None),
    ("F.unfold(z(1, 0, 3, 3), 2)", None),
    ("F.unfold(z(1, 1, 3, 3).int(), 2)", None),
    ("F.fold(z(4), 3, 2)", None),
    ("F.fold(z(1, 5, 4), 3, 2)", None),
    ("F.fold(z(1, 4, 5), 3, 2)", None),
    ("F.fold(z(1, 4, 4), (3, 3, 3), 2)", None),
    ("F.fold(z(1, 4, 4), 3, 2, 0)", None),
    ("F.pixel_shuffle(z(4, 4), 2)", None),
    ("F.pixel_shuffle(z(3, 2, 2), 2)", None),
    ("F.pixel_unshuffle(z(3, 3, 2), 2)", None),
    ("F.pixel_unshuffle(z(4, 4, 4), -1)", None),
    ("F.channel_shuffle(z(4, 4), 2)", None),
    ("F.channel_shuffle(z(1, 4, 4), 3)", None),
    # ------------------------------------------------------------------ resampling
    ("F.interpolate(z(1, 2, 4), 3, mode='bilinear')", None),
    ("F.interpolate(z(1, 2, 4, 4), 3, mode='linear')", None),
    ("F.interpolate(z(1, 2, 4, 4, 4), 3, mode='bicubic')", None),
    ("F.interpolate(z(2, 4), 3, mode='area')", None),
    ("F.interpolate(z(1, 2, 4, 4), 3, mode='foo')", None),
    ("F.interpolate(z(1, 2, 4, 4))", None),
    ("F.interpolate(z(1, 2, 4, 4), 3, 2)", None),
    ("F.interpolate(z(1, 2, 4, 4), (3, 3, 3))", None),
    ("F.interpolate(z(1, 2, 4, 4), scale_factor=(2, 2, 2))", None),
    ("F.interpolate(z(1, 2, 4, 4), 3, mode='nearest', align_corners=True)", None),
    ("F.interpolate(z(1, 2, 4, 4), 3, recompute_scale_factor=True)", None),
    ("F.interpolate(z(1, 2, 4, 4), 0)", None),
    ("F.interpolate(z(1, 2, 4, 4), scale_factor=0.1, mode='bilinear')", None),
    ("F.interpolate(z(1, 2, 4), 3, mode='linear', antialias=True)", None),
    ("F.interpolate(z(1, 0, 4, 4), 3, mode='bilinear')", None),
    ("F.interpolate(z(1, 2, 4, 4), (3, 2.0))", None),
    ("F.interpolate(z(1, 2, 4, 4).int(), 3)", "not implemented for 'Int'"),
    ("F.interpolate(z(1, 2, 4, 4), 3, mode='lanczos')", None),
    ("F.grid_sample(z(1, 2, 4, 4), z(1, 3, 3, 2), 'foo')", None),
    ("F.grid_sample(z(1, 2, 4, 4), z(1, 3, 3, 2), padding_mode='foo')", None),
    ("F.grid_sample(z(1, 2, 4, 4), z(1, 3, 3, 3))", None),
    ("F.grid_sample(z(1, 2, 4, 4), z(2, 3, 3, 2))", None),
    ("F.grid_sample(z(1, 2, 4, 4), z(1, 3, 3, 2).double())", "expected scalar type Float but found Double"),
    ("F.grid_sample(z(1, 2, 4, 4, 4), z(1, 3, 3, 3, 3), 'bicubic')", None),
    ("F.grid_sample(z(1, 2, 0, 4), z(1, 3, 3, 2))", None),
    ("F.affine_grid(z(1, 3, 4), (1, 2, 4, 4))", "Expected a batch of 2D affine matrices of shape Nx2x3"),
    ("F.affine_grid(z(1, 2, 3), (1, 2, 4))", None),
    ("F.affine_grid(z(1, 2, 3).int(), (1, 2, 4, 4))", "Expected theta to have floating point type"),
    ("F.affine_grid(z(1, 2, 3), (1, 2, 0, 4))", None),
]


def kind_of(frame: Any, call: str) -> tuple[type[Exception], str]:
    """Which error a call raises, and the first line of its message."""
    names = {
        "F": frame.nn.functional,
        "nn": frame.nn,
        "z": frame.zeros,
        "i": lambda *shape: frame.zeros(*shape, dtype=frame.int64),
    }
    found: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice of PyTorch's on align_corners
        try:
            eval(call, names)
        except Exception as refusal:
            found = refusal
    assert found is not None, f"{frame.__name__} did not refuse {call}"
    assert frame is not dovetail or isinstance(found, DovetailError)
    return next(k for k in KINDS if isinstance(found, k)), str(found)


@pytest.mark.parametrize(("call", "words"), CALLS)
def test_refusals(call: str, words: str | None, oracle: Any) -> None:
    kind, message = kind_of(oracle.torch, call)
    ours, text = kind_of(dovetail, call)
    # a type that PyTorch derives from RuntimeError may be the plain one here
    assert issubclass(kind, ours) or issubclass(ours, kind)
    line = message.partition("\n")[0]
    assert words is None or words in line
    assert (words or line) in text
