"""dovetail: PyTorch-shaped code on any array library.

``import dovetail as torch`` runs the tutorials; the backend (NumPy, JAX, CuPy, or one that somebody else has written)
is a setting. Functions of tensors come from the op records: ``dovetail.ops`` lists them, and the stub beside this
file has their signatures.
"""

from __future__ import annotations

import importlib
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING, Any

from dovetail import ops as ops
from dovetail.autograd.mode import enable_grad as enable_grad
from dovetail.autograd.mode import inference_mode as inference_mode
from dovetail.autograd.mode import is_grad_enabled as is_grad_enabled
from dovetail.autograd.mode import no_grad as no_grad
from dovetail.autograd.mode import set_grad_enabled as set_grad_enabled
from dovetail.contract import discovery as _discovery
from dovetail.contract.device import Device as device
from dovetail.contract.selection import get_backend as get_backend
from dovetail.contract.selection import get_default_device as get_default_device
from dovetail.contract.selection import set_backend as set_backend
from dovetail.contract.selection import set_default_device as set_default_device
from dovetail.contract.selection import use_backend as use_backend
from dovetail.dtypes import bfloat16 as bfloat16
from dovetail.dtypes import bool_ as bool
from dovetail.dtypes import can_cast as can_cast
from dovetail.dtypes import complex64 as complex64
from dovetail.dtypes import complex128 as complex128
from dovetail.dtypes import dtype as dtype
from dovetail.dtypes import float16 as float16
from dovetail.dtypes import float16 as half
from dovetail.dtypes import float32 as float
from dovetail.dtypes import float32 as float32
from dovetail.dtypes import float64 as double
from dovetail.dtypes import float64 as float64
from dovetail.dtypes import int8 as int8
from dovetail.dtypes import int16 as int16
from dovetail.dtypes import int16 as short
from dovetail.dtypes import int32 as int
from dovetail.dtypes import int32 as int32
from dovetail.dtypes import int64 as int64
from dovetail.dtypes import int64 as long
from dovetail.dtypes import promote_types as promote_types
from dovetail.dtypes import uint8 as uint8
from dovetail.dtypes import uint16 as uint16
from dovetail.dtypes import uint32 as uint32
from dovetail.dtypes import uint64 as uint64
from dovetail.program import composite as _composite
from dovetail.random.generator import Generator as Generator
from dovetail.random.generator import default_generator as default_generator
from dovetail.random.generator import get_rng_state as get_rng_state
from dovetail.random.generator import initial_seed as initial_seed
from dovetail.random.generator import manual_seed as manual_seed
from dovetail.random.generator import seed as seed
from dovetail.random.generator import set_rng_state as set_rng_state
from dovetail.record import registry as _registry
from dovetail.settings import get_default_dtype as get_default_dtype
from dovetail.settings import set_default_dtype as set_default_dtype
from dovetail.settings import set_host_fallback as set_host_fallback
from dovetail.tensor.spec import Size as Size
from dovetail.tensor.tensor import Tensor as Tensor

__version__ = "0.1.0"

newaxis = None
"""An index that adds a dimension."""

# What the operators' families define is there at once; `tensor` the function goes before `tensor` the package.
globals().update(_registry.imported_functions())

_LAZY = frozenset(
    {
        "accelerator", "amp", "autograd", "backend", "backends", "cuda", "func", "nn", "optim", "profiler", "random",
        "saving", "special", "utils",
    }
)  # fmt: skip
"""Parts that are imported when they are first named: a script that needs none of them does not wait for them."""

_AUTOCAST = (
    "is_autocast_enabled", "set_autocast_enabled",
    "get_autocast_dtype", "set_autocast_dtype",
    "is_autocast_cache_enabled", "set_autocast_cache_enabled",
    "clear_autocast_cache", "is_autocast_available",
    "is_autocast_cpu_enabled", "set_autocast_cpu_enabled",
    "get_autocast_cpu_dtype", "set_autocast_cpu_dtype",
    "get_autocast_gpu_dtype", "set_autocast_gpu_dtype",
)  # fmt: skip
"""Switches of autocast."""

_SWITCHES = (
    "set_num_threads", "get_num_threads", "set_num_interop_threads", "get_num_interop_threads",
    "use_deterministic_algorithms", "are_deterministic_algorithms_enabled",
    "set_float32_matmul_precision", "get_float32_matmul_precision",
)  # fmt: skip
"""Process-wide settings that PyTorch programs make."""

_TYPES = (
    "FloatTensor", "DoubleTensor", "HalfTensor", "BFloat16Tensor",
    "LongTensor", "IntTensor", "ShortTensor", "CharTensor", "ByteTensor", "BoolTensor",
)  # fmt: skip
"""Constructors of one dtype each."""

_FORMATS = (
    "memory_format", "contiguous_format", "channels_last", "channels_last_3d", "preserve_format",
    "layout", "strided",
)  # fmt: skip
"""Memory formats, which are accepted."""

_FROM = {
    "Function": "autograd.function",
    "autocast": "amp.block",
    "compile": "program.compiled",
    "load": "saving",
    "save": "saving",
    "finfo": "limits",
    "iinfo": "limits",
    "synchronize": "dispatch.synchronize",
    "set_printoptions": "printing",
    "summary": "nn.summary",
    **dict.fromkeys(_AUTOCAST, "amp.modes"),
    **dict.fromkeys(_SWITCHES, "switches"),
    **dict.fromkeys(_TYPES, "tensor_types"),
    **dict.fromkeys(_FORMATS, "memory_formats"),
}
"""Names of the top package that live in such parts."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _FROM:
        return getattr(importlib.import_module(f"{__name__}.{_FROM[name]}"), name)
    if not name.startswith("_"):
        if _registry.is_builtin(name):
            found = _registry.function(name)
            if found is not None:
                globals()[name] = found
                return found
        _discovery.discover()  # it may be an op that a plugin defines
        found = _registry.function(name)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    public = (name for name in _registry.names() if _registry.function(name) is not None)
    return sorted({*globals(), *_LAZY, *_FROM, *public})
