"""What goes wrong with saved files, beside :class:`dovetail.errors.SavedFileError` for an unreadable one."""

from __future__ import annotations

import pickle

from dovetail.errors import DovetailError, SavedFileError


class UnsavableError(DovetailError, TypeError):
    """An object that the file format has no form for; the message has its path inside what is saved."""


class RefusedGlobalError(SavedFileError, pickle.UnpicklingError):
    """A PyTorch file that names functions or classes which are never called; the message has all of them."""


__all__ = ["RefusedGlobalError", "SavedFileError", "UnsavableError"]
