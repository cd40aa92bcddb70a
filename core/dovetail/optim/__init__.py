"""Optimizers, whose step is one op per parameter with live rates and counts; schedules; averages of weights."""

from __future__ import annotations

import importlib
from typing import Any

from dovetail.optim import lr_scheduler as lr_scheduler
from dovetail.optim.adadelta import Adadelta as Adadelta
from dovetail.optim.adafactor import Adafactor as Adafactor
from dovetail.optim.adagrad import Adagrad as Adagrad
from dovetail.optim.adam import Adam as Adam
from dovetail.optim.adamax import Adamax as Adamax
from dovetail.optim.adamw import AdamW as AdamW
from dovetail.optim.asgd import ASGD as ASGD
from dovetail.optim.lbfgs import LBFGS as LBFGS
from dovetail.optim.muon import Muon as Muon
from dovetail.optim.nadam import NAdam as NAdam
from dovetail.optim.optimizer import Optimizer as Optimizer
from dovetail.optim.radam import RAdam as RAdam
from dovetail.optim.rmsprop import RMSprop as RMSprop
from dovetail.optim.rprop import Rprop as Rprop
from dovetail.optim.sgd import SGD as SGD
from dovetail.optim.sparse_adam import SparseAdam as SparseAdam
from dovetail.optim.swapping import swap_in_optimizer_params_and_state as swap_in_optimizer_params_and_state


def __getattr__(name: str) -> Any:
    """Load the averages of models when they are asked for: they need modules, which an optimizer does not."""
    if name == "swa_utils":
        return importlib.import_module("dovetail.optim.swa_utils")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
