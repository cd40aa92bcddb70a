"""DataParallel: accepted, with the state dict that it gives a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dovetail.nn.module import Module


class DataParallel(Module):
    """A model under the name ``module``, as PyTorch wraps it to spread batches over devices.

    Here the whole batch goes to the model on the device where it is. What matters to checkpoints is the same: their
    keys begin with "module.", and ``model.module`` is the model.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids = list(device_ids or [])
        self.output_device = output_device
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return what the model makes of the inputs."""
        return self.module(*inputs, **kwargs)
