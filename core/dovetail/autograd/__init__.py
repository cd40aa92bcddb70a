"""Automatic differentiation: a dynamic tape, gradients of any order."""

from __future__ import annotations

from dovetail.autograd.backward import backward as backward
from dovetail.autograd.backward import grad as grad
from dovetail.autograd.anomaly import detect_anomaly as detect_anomaly
from dovetail.autograd.anomaly import set_detect_anomaly as set_detect_anomaly
from dovetail.autograd.mode import enable_grad as enable_grad
from dovetail.autograd.mode import inference_mode as inference_mode
from dovetail.autograd.mode import no_grad as no_grad
from dovetail.autograd.mode import set_grad_enabled as set_grad_enabled
