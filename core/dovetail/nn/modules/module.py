"""``Module`` and the hooks of all modules."""

from __future__ import annotations

from dovetail.nn.global_hooks import register_module_backward_hook as register_module_backward_hook
from dovetail.nn.global_hooks import (
    register_module_buffer_registration_hook as register_module_buffer_registration_hook,
)
from dovetail.nn.global_hooks import register_module_forward_hook as register_module_forward_hook
from dovetail.nn.global_hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from dovetail.nn.global_hooks import register_module_full_backward_hook as register_module_full_backward_hook
from dovetail.nn.global_hooks import register_module_full_backward_pre_hook as register_module_full_backward_pre_hook
from dovetail.nn.global_hooks import (
    register_module_module_registration_hook as register_module_module_registration_hook,
)
from dovetail.nn.global_hooks import (
    register_module_parameter_registration_hook as register_module_parameter_registration_hook,
)
from dovetail.nn.loading import IncompatibleKeys as _IncompatibleKeys  # noqa: F401  # PyTorch's name for it
from dovetail.nn.module import Module as Module
