"""Schedules of the learning rate, called after the optimizer: ``scheduler.step()`` once per epoch, or per batch.

All arithmetic is done in Python numbers in the order of operations that PyTorch has, so that rates are equal to the
last bit. A rate that is a tensor is written in place.
"""

from __future__ import annotations

from dovetail.optim.lr_scheduler.base import LRScheduler as LRScheduler
from dovetail.optim.lr_scheduler.composed import ChainedScheduler as ChainedScheduler
from dovetail.optim.lr_scheduler.composed import SequentialLR as SequentialLR
from dovetail.optim.lr_scheduler.cosine import CosineAnnealingLR as CosineAnnealingLR
from dovetail.optim.lr_scheduler.cosine import CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts
from dovetail.optim.lr_scheduler.cyclic import CyclicLR as CyclicLR
from dovetail.optim.lr_scheduler.factors import ConstantLR as ConstantLR
from dovetail.optim.lr_scheduler.factors import ExponentialLR as ExponentialLR
from dovetail.optim.lr_scheduler.factors import LinearLR as LinearLR
from dovetail.optim.lr_scheduler.factors import MultiStepLR as MultiStepLR
from dovetail.optim.lr_scheduler.factors import PolynomialLR as PolynomialLR
from dovetail.optim.lr_scheduler.factors import StepLR as StepLR
from dovetail.optim.lr_scheduler.lambdas import LambdaLR as LambdaLR
from dovetail.optim.lr_scheduler.lambdas import MultiplicativeLR as MultiplicativeLR
from dovetail.optim.lr_scheduler.one_cycle import OneCycleLR as OneCycleLR
from dovetail.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau

_LRScheduler = LRScheduler
"""The name that older code has for the base class."""
