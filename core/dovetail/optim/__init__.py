"""Optimizers: each step is one op per parameter, with the learning rate as a live input."""

from __future__ import annotations

from dovetail.optim.adam import Adam as Adam
from dovetail.optim.adam import AdamW as AdamW
from dovetail.optim.optimizer import Optimizer as Optimizer
from dovetail.optim.sgd import SGD as SGD
