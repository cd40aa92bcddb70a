"""Batches on their way from a worker to the main process: large buffers in shared memory, the rest pickled.

A batch is pickled with protocol 5. The arrays in it come out as buffers, which are laid one after the other
into a slot: a piece of shared memory that belongs to one worker and is used again once the main process has
copied the batch out of it. Small batches travel in the message itself. Tensors travel as host arrays, so that
a worker never hands over anything of a device.

A slot that is too small is replaced by a larger one under a new name. Names are made of what both sides know,
so the main process can remove every segment also after a worker was killed between making one and telling of
it.
"""

from __future__ import annotations

import io
import os
import pickle
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any, Final

import numpy as np

from dovetail.tensor.tensor import Tensor
from dovetail.utils.data import host

ALIGNMENT: Final = 64
SMALL_BUFFER: Final = 1024
"""Buffers below this many bytes stay inside the pickle."""
INLINE: Final = 32_768
"""Bytes that one worker may have in its pipe at a time: with more, both ends could wait to write."""
SMALLEST_SLOT: Final = 1 << 16


@dataclass
class Parcel:
    """A packed batch: either all of it in ``inline``, or its parts in generation ``generation`` of a slot.

    ``sizes`` are the bytes of the pickle and then of each buffer; ``for_tensor`` tells which buffers belong
    to tensors.
    """

    inline: bytes | None
    buffers: list[bytes]
    generation: int
    sizes: list[int]
    for_tensor: list[bool]


def _view(memory: SharedMemory) -> memoryview:
    assert memory.buf is not None, "a closed segment is never used"
    return memory.buf


def slot_name(prefix: str, slot: int, generation: int) -> str:
    """Return the name of a segment; short, because some systems allow 30 characters."""
    return f"{prefix}_{slot}_{generation}"


def offsets(sizes: list[int]) -> tuple[list[int], int]:
    """Return where each part begins, on multiples of the alignment, and the size of all."""
    places, end = [], 0
    for size in sizes:
        places.append(end)
        end += -(-size // ALIGNMENT) * ALIGNMENT
    return places, end


# ------------------------------------------------------------------------------------------- the worker's end


class _Pickler(pickle.Pickler):
    """Takes tensors apart into host arrays, and large buffers out of the pickle."""

    def __init__(self, file: io.BytesIO) -> None:
        self.buffers: list[memoryview] = []
        self.for_tensor: list[bool] = []
        self._of_tensors: dict[int, pickle.PickleBuffer] = {}  # the objects too, so that no id comes twice
        super().__init__(file, protocol=5, buffer_callback=self._take)

    def _take(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < SMALL_BUFFER:
            return True  # stays inside
        self.buffers.append(raw)
        self.for_tensor.append(id(buffer) in self._of_tensors)
        return False

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not Tensor:
            return NotImplemented
        array = np.ascontiguousarray(host.to_array(value)).reshape(value.shape)
        # As bytes: not every element type has a buffer format of its own.
        buffer = pickle.PickleBuffer(array.reshape(-1).view(np.uint8).data)
        self._of_tensors[id(buffer)] = buffer
        return _make_tensor, (
            buffer,
            value.dtype,
            tuple(value.shape),
            host.name_of_device(value),
            value.requires_grad,
        )


def _make_tensor(buffer: Any, dtype: Any, shape: tuple[int, ...], device: str | None, requires_grad: bool) -> Tensor:
    array = np.frombuffer(buffer, dtype=dtype.host).reshape(shape)
    return host.from_array(array, device).requires_grad_(requires_grad)


class Outbox:
    """Packs batches in a worker, and owns its side of the slots.

    Args:
        prefix: what the names of this worker's segments begin with.
        inline: bytes that one message may carry.
    """

    def __init__(self, prefix: str, inline: int) -> None:
        self.prefix = prefix
        self.inline = inline
        self.slots: dict[int, SharedMemory] = {}
        self.generations: dict[int, int] = {}

    def pack(self, value: Any, slot: int) -> Parcel:
        """Return the parcel of a batch, its bytes in the slot if they are too many for the message."""
        file = io.BytesIO()
        pickler = _Pickler(file)
        pickler.dump(value)
        parts = [file.getbuffer(), *pickler.buffers]
        sizes = [part.nbytes for part in parts]
        if sum(sizes) > self.inline and (segment := self._segment(slot, offsets(sizes)[1])) is not None:
            generation, memory = segment
            view = _view(memory)
            for part, start in zip(parts, offsets(sizes)[0]):
                view[start : start + part.nbytes] = part
            return Parcel(None, [], generation, sizes, pickler.for_tensor)
        return Parcel(file.getvalue(), [bytes(part) for part in parts[1:]], -1, sizes, pickler.for_tensor)

    def _segment(self, slot: int, size: int) -> tuple[int, SharedMemory] | None:
        """Return a slot with room for ``size`` bytes, None where the system has no shared memory left."""
        memory = self.slots.get(slot)
        if memory is None or memory.size < size:
            if memory is not None:
                del self.slots[slot]
                memory.close()
            generation = self.generations.get(slot, -1) + 1
            memory = _create(slot_name(self.prefix, slot, generation), max(SMALLEST_SLOT, size + size // 4))
            if memory is None:
                return None
            self.slots[slot], self.generations[slot] = memory, generation
        return self.generations[slot], memory

    def close(self) -> None:
        """Let go of the slots; the main process removes them."""
        for memory in self.slots.values():
            memory.close()
        self.slots.clear()


def _create(name: str, size: int) -> SharedMemory | None:
    try:
        memory = SharedMemory(name, create=True, size=size)
    except OSError:
        return None
    try:
        # Without this a full /dev/shm shows only when a page is written: as SIGBUS, which ends the process.
        if hasattr(os, "posix_fallocate") and hasattr(memory, "_fd"):
            os.posix_fallocate(memory._fd, 0, size)
    except OSError:
        memory.close()
        memory.unlink()
        return None
    return memory


# ------------------------------------------------------------------------------------- the main process's end


class Inbox:
    """Unpacks what one worker has packed, and removes its segments."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.slots: dict[int, tuple[int, SharedMemory]] = {}

    def unpack(self, parcel: Parcel, slot: int) -> Any:
        """Return the batch; nothing of it looks into the slot afterwards."""
        if parcel.inline is not None:
            return pickle.loads(parcel.inline, buffers=[bytearray(part) for part in parcel.buffers])
        view = _view(self._attach(slot, parcel.generation))
        starts, _ = offsets(parcel.sizes)
        parts = [view[start : start + size] for start, size in zip(starts, parcel.sizes)]
        try:
            # A tensor copies its values when it is made; every other buffer is copied here.
            buffers = [part if own else bytearray(part) for part, own in zip(parts[1:], parcel.for_tensor)]
            return pickle.loads(parts[0], buffers=buffers)
        except BaseException as error:
            # Its frames hold views of the slot, which could then not be closed.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            for part in parts:
                with suppress(BufferError):  # an error's traceback may still hold one
                    part.release()

    def skip(self, parcel: Parcel, slot: int) -> None:
        """Take note of a parcel that nobody wants any more."""
        if parcel.inline is None:
            self._attach(slot, parcel.generation)

    def _attach(self, slot: int, generation: int) -> SharedMemory:
        known, memory = self.slots.get(slot, (-1, None))
        if memory is not None and known == generation:
            return memory
        if memory is not None:
            _remove(memory)
        memory = SharedMemory(slot_name(self.prefix, slot, generation))
        self.slots[slot] = generation, memory
        return memory

    def close(self, slots: int) -> None:
        """Remove every segment of the worker, which has ended; ``slots`` is how many it was given."""
        for slot in range(slots):
            generation, memory = self.slots.pop(slot, (-1, None))
            if memory is not None:
                _remove(memory)
            _remove_untold(slot_name(self.prefix, slot, generation + 1))


def _remove(memory: SharedMemory) -> None:
    with suppress(BufferError):
        memory.close()
    with suppress(FileNotFoundError):
        memory.unlink()


def _remove_untold(name: str) -> None:
    """Remove the segment that a worker had made but not told of when it ended, if there is one."""
    try:
        _remove(SharedMemory(name))
    except FileNotFoundError:
        pass
    except ValueError:
        # It ended before the segment had a size, and an empty one cannot be attached.
        with suppress(OSError):
            os.unlink(f"/dev/shm/{name}")
