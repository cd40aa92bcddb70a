"""The public names of dovetail. Written by ``python -m dovetail.describe``."""

from __future__ import annotations

import builtins
import numpy as _numpy
from collections.abc import Sequence as _Sequence
from dovetail import dtypes as _dtypes
from dovetail.contract.device import Device as _Device
from dovetail.ops.adaptive_pooling import Wanted as _Wanted
from dovetail.ops.aggregation import Dtype as _Dtype2
from dovetail.ops.convolution_arguments import Size as _Size3
from dovetail.ops.creation import Place as _Place
from dovetail.ops.definition import Number as _Number
from dovetail.ops.diagonal import Place as _Place2
from dovetail.ops.floating_parts import MantissaExponent as _MantissaExponent
from dovetail.ops.pooling import Size as _Size
from dovetail.ops.rearrangement import Dims as _Dims2
from dovetail.ops.reduction import Dims as _Dims
from dovetail.ops.results import MinMax as _MinMax
from dovetail.ops.results import ValuesIndices as _ValuesIndices
from dovetail.ops.scan import Dtype as _Dtype
from dovetail.random.generator import Generator as _Generator
from dovetail.tensor.spec import Size as _Size2
from typing import Any as _Any
from dovetail import accelerator as accelerator
from dovetail import amp as amp
from dovetail import autograd as autograd
from dovetail import backend as backend
from dovetail import backends as backends
from dovetail import cuda as cuda
from dovetail import func as func
from dovetail import nn as nn
from dovetail import ops as ops
from dovetail import optim as optim
from dovetail import profiler as profiler
from dovetail import random as random
from dovetail import saving as saving
from dovetail import special as special
from dovetail import utils as utils
from dovetail.amp.block import autocast as autocast
from dovetail.amp.modes import clear_autocast_cache as clear_autocast_cache
from dovetail.amp.modes import get_autocast_cpu_dtype as get_autocast_cpu_dtype
from dovetail.amp.modes import get_autocast_dtype as get_autocast_dtype
from dovetail.amp.modes import get_autocast_gpu_dtype as get_autocast_gpu_dtype
from dovetail.amp.modes import is_autocast_available as is_autocast_available
from dovetail.amp.modes import is_autocast_cache_enabled as is_autocast_cache_enabled
from dovetail.amp.modes import is_autocast_cpu_enabled as is_autocast_cpu_enabled
from dovetail.amp.modes import is_autocast_enabled as is_autocast_enabled
from dovetail.amp.modes import set_autocast_cache_enabled as set_autocast_cache_enabled
from dovetail.amp.modes import set_autocast_cpu_dtype as set_autocast_cpu_dtype
from dovetail.amp.modes import set_autocast_cpu_enabled as set_autocast_cpu_enabled
from dovetail.amp.modes import set_autocast_dtype as set_autocast_dtype
from dovetail.amp.modes import set_autocast_enabled as set_autocast_enabled
from dovetail.amp.modes import set_autocast_gpu_dtype as set_autocast_gpu_dtype
from dovetail.autograd.function import Function as Function
from dovetail.autograd.mode import enable_grad as enable_grad
from dovetail.autograd.mode import inference_mode as inference_mode
from dovetail.autograd.mode import is_grad_enabled as is_grad_enabled
from dovetail.autograd.mode import no_grad as no_grad
from dovetail.autograd.mode import set_grad_enabled as set_grad_enabled
from dovetail.contract.device import Device as _as_device
from dovetail.contract.selection import get_backend as get_backend
from dovetail.contract.selection import get_default_device as get_default_device
from dovetail.contract.selection import set_backend as set_backend
from dovetail.contract.selection import set_default_device as set_default_device
from dovetail.contract.selection import use_backend as use_backend
from dovetail.dispatch.synchronize import synchronize as synchronize
from dovetail.dtypes import bfloat16 as bfloat16
from dovetail.dtypes import bool_ as _as_bool
from dovetail.dtypes import can_cast as can_cast
from dovetail.dtypes import complex128 as complex128
from dovetail.dtypes import complex64 as complex64
from dovetail.dtypes import dtype as dtype
from dovetail.dtypes import float16 as float16
from dovetail.dtypes import float16 as _as_half
from dovetail.dtypes import float32 as _as_float
from dovetail.dtypes import float32 as float32
from dovetail.dtypes import float64 as _as_double
from dovetail.dtypes import float64 as float64
from dovetail.dtypes import int16 as int16
from dovetail.dtypes import int16 as _as_short
from dovetail.dtypes import int32 as _as_int
from dovetail.dtypes import int32 as int32
from dovetail.dtypes import int64 as int64
from dovetail.dtypes import int64 as _as_long
from dovetail.dtypes import int8 as int8
from dovetail.dtypes import promote_types as promote_types
from dovetail.dtypes import uint16 as uint16
from dovetail.dtypes import uint32 as uint32
from dovetail.dtypes import uint64 as uint64
from dovetail.dtypes import uint8 as uint8
from dovetail.limits import finfo as finfo
from dovetail.limits import iinfo as iinfo
from dovetail.memory_formats import channels_last as channels_last
from dovetail.memory_formats import channels_last_3d as channels_last_3d
from dovetail.memory_formats import contiguous_format as contiguous_format
from dovetail.memory_formats import layout as layout
from dovetail.memory_formats import memory_format as memory_format
from dovetail.memory_formats import preserve_format as preserve_format
from dovetail.memory_formats import strided as strided
from dovetail.nn.summary import summary as summary
from dovetail.printing import set_printoptions as set_printoptions
from dovetail.program.compiled import compile as compile
from dovetail.random.generator import Generator as Generator
from dovetail.random.generator import default_generator as default_generator
from dovetail.random.generator import get_rng_state as get_rng_state
from dovetail.random.generator import initial_seed as initial_seed
from dovetail.random.generator import manual_seed as manual_seed
from dovetail.random.generator import seed as seed
from dovetail.random.generator import set_rng_state as set_rng_state
from dovetail.saving import load as load
from dovetail.saving import save as save
from dovetail.settings import get_default_dtype as get_default_dtype
from dovetail.settings import set_default_dtype as set_default_dtype
from dovetail.settings import set_host_fallback as set_host_fallback
from dovetail.switches import are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled
from dovetail.switches import get_float32_matmul_precision as get_float32_matmul_precision
from dovetail.switches import get_num_interop_threads as get_num_interop_threads
from dovetail.switches import get_num_threads as get_num_threads
from dovetail.switches import set_float32_matmul_precision as set_float32_matmul_precision
from dovetail.switches import set_num_interop_threads as set_num_interop_threads
from dovetail.switches import set_num_threads as set_num_threads
from dovetail.switches import use_deterministic_algorithms as use_deterministic_algorithms
from dovetail.tensor.spec import Size as Size
from dovetail.tensor.tensor import Tensor as Tensor
from dovetail.tensor_types import BFloat16Tensor as BFloat16Tensor
from dovetail.tensor_types import BoolTensor as BoolTensor
from dovetail.tensor_types import ByteTensor as ByteTensor
from dovetail.tensor_types import CharTensor as CharTensor
from dovetail.tensor_types import DoubleTensor as DoubleTensor
from dovetail.tensor_types import FloatTensor as FloatTensor
from dovetail.tensor_types import HalfTensor as HalfTensor
from dovetail.tensor_types import IntTensor as IntTensor
from dovetail.tensor_types import LongTensor as LongTensor
from dovetail.tensor_types import ShortTensor as ShortTensor
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

device = _as_device
bool = _as_bool
half = _as_half
float = _as_float
double = _as_double
short = _as_short
int = _as_int
long = _as_long

__version__: str

def abs(input: Tensor) -> Tensor:
    """Absolute value of each element; its gradient at 0 is 0."""
def absolute(input: Tensor) -> Tensor:
    """Absolute value of each element; its gradient at 0 is 0."""
def acos(input: Tensor) -> Tensor:
    """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
def acosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine of each element; NaN below 1."""
def adaptive_avg_pool1d(input: Tensor, output_size: _Wanted) -> Tensor:
    """Means over windows of signals (N, C, L) or (C, L), laid out so that the result has ``output_size``."""
def adaptive_avg_pool2d(input: Tensor, output_size: _Wanted) -> Tensor:
    """Means over windows of images, laid out so that the result has ``output_size`` (None keeps a size)."""
def adaptive_avg_pool3d(input: Tensor, output_size: _Wanted) -> Tensor:
    """Means over windows of volumes, laid out so that the result has ``output_size`` (None keeps a size)."""
def adaptive_max_pool1d(input: Tensor, output_size: _Wanted) -> builtins.tuple[Tensor, Tensor]:
    """The largest element of windows of signals, laid out so that the result has ``output_size``, and its position."""
def add(input: Tensor, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
    """Sum of each pair of elements, ``input + alpha * other``; logical or for bools."""
def addbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: _Number = 1,
    alpha: _Number = 1,
) -> Tensor:
    """``beta * input + alpha * sum(batch1 @ batch2)``, summed over the batch."""
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> Tensor:
    """``input + value * tensor1 / tensor2``."""
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: _Number = 1) -> Tensor:
    """``input + value * tensor1 * tensor2``."""
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)`` of matrices."""
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)`` of a matrix and a vector."""
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: _Number = 1, alpha: _Number = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``."""
def adjoint(input: Tensor) -> Tensor:
    """The conjugate transpose of each matrix: the last two dimensions exchanged."""
def affine_grid_generator(
    theta: Tensor,
    size: _Sequence[builtins.int],
    align_corners: builtins.bool,
) -> Tensor:
    """The grid (N, H, W, 2) of affine maps (N, 2, 3) for results of ``size`` (N, C, H, W); in 3-d one more of each."""
def all(input: Tensor, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
    """Whether no element is zero; True of nothing."""
def allclose(
    input: Tensor,
    other: Tensor,
    rtol: builtins.float = 1e-05,
    atol: builtins.float = 1e-08,
    equal_nan: builtins.bool = False,
) -> builtins.bool:
    """Whether all pairs are close."""
def amax(input: Tensor, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
    """Largest element over dimensions; NaN if there is one; equal elements share the gradient."""
def amin(input: Tensor, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
    """Smallest element over dimensions; NaN if there is one; equal elements share the gradient."""
def aminmax(input: Tensor, *, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _MinMax:
    """The smallest and the largest element, of all or along a dimension; NaN if there is one."""
def angle(input: Tensor) -> Tensor:
    """The angle of each number in the complex plane: 0 for positive ones, pi for negative ones, nan for nan."""
def any(input: Tensor, dim: _Dims = None, keepdim: builtins.bool = False) -> Tensor:
    """Whether an element is not zero; False of nothing."""
def arange(
    start: _Number,
    end: _Number | None = None,
    step: _Number = 1,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Numbers from ``start`` up to (not including) ``end`` by ``step``."""
def arccos(input: Tensor) -> Tensor:
    """Angle in [0, pi] with that cosine; NaN outside of [-1, 1]."""
def arccosh(input: Tensor) -> Tensor:
    """Inverse hyperbolic cosine of each element; NaN below 1."""
def arcsin(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
def arcsinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine of each element."""
def arctan(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that tangent."""
def arctan2(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``."""
def arctanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
def argmax(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the first largest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
def argmin(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the first smallest element (of the first NaN if there is one), in the flat tensor without ``dim``."""
def argsort(
    input: Tensor,
    dim: builtins.int = -1,
    descending: builtins.bool = False,
    *,
    stable: builtins.bool = False,
) -> Tensor:
    """Positions that put a dimension in order: NaN counts as the largest, and ties always keep theirs."""
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one row each."""
def as_tensor(data: _Any, dtype: _dtypes.dtype | None = None, device: _Place = None) -> Tensor:
    """Make a tensor of data; a tensor of the right dtype and device is returned as it is."""
def asarray(
    obj: _Any,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor of data, as :func:`as_tensor`."""
def asin(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that sine; NaN outside of [-1, 1]."""
def asinh(input: Tensor) -> Tensor:
    """Inverse hyperbolic sine of each element."""
def atan(input: Tensor) -> Tensor:
    """Angle in [-pi/2, pi/2] with that tangent."""
def atan2(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Angle in [-pi, pi] of the point whose ordinate is ``input`` and whose abscissa is ``other``."""
def atanh(input: Tensor) -> Tensor:
    """Inverse hyperbolic tangent of each element; inf at 1, NaN beyond."""
def atleast_1d(*tensors: _Any) -> _Any:
    """The tensors with at least one dimension."""
def atleast_2d(*tensors: _Any) -> _Any:
    """The tensors with at least two dimensions: a vector becomes a row."""
def atleast_3d(*tensors: _Any) -> _Any:
    """The tensors with at least three dimensions: a matrix gets a last one of size 1."""
def avg_pool1d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
) -> Tensor:
    """The mean of each window of signals (N, C, L) or (C, L)."""
def avg_pool2d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
    divisor_override: builtins.int | None = None,
) -> Tensor:
    """The mean of each window of images (N, C, H, W) or (C, H, W)."""
def avg_pool3d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
    divisor_override: builtins.int | None = None,
) -> Tensor:
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W); options as those of :func:`avg_pool2d`."""
def baddbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: _Number = 1,
    alpha: _Number = 1,
) -> Tensor:
    """``beta * input + alpha * (batch1 @ batch2)`` of batches of matrices."""
def bartlett_window(
    window_length: builtins.int,
    periodic: builtins.bool = True,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """A triangle: ``1 - abs(2 t - 1)`` for t from 0 to 1."""
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: builtins.bool = False,
    momentum: builtins.float | Tensor = 0.1,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel (arXiv:1502.03167)."""
def bernoulli(
    input: Tensor,
    p: builtins.float | None = None,
    *,
    generator: _Generator | None = None,
) -> Tensor:
    """Ones with the probabilities that the tensor holds (or with one probability ``p``), else zeros."""
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``-(y log(x) + (1 - y) log(1 - x))`` of probabilities, each logarithm at least -100; reduced."""
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``binary_cross_entropy(sigmoid(x), y)`` without overflow; ``pos_weight`` weighs the positives; reduced."""
def bincount(input: Tensor, weights: Tensor | None = None, minlength: builtins.int = 0) -> Tensor:
    """How often each non-negative integer occurs in a vector, or the sum of its weights."""
def bitwise_and(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Bits set in both elements of each pair; logical and for bools."""
def bitwise_left_shift(input: Tensor, other: Tensor | _Number) -> Tensor:
    """The bits of each integer moved ``other`` places up: ``input * 2**other`` in the type."""
def bitwise_not(input: Tensor) -> Tensor:
    """Every bit of each element turned; logical not for bools."""
def bitwise_or(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Bits set in one of the elements of each pair; logical or for bools."""
def bitwise_right_shift(input: Tensor, other: Tensor | _Number) -> Tensor:
    """The bits of each integer moved ``other`` places down: ``input / 2**other`` rounded down."""
def bitwise_xor(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Bits set in exactly one of the elements of each pair; logical xor for bools."""
def blackman_window(
    window_length: builtins.int,
    periodic: builtins.bool = True,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)`` for t from 0 to 1."""
def block_diag(*tensors: Tensor) -> Tensor:
    """The matrices along the diagonal of a larger one, zeros elsewhere."""
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of two batches of matrices."""
def broadcast_shapes(*shapes: builtins.int | _Sequence[builtins.int]) -> _Size2:
    """The common shape of tensors of these shapes."""
def broadcast_tensors(*tensors: Tensor) -> builtins.tuple[Tensor, ...]:
    """All tensors expanded to their common shape."""
def broadcast_to(input: Tensor, shape: _Sequence[builtins.int]) -> Tensor:
    """Expanded to a shape."""
def bucketize(
    input: Tensor | _Number,
    boundaries: Tensor,
    *,
    out_int32: builtins.bool = False,
    right: builtins.bool = False,
) -> Tensor:
    """The bucket between sorted boundaries that each element falls into."""
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every combination of one element from each vector, one row each; a single vector stays as it is."""
def cast(input: Tensor, *, dtype: _dtypes.dtype) -> Tensor:
    """The same values in another dtype, rounded to nearest even."""
def cat(tensors: _Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """The tensors one after the other along a dimension; all other sizes must be equal, dtypes promote."""
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: builtins.float = 2.0,
    compute_mode: builtins.str = 'use_mm_for_euclid_dist_if_necessary',
) -> Tensor:
    """The p-norm distance of every row of ``x1`` to every row of ``x2``."""
def ceil(input: Tensor) -> Tensor:
    """The smallest integer that is not below each element."""
def celu(input: Tensor, alpha: builtins.float = 1.0) -> Tensor:
    """Each element where it is positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere (arXiv:1704.07483)."""
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, in the order of multiplications that takes the fewest."""
def channel_shuffle(input: Tensor, groups: builtins.int) -> Tensor:
    """The channels of (N, C, ...) with those of its groups interleaved."""
def chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
    """Views of at most so many pieces of one length along a dimension; the last may be shorter."""
def clamp(
    input: Tensor,
    min: Tensor | _Number | None = None,
    max: Tensor | _Number | None = None,
) -> Tensor:
    """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
def clamp_max(input: Tensor, max: _Any) -> Tensor:
    """Each element that is not larger than ``max``, else ``max``."""
def clamp_min(input: Tensor, min: _Any) -> Tensor:
    """Each element that is not smaller than ``min``, else ``min``."""
def clip(
    input: Tensor,
    min: Tensor | _Number | None = None,
    max: Tensor | _Number | None = None,
) -> Tensor:
    """Each element moved into ``[min, max]`` (numbers or tensors); the gradient at the edges is 1."""
def clone(input: Tensor) -> Tensor:
    """A copy with storage of its own, through which gradients flow."""
def column_stack(tensors: _Sequence[Tensor]) -> Tensor:
    """The tensors side by side; vectors count as columns."""
def combinations(input: Tensor, r: builtins.int = 2, with_replacement: builtins.bool = False) -> Tensor:
    """Every choice of ``r`` elements of a vector, in order, one row each."""
def concat(
    tensors: _Sequence[Tensor],
    dim: builtins.int = 0,
    *,
    axis: builtins.int | None = None,
) -> Tensor:
    """Another name of ``cat``."""
def concatenate(
    tensors: _Sequence[Tensor],
    dim: builtins.int = 0,
    *,
    axis: builtins.int | None = None,
) -> Tensor:
    """Another name of ``cat``."""
def conj(input: Tensor) -> Tensor:
    """The complex conjugate, which of real numbers is the tensor itself."""
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate, which of real numbers is the tensor itself."""
def contiguous(input: Tensor, *, memory_format: _Any = None) -> Tensor:
    """The tensor itself if its elements lie in row-major order, else a copy that does."""
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 | builtins.str = 0,
    dilation: _Size3 = 1,
    groups: builtins.int = 1,
) -> Tensor:
    """Cross-correlation of signals with kernels, as images of one row."""
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 | builtins.str = 0,
    dilation: _Size3 = 1,
    groups: builtins.int = 1,
) -> Tensor:
    """Cross-correlation of images with kernels."""
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 | builtins.str = 0,
    dilation: _Size3 = 1,
    groups: builtins.int = 1,
) -> Tensor:
    """Cross-correlation of volumes with kernels."""
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 = 0,
    output_padding: _Size3 = 0,
    groups: builtins.int = 1,
    dilation: _Size3 = 1,
) -> Tensor:
    """Transposed convolution of signals: what the gradient of conv1d does to the gradient of its result."""
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 = 0,
    output_padding: _Size3 = 0,
    groups: builtins.int = 1,
    dilation: _Size3 = 1,
) -> Tensor:
    """Transposed convolution of images: what the gradient of conv2d does to the gradient of its result."""
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size3 = 1,
    padding: _Size3 = 0,
    output_padding: _Size3 = 0,
    groups: builtins.int = 1,
    dilation: _Size3 = 1,
) -> Tensor:
    """Transposed convolution of volumes: what the gradient of conv3d does to the gradient of its result."""
def copy_to(input: Tensor, *, device: _Device) -> Tensor:
    """The same values on another device, of any backend; the gradient comes back to the device of the input."""
def copysign(input: Tensor, other: Tensor | _Number) -> Tensor:
    """The size of each element of ``input`` with the sign of ``other``; integers become floating."""
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation coefficients of the rows, which are variables; each is at most 1 in size."""
def cos(input: Tensor) -> Tensor:
    """Cosine of each element, in radians."""
def cosh(input: Tensor) -> Tensor:
    """Hyperbolic cosine of each element."""
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: _Number = 0.0,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``1 - cos(x1, x2)`` where y is 1, ``max(0, cos(x1, x2) - margin)`` where y is -1; reduced."""
def cosine_similarity(
    x1: Tensor,
    x2: Tensor,
    dim: builtins.int = 1,
    eps: builtins.float = 1e-08,
) -> Tensor:
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along a dimension of the common shape."""
def count_nonzero(input: Tensor, dim: _Dims = None) -> Tensor:
    """How many elements are not zero."""
def cov(
    input: Tensor,
    *,
    correction: builtins.int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """The covariances of the rows, which are variables, over the columns, which are observations."""
def cross(input: Tensor, other: Tensor, dim: builtins.int | None = None) -> Tensor:
    """The vector product along a dimension of size 3: the first one, if none is named."""
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: builtins.int = -100,
    reduction: builtins.str = 'mean',
    label_smoothing: builtins.float = 0.0,
) -> Tensor:
    """Cross entropy of unnormalised scores with class indices, or with class probabilities; reduced."""
def cummax(input: Tensor, dim: builtins.int) -> _ValuesIndices:
    """Largest element up to each one along a dimension, and its position; the gradient goes there."""
def cummin(input: Tensor, dim: builtins.int) -> _ValuesIndices:
    """Smallest element up to each one along a dimension, and its position; the gradient goes there."""
def cumprod(input: Tensor, dim: builtins.int, *, dtype: _Dtype | None = None) -> Tensor:
    """Product of all elements up to each one along a dimension; integers and bools multiply in int64."""
def cumsum(input: Tensor, dim: builtins.int, *, dtype: _Dtype | None = None) -> Tensor:
    """Sum of all elements up to each one along a dimension; integers and bools add up in int64."""
def cumulative_trapezoid(
    y: Tensor,
    x: Tensor | None = None,
    *,
    dx: _Number = 1,
    dim: builtins.int = -1,
) -> Tensor:
    """The integrals up to each sample but the first, by the trapezoidal rule."""
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
def diag(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """The matrix with a vector on its diagonal, or a copy of a diagonal of a matrix."""
def diag_embed(
    input: Tensor,
    offset: builtins.int = 0,
    dim1: builtins.int = -2,
    dim2: builtins.int = -1,
) -> Tensor:
    """Matrices at ``dim1`` and ``dim2`` with the last dimension on a diagonal, zeros elsewhere."""
def diagflat(input: Tensor, offset: builtins.int = 0) -> Tensor:
    """The matrix with all elements of a tensor on a diagonal."""
def diagonal(
    input: Tensor,
    offset: builtins.int = 0,
    dim1: builtins.int = 0,
    dim2: builtins.int = 1,
) -> Tensor:
    """A diagonal of two dimensions as the last dimension, sharing storage; ``offset`` counts to the right."""
def diagonal_scatter(
    input: Tensor,
    src: Tensor,
    offset: builtins.int = 0,
    dim1: builtins.int = 0,
    dim2: builtins.int = 1,
) -> Tensor:
    """A copy of the tensor with other values on a diagonal."""
def diff(
    input: Tensor,
    n: builtins.int = 1,
    dim: builtins.int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Differences of neighbours along a dimension, ``n`` times; of bools whether they differ."""
def digamma(input: Tensor) -> Tensor:
    """The derivative of ``lgamma`` at each element; NaN at negative integers."""
def dist(input: Tensor, other: Tensor, p: _Number = 2) -> Tensor:
    """The p-norm of all differences ``input - other`` together."""
def div(input: Tensor, other: Tensor | _Number, *, rounding_mode: builtins.str | None = None) -> Tensor:
    """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
def divide(
    input: Tensor,
    other: Tensor | _Number,
    *,
    rounding_mode: builtins.str | None = None,
) -> Tensor:
    """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors."""
def dropout(input: Tensor, p: builtins.float = 0.5, training: builtins.bool = True) -> Tensor:
    """In training, each element set to zero with probability ``p``, the rest divided by 1 - p."""
def dsplit(input: Tensor, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
    """Views of pieces along dimension 2, as ``tensor_split``, of one length."""
def dstack(tensors: _Sequence[Tensor]) -> Tensor:
    """The tensors behind one another along the third dimension."""
def einsum(equation: _Any, *operands: _Any) -> Tensor:
    """Sums of products over letters that the result does not have: ``einsum("ij,jk->ik", a, b)`` is ``a @ b``."""
def elu(input: Tensor, alpha: builtins.float = 1.0) -> Tensor:
    """Each element where it is positive, ``alpha * (exp(x) - 1)`` elsewhere (arXiv:1511.07289)."""
def embedding(input: Tensor, weight: Tensor, padding_idx: builtins.int | None = None) -> Tensor:
    """The rows of ``weight`` that the indices name; the row ``padding_idx`` gets no gradient."""
def empty(
    *size: _Any,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor without a promise about its values: here they are zeros, the same on every backend."""
def empty_like(
    input: Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor like another, without a promise about its values."""
def eq(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the elements of each pair are equal."""
def equal(input: Tensor, other: Tensor) -> builtins.bool:
    """Whether both tensors have the same shape and equal elements."""
def erf(input: Tensor) -> Tensor:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to each element."""
def erfc(input: Tensor) -> Tensor:
    """``1 - erf(x)`` of each element, with all its digits where that is small."""
def erfinv(input: Tensor) -> Tensor:
    """The inverse of erf: infinite at -1 and 1, NaN beyond."""
def exp(input: Tensor) -> Tensor:
    """e to the power of each element."""
def exp2(input: Tensor) -> Tensor:
    """2 to the power of each element."""
def expand(input: Tensor, *sizes: builtins.int | _Sequence[builtins.int]) -> Tensor:
    """Dimensions of size 1 repeated without copying, sharing storage; -1 keeps a size."""
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of another tensor."""
def expm1(input: Tensor) -> Tensor:
    """``exp(x) - 1`` of each element, without the loss of digits near 0."""
def eye(
    n: builtins.int,
    m: builtins.int | None = None,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """A matrix with ones on the diagonal and zeros elsewhere."""
def fix(input: Tensor) -> Tensor:
    """Each element without its fraction."""
def flatten(input: Tensor, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
    """The dimensions from ``start_dim`` to ``end_dim`` made one."""
def flip(input: Tensor, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
    """A copy with the order of elements reversed along dimensions."""
def fliplr(input: Tensor) -> Tensor:
    """A copy with the order of columns reversed."""
def flipud(input: Tensor) -> Tensor:
    """A copy with the order of rows reversed."""
def float_power(input: Tensor, exponent: Tensor | _Number) -> Tensor:
    """Power of each element, computed and given in float64."""
def floor(input: Tensor) -> Tensor:
    """The largest integer that is not above each element."""
def floor_divide(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Quotient rounded towards minus infinity; an integer division by zero is an error."""
def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; where one is NaN, the other."""
def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; where one is NaN, the other."""
def fmod(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Remainder with the sign of the dividend: ``fmod(-7, 3)`` is -1."""
def frac(input: Tensor) -> Tensor:
    """The fraction of each element, with its sign: ``x - trunc(x)``."""
def frexp(input: Tensor) -> _MantissaExponent:
    """Each number as ``mantissa * 2**exponent`` with a mantissa from 0.5 to below 1 in size, and an int32 exponent."""
def from_dlpack(ext_tensor: _Any, *, device: builtins.str | _Device | None = None) -> Tensor:
    """Make a tensor of another library's array on the CPU, with the value that it has now."""
def from_numpy(ndarray: _numpy.ndarray[_Any, _Any]) -> Tensor:
    """Make a tensor with the value that a NumPy array has now; later writes to the array are not seen."""
def full(
    size: _Any,
    fill_value: _Number | Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor of one value."""
def full_like(
    input: Tensor,
    fill_value: _Number,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make one value with the shape, dtype and device of a tensor."""
def gather(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """``out[i][j] = input[index[i][j]][j]`` for ``dim`` 0, and so on: one element per element of ``index``."""
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor,
    full: builtins.bool = False,
    eps: builtins.float = 1e-06,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``(log(var) + (x - y)**2 / var) / 2`` with the variance at least ``eps``; reduced."""
def ge(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is greater or equal."""
def gelu(input: Tensor, approximate: builtins.str = 'none') -> Tensor:
    """``x * Phi(x)`` with the normal distribution function Phi; "tanh" approximates it (arXiv:1606.08415)."""
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """Another name of ``outer``."""
def glu(input: Tensor, dim: builtins.int = -1) -> Tensor:
    """``a * sigmoid(b)`` for the two halves a and b of a dimension (arXiv:1612.08083)."""
def greater(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is greater."""
def greater_equal(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is greater or equal."""
def grid_sampler(
    input: Tensor,
    grid: Tensor,
    interpolation_mode: builtins.int,
    padding_mode: builtins.int,
    align_corners: builtins.bool,
) -> Tensor:
    """The input read at the places of a grid."""
def group_norm(
    input: Tensor,
    num_groups: builtins.int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over groups of channels of each sample."""
def gt(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is greater."""
def hamming_window(
    window_length: builtins.int,
    periodic: builtins.bool = True,
    alpha: builtins.float = 0.54,
    beta: builtins.float = 0.46,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``alpha - beta cos(2 pi t)`` for t from 0 to 1."""
def hann_window(
    window_length: builtins.int,
    periodic: builtins.bool = True,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``(1 - cos(2 pi t)) / 2`` for t from 0 to 1."""
def hardshrink(input: Tensor, lambd: builtins.float = 0.5) -> Tensor:
    """Each element where it is outside ``[-lambd, lambd]`` (or NaN), 0 elsewhere."""
def hardsigmoid(input: Tensor) -> Tensor:
    """``relu6(x + 3) / 6``, a straight line in place of the sigmoid; the gradient at both edges is 0."""
def hardswish(input: Tensor) -> Tensor:
    """``x * relu6(x + 3) / 6`` (arXiv:1905.02244); the gradient is 0 at -3 and 1 at 3."""
def hardtanh(input: Tensor, min_val: _Number = -1.0, max_val: _Number = 1.0) -> Tensor:
    """Each element limited to ``[min_val, max_val]``, NaN for NaN; the gradient at both edges is 0."""
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, and ``values`` at 0; 0 for NaN."""
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: _Number = 1.0,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """x where y is 1, ``max(0, margin - x)`` where y is -1; reduced."""
def histc(input: Tensor, bins: builtins.int = 100, min: _Number = 0, max: _Number = 0) -> Tensor:
    """How many elements fall into each of ``bins`` equal intervals between ``min`` and ``max``."""
def hsplit(input: Tensor, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
    """Views of pieces along dimension 1, as ``tensor_split``, of one length."""
def hstack(tensors: _Sequence[Tensor]) -> Tensor:
    """The tensors side by side: along the first dimension of vectors, the second of all others."""
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: builtins.str = 'mean',
    delta: builtins.float = 1.0,
) -> Tensor:
    """``(x - y)**2 / 2`` where ``abs(x - y) <= delta``, ``delta * (abs(x - y) - delta / 2)`` elsewhere."""
def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(x^2 + y^2) of each pair, without overflow on the way; its gradient at (0, 0) is NaN."""
def i0(input: Tensor) -> Tensor:
    """The modified Bessel function of the first kind of order 0."""
def imag(input: Tensor) -> Tensor:
    """The imaginary part, which real numbers do not have."""
def index_add(
    input: Tensor,
    dim: builtins.int,
    index: Tensor,
    source: Tensor,
    *,
    alpha: _Number = 1,
) -> Tensor:
    """``input`` with the slices of ``source`` added at positions of a dimension; repeated positions accumulate."""
def index_copy(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
    """``input`` with the slices of ``source`` put at positions of a dimension; of repeated positions the last wins."""
def index_fill(input: Tensor, dim: builtins.int, index: Tensor, value: Tensor | _Number) -> Tensor:
    """A copy of the tensor with one value in the slices of a dimension that a vector of positions names."""
def index_put(
    input: Tensor,
    indices: _Sequence[Tensor | None],
    values: Tensor,
    accumulate: builtins.bool = False,
) -> Tensor:
    """A copy with values put at the positions that a tuple of index tensors names, or added there."""
def index_reduce(
    input: Tensor,
    dim: builtins.int,
    index: Tensor,
    source: Tensor,
    reduce: builtins.str,
    *,
    include_self: builtins.bool = True,
) -> Tensor:
    """``input`` with slices of ``source`` reduced into positions of a dimension: "prod", "mean", "amax" or "amin"."""
def index_select(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """The slices of a dimension that a vector of positions names, as a copy."""
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimension of both tensors, for all pairs of the others."""
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: builtins.bool = True,
    momentum: builtins.float = 0.1,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """Batch normalisation of each channel of each sample by itself (arXiv:1607.08022)."""
def is_complex(input: Tensor) -> builtins.bool:
    """Tell whether the elements of a tensor are complex numbers."""
def is_conj(input: Tensor) -> builtins.bool:
    """Whether a conjugation is put off: never."""
def is_floating_point(input: Tensor) -> builtins.bool:
    """Tell whether the elements of a tensor are real floating-point numbers."""
def is_nonzero(input: Tensor) -> builtins.bool:
    """Tell whether the only element of a tensor is not zero."""
def is_signed(input: Tensor) -> builtins.bool:
    """Tell whether the dtype of a tensor has negative numbers."""
def is_tensor(obj: _Any) -> builtins.bool:
    """Tell whether an object is a tensor."""
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: builtins.float = 1e-05,
    atol: builtins.float = 1e-08,
    equal_nan: builtins.bool = False,
) -> Tensor:
    """Whether ``|input - other| <= atol + rtol * |other|`` for each pair."""
def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""
def isin(
    elements: _Any,
    test_elements: _Any,
    *,
    assume_unique: builtins.bool = False,
    invert: builtins.bool = False,
) -> Tensor:
    """Whether each element occurs in another tensor."""
def isinf(input: Tensor) -> Tensor:
    """Whether each element is an infinity."""
def isnan(input: Tensor) -> Tensor:
    """Whether each element is NaN."""
def isneginf(input: Tensor) -> Tensor:
    """Whether each element is negative infinity."""
def isposinf(input: Tensor) -> Tensor:
    """Whether each element is positive infinity."""
def isreal(input: Tensor) -> Tensor:
    """Whether each element has no imaginary part: always, as no dtype has one."""
def kaiser_window(
    window_length: builtins.int,
    periodic: builtins.bool = True,
    beta: builtins.float = 12.0,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``I0(beta sqrt(1 - (2 t - 1)**2)) / I0(beta)`` for t from 0 to 1."""
def kl_div(
    input: Tensor,
    target: Tensor,
    reduction: builtins.str = 'mean',
    log_target: builtins.bool = False,
) -> Tensor:
    """``y (log(y) - x)`` for log-probabilities x, 0 where y is 0; ``log_target``: y is a logarithm too."""
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Every element of one tensor times the whole of the other, laid out as blocks."""
def kthvalue(
    input: Tensor,
    k: builtins.int,
    dim: builtins.int = -1,
    keepdim: builtins.bool = False,
) -> _ValuesIndices:
    """The ``k``-th smallest element of a dimension, counted from 1, and its position."""
def l1_loss(input: Tensor, target: Tensor, reduction: builtins.str = 'mean') -> Tensor:
    """Absolute differences ``abs(x - y)``: their mean, their sum, or each of them."""
def layer_norm(
    input: Tensor,
    normalized_shape: _Sequence[builtins.int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions (arXiv:1607.06450)."""
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """``input * 2 ** other``."""
def le(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is less or equal."""
def leaky_relu(input: Tensor, negative_slope: builtins.float = 0.01) -> Tensor:
    """Each element where it is positive, ``negative_slope`` times it elsewhere, also in the gradient at 0."""
def lerp(input: Tensor, end: Tensor, weight: Tensor | _Number) -> Tensor:
    """``input + weight * (end - input)``."""
def less(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is less."""
def less_equal(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is less or equal."""
def lgamma(input: Tensor) -> Tensor:
    """Logarithm of the size of the gamma function at each element; inf at 0 and at negative integers."""
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``."""
def linspace(
    start: _Number,
    end: _Number,
    steps: builtins.int,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``steps`` numbers at equal distances from ``start`` to ``end``, both included."""
def log(input: Tensor) -> Tensor:
    """Natural logarithm of each element; -inf of 0, NaN of negative numbers."""
def log10(input: Tensor) -> Tensor:
    """Logarithm to the base 10 of each element."""
def log1p(input: Tensor) -> Tensor:
    """``log(1 + x)`` of each element, without the loss of digits near 0."""
def log2(input: Tensor) -> Tensor:
    """Logarithm to the base 2 of each element."""
def log_softmax(input: Tensor, dim: builtins.int, dtype: _dtypes.dtype | None = None) -> Tensor:
    """``x - log(sum(exp(x)))`` along a dimension: the logarithm of softmax, also where that is 0."""
def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """``log(exp(x) + exp(y))`` of each pair, without overflow."""
def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """``log2(2**x + 2**y)`` of each pair, without overflow."""
def logcumsumexp(input: Tensor, dim: builtins.int) -> Tensor:
    """Logarithm of the running sum of exponentials along a dimension, without overflow."""
def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both elements of each pair are not zero."""
def logical_not(input: Tensor) -> Tensor:
    """Whether each element is zero."""
def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether one element of each pair is not zero."""
def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one element of each pair is not zero."""
def logit(input: Tensor, eps: builtins.float | None = None) -> Tensor:
    """``log(x / (1 - x))``, the inverse of sigmoid; with ``eps`` of x moved into ``[eps, 1 - eps]``."""
def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))`` as ``min(x, 0) - log(1 + exp(-abs(x)))``, which neither overflows nor cancels."""
def logspace(
    start: builtins.float,
    end: builtins.float,
    steps: builtins.int,
    base: builtins.float = 10.0,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """``steps`` numbers from ``base**start`` to ``base**end``, evenly spaced on a logarithmic scale."""
def logsumexp(input: Tensor, dim: _Dims, keepdim: builtins.bool = False) -> Tensor:
    """Logarithm of the sum of exponentials over dimensions, without overflow; -inf of nothing."""
def lt(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the left element of each pair is less."""
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: _Number = 0.0,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``max(0, -y (x1 - x2) + margin)``: y = 1 asks for x1 above x2, y = -1 for the reverse; reduced."""
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | _Number) -> Tensor:
    """A value where the mask holds, else the element."""
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The elements of ``source`` in order, where the mask holds; elsewhere the element."""
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in one dimension."""
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product of the last two dimensions, batches broadcast; vectors count as a row or a column."""
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of each square matrix, by scaling, a Taylor polynomial, and squaring."""
def matrix_power(input: Tensor, n: builtins.int) -> Tensor:
    """The product of ``n`` copies of a square matrix, by repeated squaring; ``n`` must not be negative."""
def max(input: Tensor, dim: _Any = None, keepdim: builtins.bool = False, *, other: _Any = None) -> _Any:
    """Largest element; along ``dim`` values and positions; with another tensor the larger of each pair."""
def max_pool1d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> Tensor:
    """The largest element of each window of signals (N, C, L) or (C, L)."""
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> _ValuesIndices:
    """The largest element of each window of signals, and its position."""
def max_pool2d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> Tensor:
    """The largest element of each window of images (N, C, H, W) or (C, H, W); NaN where a window has one."""
def max_pool2d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> builtins.tuple[Tensor, Tensor]:
    """The largest element of each window, and its position in the image."""
def max_pool3d(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> Tensor:
    """The largest element of each window of volumes (N, C, D, H, W) or (C, D, H, W); NaN where a window has one."""
def max_pool3d_with_indices(
    input: Tensor,
    kernel_size: _Size,
    stride: _Size | None = None,
    padding: _Size = 0,
    dilation: _Size = 1,
    ceil_mode: builtins.bool = False,
) -> builtins.tuple[Tensor, Tensor]:
    """The largest element of each window, and its position in the volume: of equal ones the first."""
def maximum(input: Tensor, other: Tensor | _Number) -> Tensor:
    """The larger of each pair, NaN if one of them is; equal values share the gradient by halves."""
def mean(
    input: Tensor,
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _dtypes.dtype | None = None,
) -> Tensor:
    """Mean over dimensions (all by default) of a floating tensor; NaN of nothing."""
def median(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _Any:
    """The lower of the two middle values, of all elements or along a dimension with its position."""
def meshgrid(*tensors: _Any, indexing: builtins.str | None = None) -> builtins.tuple[Tensor, ...]:
    """Vectors expanded to a grid, one tensor per coordinate; ``indexing`` is "ij" (the default) or "xy"."""
def min(input: Tensor, dim: _Any = None, keepdim: builtins.bool = False, *, other: _Any = None) -> _Any:
    """Smallest element; along ``dim`` values and positions; with another tensor the smaller of each pair."""
def minimum(input: Tensor, other: Tensor | _Number) -> Tensor:
    """The smaller of each pair, NaN if one of them is; equal values share the gradient by halves."""
def mish(input: Tensor) -> Tensor:
    """``x * tanh(softplus(x))`` (arXiv:1908.08681)."""
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices."""
def mode(input: Tensor, dim: builtins.int = -1, keepdim: builtins.bool = False) -> _ValuesIndices:
    """The most frequent value along a dimension, the smallest of several, with the last position that it has."""
def moveaxis(
    input: Tensor,
    source: builtins.int | _Sequence[builtins.int],
    destination: builtins.int | _Sequence[builtins.int],
) -> Tensor:
    """Dimensions moved to other places, the rest in their order."""
def movedim(
    input: Tensor,
    source: builtins.int | _Sequence[builtins.int],
    destination: builtins.int | _Sequence[builtins.int],
) -> Tensor:
    """Dimensions moved to other places, the rest in their order."""
def mse_loss(input: Tensor, target: Tensor, reduction: builtins.str = 'mean') -> Tensor:
    """Squared differences ``(x - y)**2``: their mean, their sum, or each of them."""
def msort(input: Tensor) -> Tensor:
    """The values of the first dimension in order."""
def mul(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Product of each pair of elements; logical and for bools."""
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: builtins.int = 1,
    margin: _Number = 1.0,
    weight: Tensor | None = None,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """The sum of ``w[y] max(0, margin - x[y] + x[i])**p`` over i != y, by the number of classes; reduced."""
def multilabel_margin_loss(input: Tensor, target: Tensor, reduction: builtins.str = 'mean') -> Tensor:
    """The sum of ``max(0, 1 - x[y] + x[i])`` over labels y and classes i that are none, by their number; reduced."""
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """The mean over the classes of ``-(y log(sigmoid(x)) + (1 - y) log(sigmoid(-x)))``; reduced."""
def multinomial(
    input: Tensor,
    num_samples: builtins.int,
    replacement: builtins.bool = False,
    *,
    generator: _Generator | None = None,
) -> Tensor:
    """Positions drawn with the (unnormalised) probabilities of each row, with or without replacement."""
def multiply(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Product of each pair of elements; logical and for bools."""
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector."""
def nan_to_num(
    input: Tensor,
    nan: builtins.float | None = None,
    posinf: builtins.float | None = None,
    neginf: builtins.float | None = None,
) -> Tensor:
    """Numbers for NaN (0) and for the infinities (the largest and the smallest number of the type)."""
def nanmean(
    input: Tensor,
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _Dtype2 | None = None,
) -> Tensor:
    """Mean over dimensions of the elements that are not NaN."""
def nanmedian(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> _Any:
    """As ``median``, of the elements that are not NaN."""
def nanquantile(
    input: Tensor,
    q: Tensor | _Number,
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    interpolation: builtins.str = 'linear',
) -> Tensor:
    """The :func:`quantile` of the elements that are no nan."""
def nansum(
    input: Tensor,
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _Dtype2 | None = None,
) -> Tensor:
    """Sum over dimensions in which NaN counts as 0."""
def narrow(input: Tensor, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
    """``length`` positions of a dimension from ``start`` on, sharing storage."""
def ne(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the elements of each pair differ."""
def neg(input: Tensor) -> Tensor:
    """Each element with the other sign."""
def negative(input: Tensor) -> Tensor:
    """Each element with the other sign."""
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: builtins.int = -100,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """Minus the log-probability of the target class, times its weight; reduced."""
def nonzero(input: Tensor, *, as_tuple: builtins.bool = False) -> _Any:
    """The positions of the elements that are not zero, one row each; as a tuple of vectors per dimension on request."""
def norm(
    input: Tensor,
    p: _Any = 'fro',
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _dtypes.dtype | None = None,
) -> Tensor:
    """The ``p``-norm over dimensions, ``sum(|x|^p)^(1/p)``: by default of all elements with p = 2."""
def normal(
    mean: _Any,
    std: _Any = 1.0,
    size: _Any = None,
    *,
    generator: _Generator | None = None,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
) -> Tensor:
    """Normal numbers with a mean and a standard deviation, each a number or a tensor."""
def normalize(
    input: Tensor,
    p: builtins.float = 2.0,
    dim: builtins.int = 1,
    eps: builtins.float = 1e-12,
) -> Tensor:
    """Each vector along a dimension divided by its p-norm, or by ``eps`` where the norm is less."""
def not_equal(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Whether the elements of each pair differ."""
def numel(input: Tensor) -> builtins.int:
    """Return the number of elements of a tensor."""
def one_hot(input: Tensor, num_classes: builtins.int = -1) -> Tensor:
    """For each class index a row of zeros with a one at that place, as int64."""
def ones(
    *size: _Any,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor of ones: ``ones(2, 3)`` or ``ones((2, 3))``."""
def ones_like(
    input: Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make ones with the shape, dtype and device of a tensor."""
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The product of every element of one vector with every element of another."""
def pad(
    input: Tensor,
    pad: _Sequence[builtins.int],
    mode: builtins.str = 'constant',
    value: _Number | None = None,
) -> Tensor:
    """The tensor with its last dimensions made longer: ``(left, right)`` of the last one, and so on."""
def pairwise_distance(
    x1: Tensor,
    x2: Tensor,
    p: _Number = 2.0,
    eps: builtins.float = 1e-06,
    keepdim: builtins.bool = False,
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dimension."""
def pdist(input: Tensor, p: builtins.float = 2.0) -> Tensor:
    """The p-norm distance of every two rows, in the order of the upper triangle."""
def permute(input: Tensor, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
    """The dimensions in another order, sharing storage."""
def pixel_shuffle(input: Tensor, upscale_factor: builtins.int) -> Tensor:
    """(..., C, H r, W r) for (..., C r^2, H, W): each group of r^2 channels becomes a square of pixels."""
def pixel_unshuffle(input: Tensor, downscale_factor: builtins.int) -> Tensor:
    """(..., C r^2, H, W) for (..., C, H r, W r): each square of pixels becomes r^2 channels."""
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: builtins.bool = True,
    full: builtins.bool = False,
    eps: builtins.float = 1e-08,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``exp(x) - y x``, or without ``log_input`` ``x - y log(x + eps)``; reduced."""
def polygamma(n: builtins.int, input: Tensor) -> Tensor:
    """The ``n``-th derivative of ``digamma`` at each element."""
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
def pow(input: Tensor | _Number, exponent: Tensor | _Number) -> Tensor:
    """Power of each element. Squares and cubes are products; all else is one correctly bounded power."""
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Each element where it is positive, ``weight`` times it elsewhere (arXiv:1502.01852)."""
def prod(
    input: Tensor,
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _Dtype2 | None = None,
) -> Tensor:
    """Product over dimensions (all by default); integers and bools multiply in int64, an empty product is 1."""
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
    """A copy of the tensor with elements put at positions of the flat tensor, or added there."""
def quantile(
    input: Tensor,
    q: Tensor | _Number,
    dim: builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    interpolation: builtins.str = 'linear',
) -> Tensor:
    """The value below which a fraction ``q`` of the elements lies, along a dimension or of all; nan if one is nan."""
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
def rand(
    *size: _Any,
    generator: _Generator | None = None,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Uniform numbers of [0, 1): multiples of 2^-24 in float32 and of 2^-53 in float64."""
def rand_like(
    input: Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Uniform numbers with the shape, dtype and device of a tensor."""
def randint(
    low: builtins.int,
    high: _Any = None,
    size: _Any = None,
    *,
    generator: _Generator | None = None,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Integers of ``[low, high)``: ``randint(10, (3,))`` or ``randint(3, 10, (3,))``."""
def randint_like(
    input: Tensor,
    low: builtins.int,
    high: builtins.int | None = None,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Integers with the shape, dtype and device of a tensor."""
def randn(
    *size: _Any,
    generator: _Generator | None = None,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Standard normal numbers (inverse distribution function after Wichura, AS 241, 1988)."""
def randn_like(
    input: Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Standard normal numbers with the shape, dtype and device of a tensor."""
def randperm(
    n: builtins.int,
    *,
    generator: _Generator | None = None,
    dtype: _dtypes.dtype | None = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """A random permutation of 0 to n - 1: the order of n 64-bit words."""
def range(
    start: builtins.float = 0,
    end: builtins.float = 0,
    step: builtins.float = 1,
    *,
    dtype: _Any = None,
    device: _Any = None,
) -> Tensor:
    """Numbers from ``start`` to ``end`` with both ends: PyTorch's older form of :func:`arange`."""
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension."""
def real(input: Tensor) -> Tensor:
    """The real part, which is the tensor itself."""
def reciprocal(input: Tensor) -> Tensor:
    """1 divided by each element."""
def relu(input: Tensor) -> Tensor:
    """The larger of each element and 0, NaN for NaN; the gradient at 0 is 0."""
def relu6(input: Tensor) -> Tensor:
    """Each element limited to [0, 6]; the gradient at both edges is 0."""
def remainder(input: Tensor, other: Tensor | _Number) -> Tensor:
    """Remainder with the sign of the divisor: ``remainder(-7, 3)`` is 2."""
def renorm(input: Tensor, p: _Number, dim: builtins.int, maxnorm: _Number) -> Tensor:
    """Each slice along a dimension scaled down so that its p-norm is at most ``maxnorm``."""
def repeat(input: Tensor, *repeats: builtins.int | _Sequence[builtins.int]) -> Tensor:
    """A copy of the tensor so many times along each dimension; more numbers than dimensions make new ones."""
def repeat_interleave(
    input: Tensor,
    repeats: _Any = None,
    dim: builtins.int | None = None,
    *,
    output_size: builtins.int | None = None,
) -> Tensor:
    """Every slice of a dimension so many times in a row; without ``dim`` of the flat tensor."""
def reshape(input: Tensor, *shape: _Any) -> Tensor:
    """The same elements in another shape: a view where the strides allow it, else a copy."""
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The same elements in the shape of another tensor."""
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: no conjugation is put off."""
def resolve_neg(input: Tensor) -> Tensor:
    """The tensor itself: no negation is put off."""
def result_type(tensor1: Tensor | _Number, tensor2: Tensor | _Number) -> _dtypes.dtype:
    """Return the dtype that an op of both would give: a number, or a 0-d tensor, counts by its category alone."""
def rms_norm(
    input: Tensor,
    normalized_shape: _Sequence[builtins.int],
    weight: Tensor | None = None,
    eps: builtins.float | None = None,
) -> Tensor:
    """``x / sqrt(mean(x**2) + eps) * weight`` over the last dimensions (arXiv:1910.07467)."""
def roll(input: Tensor, shifts: _Dims2, dims: _Dims2 | None = None) -> Tensor:
    """A copy whose elements moved along dimensions, round the end; without ``dims`` in the flat tensor."""
def rot90(input: Tensor, k: builtins.int = 1, dims: _Sequence[builtins.int] = ...) -> Tensor:
    """A copy turned by 90 degrees ``k`` times, from the first towards the second of two dimensions."""
def round(input: Tensor, *, decimals: builtins.int = 0) -> Tensor:
    """The nearest integer to each element, halves to even; ``decimals`` keeps digits after the point."""
def row_stack(tensors: _Sequence[Tensor]) -> Tensor:
    """Another name of ``vstack``."""
def rsqrt(input: Tensor) -> Tensor:
    """``1 / sqrt(x)`` of each element; inf of 0."""
def rsub(input: Tensor, other: _Any, *, alpha: _Any = 1) -> Tensor:
    """``other - alpha * input``."""
def scalar_tensor(
    s: builtins.float,
    *,
    dtype: _Any = None,
    device: _Any = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """A 0-d tensor of a number, of the default dtype unless told otherwise."""
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: builtins.float = 0.0,
    is_causal: builtins.bool = False,
    scale: builtins.float | None = None,
    enable_gqa: builtins.bool = False,
) -> Tensor:
    """``softmax(q k^T * scale + mask) v``, with dropout of the weights."""
def scatter(
    input: Tensor,
    dim: builtins.int,
    index: Tensor,
    src: _Any = None,
    *,
    value: _Any = None,
    reduce: builtins.str | None = None,
) -> Tensor:
    """``input`` with elements of ``src`` (or one value) put at the positions of ``index`` along a dimension."""
def scatter_add(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
    """``input`` with elements of ``src`` added at the positions of ``index``; repeated positions accumulate."""
def scatter_reduce(
    input: Tensor,
    dim: builtins.int,
    index: Tensor,
    src: Tensor,
    reduce: builtins.str,
    *,
    include_self: builtins.bool = True,
) -> Tensor:
    """Each position's element together with all elements of ``src`` that ``index`` sends there, reduced."""
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | _Number,
    *,
    out_int32: builtins.bool = False,
    right: builtins.bool = False,
    side: builtins.str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """The position at which each element would go into a sorted row: before its equals, or after (``right``)."""
def select(input: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
    """The slice at one position of a dimension, sharing storage."""
def select_scatter(input: Tensor, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
    """A copy of the tensor with another slice at one position of a dimension."""
def selu(input: Tensor) -> Tensor:
    """``scale * elu(x, alpha)`` with the two constants that keep mean 0 and variance 1 (arXiv:1706.02515)."""
def sgn(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of each element, as ``sign``."""
def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))`` of each element, with all its digits in both tails."""
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1 by the sign of each element; 0 for NaN and for both zeros. Its gradient is 0."""
def signbit(input: Tensor) -> Tensor:
    """Whether each element has a minus, also -0. and not NaN."""
def silu(input: Tensor) -> Tensor:
    """``x * sigmoid(x)``, also known as swish (arXiv:1606.08415)."""
def sin(input: Tensor) -> Tensor:
    """Sine of each element, in radians."""
def sinc(input: Tensor) -> Tensor:
    """``sin(pi x) / (pi x)``, which is 1 at 0."""
def sinh(input: Tensor) -> Tensor:
    """Hyperbolic sine of each element."""
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: builtins.int = 0,
    start: builtins.int | None = None,
    end: builtins.int | None = None,
    step: builtins.int = 1,
) -> Tensor:
    """A copy of the tensor with other slices from ``start`` to ``end`` of a dimension."""
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    reduction: builtins.str = 'mean',
    beta: builtins.float = 1.0,
) -> Tensor:
    """``(x - y)**2 / (2 beta)`` where ``abs(x - y) < beta``, ``abs(x - y) - beta / 2`` elsewhere."""
def soft_margin_loss(input: Tensor, target: Tensor, reduction: builtins.str = 'mean') -> Tensor:
    """``log(1 + exp(-y x))`` without overflow; reduced."""
def softmax(input: Tensor, dim: builtins.int, dtype: _dtypes.dtype | None = None) -> Tensor:
    """``exp(x) / sum(exp(x))`` along a dimension; NaN where the largest element is infinite or NaN."""
def softmin(input: Tensor, dim: builtins.int, dtype: _dtypes.dtype | None = None) -> Tensor:
    """``softmax(-x)`` along a dimension."""
def softplus(input: Tensor, beta: builtins.float = 1.0, threshold: builtins.float = 20.0) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x`` is above the threshold."""
def softshrink(input: Tensor, lambd: builtins.float = 0.5) -> Tensor:
    """Each element moved towards 0 by ``lambd``, and 0 where it would pass it."""
def softsign(input: Tensor) -> Tensor:
    """``x / (1 + abs(x))``."""
def sort(
    input: Tensor,
    dim: builtins.int = -1,
    descending: builtins.bool = False,
    *,
    stable: builtins.bool = False,
) -> _ValuesIndices:
    """A dimension in order, and the positions the elements had; NaN is the largest, ties keep their order."""
def split(
    tensor: Tensor,
    split_size_or_sections: builtins.int | _Sequence[builtins.int],
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """Views of pieces along a dimension, of one length (the last may be shorter) or of the lengths given."""
def sqrt(input: Tensor) -> Tensor:
    """Square root of each element; its gradient at 0 is infinite."""
def square(input: Tensor) -> Tensor:
    """Square of each element."""
def squeeze(input: Tensor, dim: builtins.int | _Sequence[builtins.int] | None = None) -> Tensor:
    """Without the dimensions of size 1: all of them, or those named (others stay)."""
def stack(tensors: _Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Tensors of one shape side by side along a new dimension."""
def std(
    input: Tensor,
    dim: _Any = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: _Number | None = None,
) -> Tensor:
    """Standard deviation over dimensions, the root of ``var``; where it is 0, so is the gradient."""
def std_mean(
    input: Tensor,
    dim: _Any = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: _Number | None = None,
) -> builtins.tuple[Tensor, Tensor]:
    """Standard deviation and mean over dimensions."""
def sub(input: Tensor, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
    """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
def subtract(input: Tensor, other: Tensor | _Number, *, alpha: _Number = 1) -> Tensor:
    """Difference of each pair of elements, ``input - alpha * other``; not for bools."""
def sum(
    input: Tensor,
    dim: _Dims = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _dtypes.dtype | None = None,
) -> Tensor:
    """Sum over dimensions (all by default); integers and bools add up in int64, an empty sum is 0."""
def sum_to_size(input: Tensor, *size: _Any) -> Tensor:
    """Summed over the dimensions that broadcasting had added or stretched, down to a shape."""
def swapaxes(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    """Two dimensions exchanged, sharing storage."""
def swapdims(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    """Two dimensions exchanged, sharing storage."""
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; tensors of fewer dimensions as they are."""
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flat tensor at positions, in the shape of ``index``; -1 is the last."""
def take_along_dim(input: Tensor, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
    """The elements at positions along a dimension, shapes broadcast; of the flat tensor without ``dim``."""
def tan(input: Tensor) -> Tensor:
    """Tangent of each element, in radians."""
def tanh(input: Tensor) -> Tensor:
    """Hyperbolic tangent of each element."""
def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
def tensor(
    data: _Any,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor of numbers, nested lists, a NumPy array or a tensor; always a copy."""
def tensor_split(
    input: Tensor,
    indices_or_sections: _Any,
    dim: builtins.int = 0,
) -> builtins.tuple[Tensor, ...]:
    """Views of pieces along a dimension: so many of nearly one length, or cut at the positions given."""
def tensordot(a: Tensor, b: Tensor, dims: _Any = 2) -> Tensor:
    """Sums of products over dimensions of both: the last of ``a`` and first of ``b``, or two lists."""
def threshold(input: Tensor, threshold: _Number, value: _Number) -> Tensor:
    """Each element where it is above the threshold (or NaN), ``value`` elsewhere."""
def tile(input: Tensor, *dims: builtins.int | _Sequence[builtins.int]) -> Tensor:
    """As ``repeat``, but fewer numbers than dimensions count for the last ones."""
def topk(
    input: Tensor,
    k: builtins.int,
    dim: builtins.int = -1,
    largest: builtins.bool = True,
    sorted: builtins.bool = True,
) -> _ValuesIndices:
    """The ``k`` largest (or smallest) elements of a dimension in order, and their positions."""
def trace(input: Tensor) -> Tensor:
    """Sum of the main diagonal of a matrix."""
def transpose(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    """Two dimensions exchanged, sharing storage."""
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: _Number = 1, dim: builtins.int = -1) -> Tensor:
    """The integral of samples by the trapezoidal rule along a dimension, at places ``x`` or with steps ``dx``."""
def trapz(y: Tensor, x: Tensor | None = None, *, dx: _Number = 1, dim: builtins.int = -1) -> Tensor:
    """The :func:`trapezoid` under its older name."""
def tril(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """Matrices with zeros above a diagonal."""
def tril_indices(
    row: builtins.int,
    col: builtins.int,
    offset: builtins.int = 0,
    *,
    dtype: _dtypes.dtype = ...,
    device: _Place2 = None,
) -> Tensor:
    """Rows and columns of the elements on and below a diagonal, row by row, as a matrix of two rows."""
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: _Number = 1.0,
    p: _Number = 2.0,
    eps: builtins.float = 1e-06,
    swap: builtins.bool = False,
    reduction: builtins.str = 'mean',
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))`` with :func:`pairwise_distance`; reduced."""
def triu(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """Matrices with zeros below a diagonal."""
def triu_indices(
    row: builtins.int,
    col: builtins.int,
    offset: builtins.int = 0,
    *,
    dtype: _dtypes.dtype = ...,
    device: _Place2 = None,
) -> Tensor:
    """Rows and columns of the elements on and above a diagonal, row by row, as a matrix of two rows."""
def true_divide(
    input: Tensor,
    other: Tensor | _Number,
    *,
    rounding_mode: builtins.str | None = None,
) -> Tensor:
    """Quotient of each pair of elements, always floating; with ``rounding_mode`` "trunc" or "floor" rounded so."""
def trunc(input: Tensor) -> Tensor:
    """Each element without its fraction."""
def typename(obj: _Any) -> builtins.str:
    """Return the name of an object's type; of a tensor one that tells its dtype."""
def unbind(input: Tensor, dim: builtins.int = 0) -> builtins.tuple[Tensor, ...]:
    """Views of the slices at every position of a dimension."""
def unflatten(input: Tensor, dim: builtins.int, sizes: _Sequence[builtins.int]) -> Tensor:
    """One dimension divided into several."""
def unique(
    input: Tensor,
    sorted: builtins.bool = True,
    return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False,
    dim: builtins.int | None = None,
) -> _Any:
    """The different elements (or slices of ``dim``) in order; on request the place of each and their numbers."""
def unique_consecutive(
    input: Tensor,
    return_inverse: builtins.bool = False,
    return_counts: builtins.bool = False,
    dim: builtins.int | None = None,
) -> _Any:
    """The first of each run of equal elements (or slices of ``dim``); on request runs of each and lengths."""
def unravel_index(
    indices: Tensor,
    shape: builtins.int | _Sequence[builtins.int],
) -> builtins.tuple[Tensor, ...]:
    """The coordinates in a shape of positions in its flat order, a tensor per dimension."""
def unsqueeze(input: Tensor, dim: builtins.int) -> Tensor:
    """With a dimension of size 1 at ``dim``."""
def vander(x: Tensor, N: builtins.int | None = None, increasing: builtins.bool = False) -> Tensor:
    """The powers of each element as the columns of a matrix, the highest first unless ``increasing``."""
def var(
    input: Tensor,
    dim: _Any = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: _Number | None = None,
) -> Tensor:
    """Variance over dimensions: the squares of distances from the mean, divided by n - ``correction``."""
def var_mean(
    input: Tensor,
    dim: _Any = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: _Number | None = None,
) -> builtins.tuple[Tensor, Tensor]:
    """Variance and mean over dimensions."""
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Sum of the products of two vectors."""
def view(input: Tensor, *shape: _Any) -> Tensor:
    """The same storage in another shape (one size may be -1), or the same values in another dtype."""
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """The same storage in the shape of another tensor."""
def vsplit(input: Tensor, indices_or_sections: _Any) -> builtins.tuple[Tensor, ...]:
    """Views of pieces along dimension 0, as ``tensor_split``, of one length."""
def vstack(tensors: _Sequence[Tensor]) -> Tensor:
    """The tensors under one another; vectors count as rows."""
def where(condition: Tensor, input: _Any = None, other: _Any = None) -> _Any:
    """``input`` where the condition holds, else ``other``; with the condition alone, the positions where it holds."""
def xlogy(input: Tensor | _Number, other: Tensor | _Number) -> Tensor:
    """``x * log(y)`` of each pair, 0 where x is 0 unless y is NaN."""
def zeros(
    *size: _Any,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make a tensor of zeros: ``zeros(2, 3)`` or ``zeros((2, 3))``."""
def zeros_like(
    input: Tensor,
    *,
    dtype: _dtypes.dtype | None = None,
    device: _Place = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Make zeros with the shape, dtype and device of a tensor."""
