"""Containers."""

from __future__ import annotations

from dovetail.nn.containers import ModuleDict as ModuleDict
from dovetail.nn.containers import ModuleList as ModuleList
from dovetail.nn.containers import Sequential as Sequential
from dovetail.nn.parameter_containers import ParameterDict as ParameterDict
from dovetail.nn.parameter_containers import ParameterList as ParameterList
