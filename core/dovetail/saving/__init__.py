"""Files: what dovetail writes and reads, and the weights of PyTorch's files."""

from __future__ import annotations

from dovetail.saving.checkpoint import load, save
from dovetail.saving.errors import RefusedGlobalError, SavedFileError, UnsavableError

__all__ = ["RefusedGlobalError", "SavedFileError", "UnsavableError", "load", "save"]
