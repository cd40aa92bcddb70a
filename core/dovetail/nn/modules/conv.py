"""Convolutions, and the classes that ``isinstance`` is asked about."""

from __future__ import annotations

from dovetail.nn.convolution import Conv1d as Conv1d
from dovetail.nn.convolution import Conv2d as Conv2d
from dovetail.nn.convolution import Conv3d as Conv3d
from dovetail.nn.convolution import Convolution as _ConvNd  # noqa: F401  # PyTorch's name for it
from dovetail.nn.transposed_convolution import ConvTranspose1d as ConvTranspose1d
from dovetail.nn.transposed_convolution import ConvTranspose2d as ConvTranspose2d
from dovetail.nn.transposed_convolution import ConvTranspose3d as ConvTranspose3d
from dovetail.nn.transposed_convolution import TransposedConvolution as _ConvTransposeNd  # noqa: F401  # PyTorch's name
