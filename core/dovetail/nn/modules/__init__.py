"""The layers under the paths that PyTorch's files give them, such as ``nn.modules.batchnorm._BatchNorm``."""

from __future__ import annotations

import dovetail.nn as _nn
from dovetail.nn.modules import batchnorm as batchnorm
from dovetail.nn.modules import container as container
from dovetail.nn.modules import conv as conv
from dovetail.nn.modules import instancenorm as instancenorm
from dovetail.nn.modules import loss as loss
from dovetail.nn.modules import module as module
from dovetail.nn.modules import utils as utils


def __getattr__(name: str) -> object:
    if isinstance(getattr(_nn, name, None), type):
        return getattr(_nn, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
