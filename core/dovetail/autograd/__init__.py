"""Automatic differentiation: a dynamic tape, gradients of any order.

Dispatch records calls with what lies in ``dovetail.dispatch``; what users call lies here.
"""

from __future__ import annotations

from dovetail.autograd import functional as functional
from dovetail.autograd.anomaly import detect_anomaly as detect_anomaly
from dovetail.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from dovetail.autograd.backward import backward as backward
from dovetail.autograd.backward import grad as grad
from dovetail.autograd.function import Function as Function
from dovetail.autograd.function import once_differentiable as once_differentiable
from dovetail.autograd.gradcheck import GradcheckError as GradcheckError
from dovetail.autograd.gradcheck import gradcheck as gradcheck
from dovetail.autograd.gradcheck import gradgradcheck as gradgradcheck
from dovetail.autograd.mode import enable_grad as enable_grad
from dovetail.autograd.mode import inference_mode as inference_mode
from dovetail.autograd.mode import no_grad as no_grad
from dovetail.autograd.mode import set_grad_enabled as set_grad_enabled
from dovetail.autograd.variable import Variable as Variable
