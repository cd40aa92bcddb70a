"""Everything that a backend's author may import: the contract, and the ops that kernels are made for."""

from __future__ import annotations

from dovetail import dtypes as dtypes
from dovetail.backend.array_api import ArrayAPIBackend as ArrayAPIBackend
from dovetail.backend.catalogue import ops as ops
from dovetail.backend.counters import Counts as Counts
from dovetail.backend.counters import Moved as Moved
from dovetail.backend.counters import counters as counters
from dovetail.backend.transfer import transfer as transfer
from dovetail.contract.backend import CONTRACT_VERSION as CONTRACT_VERSION
from dovetail.contract.backend import Backend as Backend
from dovetail.contract.backend import BackendSpec as BackendSpec
from dovetail.contract.cuda import cuda_driver as cuda_driver
from dovetail.contract.device import Device as Device
from dovetail.contract.discovery import register as register
from dovetail.contract.discovery import register_plugin as register_plugin
from dovetail.contract.discovery import unregister as unregister
from dovetail.contract.discovery import unregister_plugin as unregister_plugin
from dovetail.contract.hookspecs import hookimpl as hookimpl
from dovetail.contract.kernels import Array as Array
from dovetail.contract.kernels import Call as Call
from dovetail.contract.kernels import Kernel as Kernel
from dovetail.contract.kernels import KernelTable as KernelTable
from dovetail.contract.program import Literal as Literal
from dovetail.contract.program import ProgramView as ProgramView
from dovetail.random import streams as streams
from dovetail.tensor.spec import Spec as Spec
