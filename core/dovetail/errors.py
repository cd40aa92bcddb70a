"""Every exception that dovetail raises: what and where, expected against actual, the corrected call.

Each class is a :class:`DovetailError` and also of the type that PyTorch raises for the same mistake, so that an
``except RuntimeError`` written for PyTorch goes on working.
"""

from __future__ import annotations


class DovetailError(Exception):
    """Base of every error that dovetail itself raises."""


class ShapeError(DovetailError, RuntimeError):
    """Operands whose shapes do not fit each other or the op."""


class DtypeError(DovetailError, RuntimeError):
    """An element type that the op does not accept."""


class DtypeTypeError(DtypeError, TypeError):
    """An element type where PyTorch answers with a TypeError."""


class DeviceError(DovetailError, RuntimeError):
    """Operands on different devices, or a device that cannot be used."""


class BackendError(DovetailError, RuntimeError):
    """A backend that is unknown, not usable, or breaks the contract."""


class ContractVersionError(BackendError):
    """A plugin that was written for another version of the backend contract."""


class UnsupportedError(DovetailError, NotImplementedError, RuntimeError):
    """An op, dtype or mode that a backend does not offer."""


class AutogradError(DovetailError, RuntimeError):
    """A graph that cannot be differentiated as asked."""


class InPlaceError(AutogradError):
    """A write that the graph does not allow."""


class IndexOutOfRange(DovetailError, IndexError):
    """An index outside the dimension that it points into."""


class DimensionError(DovetailError, IndexError):
    """A dimension that the tensor does not have."""


class EmptyReduction(DimensionError, RuntimeError):
    """An extreme of nothing: PyTorch raises one type for all dimensions and the other for one."""


class IntegerDivisionByZero(DovetailError, ZeroDivisionError, RuntimeError):
    """An integer division or remainder whose divisor is zero."""


class ArgumentError(DovetailError, ValueError):
    """An argument of the right type whose value is not allowed."""


class ArgumentRuntimeError(DovetailError, RuntimeError):
    """An argument whose value is not allowed, where PyTorch answers with a RuntimeError."""


class EmptyListError(ArgumentError, RuntimeError):
    """No tensor where at least one is needed: PyTorch raises either type, depending on the op."""


class ArgumentTypeError(DovetailError, TypeError):
    """An argument of the wrong type, or one that the call does not know."""


class CaptureError(DovetailError, RuntimeError):
    """Something that a captured program cannot contain."""


class OutOfMemory(DovetailError, MemoryError, RuntimeError):
    """A device without room for the array that was asked for."""


class HostFallbackError(DovetailError, RuntimeError):
    """An op that would have run on the host while the settings forbid it."""


class DlpackError(DovetailError, BufferError):
    """An array that cannot be exchanged with another library as asked."""


class SavedFileError(DovetailError, RuntimeError):
    """A file that cannot be read as what it claims to be."""


class MissingLibraryError(DovetailError, ImportError):
    """An optional library is not installed; the message has the line that installs it."""


class HostFallbackWarning(UserWarning):
    """An op of a device ran on the host because its backend has neither kernel nor decomposition."""


class PluginWarning(UserWarning):
    """A plugin that could not be loaded; the rest goes on without it."""


class ContractDeprecationWarning(FutureWarning):
    """A backend was written for the version of the contract before the present one, and works through a shim."""


class DeviceSubstitutionWarning(UserWarning):
    """A short device name was resolved to a backend other than the one that is set."""
