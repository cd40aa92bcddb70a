"""Generators: a seed, a stream and a count of the blocks that were drawn. The numbers themselves are ops."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dovetail import dtypes
from dovetail.dispatch import state
from dovetail.errors import ArgumentError, ArgumentTypeError, CaptureError
from dovetail.tensor.spec import spec
from dovetail.tensor.tensor import Tensor, wrap

if TYPE_CHECKING:
    from dovetail.contract.device import Device

DEFAULT_SEED: Final = 67280421310721
"""The seed of a generator that nobody has seeded: PyTorch's, so that forgetting to seed is as reproducible."""

_WORD: Final = (1 << 64) - 1


def _signed(word: int) -> int:
    """The int64 with the bits of an unsigned 64-bit word."""
    word &= _WORD
    return word - (1 << 64) if word >> 63 else word


class Generator:
    """A position in the Philox4x64-10 stream of a seed; the same on every device.

    >>> import dovetail
    >>> g = dovetail.Generator().manual_seed(0)
    >>> a = dovetail.rand(2, generator=g)
    >>> bool((dovetail.rand(2, generator=g.manual_seed(0)) == a).all())
    True
    """

    def __init__(self, device: Any = None, *, stream: int = 0) -> None:
        self.device = device
        self._seed = DEFAULT_SEED
        self._stream = stream
        self._offset = 0
        self._lock = threading.Lock()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of a seed (any int of up to 64 bits, negative ones too) from its beginning."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise ArgumentTypeError(f"a seed is an int, got {seed!r}")
        number = seed.__index__()
        if not -(1 << 63) <= number < 1 << 64:
            raise ArgumentError(f"Overflow when unpacking long: a seed has at most 64 bits, got {number}")
        self._refuse_capture("manual_seed()")
        with self._lock:
            self._seed, self._offset = number & _WORD, 0
        return self

    def seed(self) -> int:
        """Start the stream of a seed that the operating system draws, and return that seed."""
        number = int.from_bytes(os.urandom(8), "little") >> 1
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """Return the seed of the stream."""
        return self._seed

    def get_state(self) -> Tensor:
        """Return seed, stream and offset as a tensor of int64, for :meth:`set_state`."""
        return Tensor.make(Tensor, self._words(), dtype=dtypes.int64)

    def set_state(self, new_state: Tensor) -> Generator:
        """Return to a position that :meth:`get_state` has given."""
        words = [int(v) & _WORD for v in new_state.tolist()]
        if len(words) != 3:
            raise ArgumentError(f"a generator state has 3 numbers, got {len(words)}")
        self._refuse_capture("set_state()")
        with self._lock:
            self._seed, self._stream, self._offset = words
        return self

    def clone_state(self) -> Generator:
        """Return another generator at the same position."""
        made = Generator(self.device, stream=self._stream)
        made._seed, made._offset = self._seed, self._offset
        return made

    def fork(self, stream: int) -> Generator:
        """Return a generator of the same seed with a stream of its own, for a worker or a rank."""
        made = Generator(self.device, stream=stream)
        made._seed = self._seed
        return made

    def advance(self, blocks: int) -> None:
        """Skip blocks of the stream, as a draw of that size would."""
        with self._lock:
            self._offset = (self._offset + blocks) & _WORD

    def reserve(self, blocks: int, device: Device) -> Tensor:
        """Take blocks of the stream: the state that a draw starts from, as a tensor on the device.

        In a captured program the state is a live input and the draw's place in the step is part of the program.
        """
        place = spec((3,), dtypes.int64, device)
        trace = state.tracing.get() if state.state.special else None
        if trace is None:
            with self._lock:
                words = self._words()
                self._offset = (self._offset + blocks) & _WORD
            return wrap(device.runtime.from_host(words, device), place)
        before = trace.advance(self, blocks)
        start = wrap(trace.reader_of((id(self), place), self._words, place), place)
        if not before:
            return start
        return start + Tensor.make(Tensor, np.array([0, 0, before]), dtype=dtypes.int64, device=device)

    def _words(self) -> np.ndarray[Any, Any]:
        return np.array([_signed(self._seed), _signed(self._stream), _signed(self._offset)], dtype=np.int64)

    @staticmethod
    def _refuse_capture(what: str) -> None:
        if state.tracing.get() is not None:
            raise CaptureError(f"{what} cannot be part of a captured program: seed before the capture")

    def __getstate__(self) -> dict[str, Any]:
        return {"seed": self._seed, "stream": self._stream, "offset": self._offset, "device": self.device}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        self.__init__(saved["device"], stream=saved["stream"])  # type: ignore[misc]  # the lock is made anew
        self._seed, self._offset = saved["seed"], saved["offset"]

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed}, stream={self._stream}, offset={self._offset})"


default_generator: Final = Generator()
"""The generator of every draw that names none."""


def manual_seed(seed: int) -> Generator:
    """Seed the default generator: the same numbers follow on every backend.

    >>> import dovetail
    >>> _ = dovetail.manual_seed(0)
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system, and return the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return the position of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Return the default generator to an earlier position."""
    default_generator.set_state(new_state)


class fork_rng:
    """Inside the block the default generator may be used freely; afterwards it is where it was."""

    def __enter__(self) -> None:
        self._kept = default_generator.get_state()

    def __exit__(self, *_: object) -> None:
        default_generator.set_state(self._kept)
