"""The reader's end of the frame memory: lends one private copy of a frame at a time.

It copies with `pread` and maps nothing: a ring that is truncated while it is read gives an error, where a mapping would
end the process with SIGBUS.
"""

import mmap
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from privcam_core.process_protection import keep_from_disk
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import boottime_ns
from privcam_edge.frames import ring_file
from privcam_edge.frames.ring import FrameSlot
from privcam_edge.frames.ring_file import SLOT_HEADER, SLOT_HEADER_BYTES, Layout, RingError

_RING_NAME = re.compile(r"privcam_\d+_[a-z0-9_]{1,64}\.[0-9a-f]+-[0-9a-f]+")


class FrameGone(Exception):
    """The slot no longer holds the frame that the reference names: it was overwritten in time."""


class FrameReader:
    """Reads rings of this user and lends one private copy of a frame at a time."""

    def __init__(self) -> None:
        self._name = ""
        self._descriptor: int | None = None
        self._layout = Layout(0, 0, 0)
        self._memory: mmap.mmap | None = None
        # Whether the private copy cannot be swapped; None before the first frame.
        self.locked: bool | None = None

    @contextmanager
    def read(self, key: SyncKey, where: FrameSlot) -> Iterator[Image]:
        """Lend the frame; the copy is overwritten with zeros afterwards.

        key: the κ of the reference. The ring says itself which κ a slot holds, and nothing else is believed.
        Yields (H, W, 3) uint8 BGR. Raises FrameGone if the slot holds another frame by now, or one that is older than
        its retention; RingError if the reference does not fit the ring, or names another κ than the slot.
        """
        descriptor = self._open(where.ring)
        size = where.height * where.width * 3
        fits = 0 <= where.slot < self._layout.slots and 0 < size <= self._layout.capacity
        # Odd: the slot is being written. 0: it is empty.
        if not fits or where.generation % 2 or not where.generation:
            raise RingError(f"frame memory {where.ring}: the reference {where} does not fit it")
        self._check(descriptor, key, where)
        buffer = self._buffer(size)
        image = np.frombuffer(buffer, np.uint8, size)
        try:
            copied = os.preadv(descriptor, [image.data], self._layout.base(where.slot) + SLOT_HEADER_BYTES)
            if copied != size:
                raise RingError(f"frame memory {where.ring}: was truncated; restart the camera node")
            self._check(descriptor, key, where)
            yield image.reshape(where.height, where.width, 3)
        finally:
            image.fill(0)

    def _check(self, descriptor: int, key: SyncKey, where: FrameSlot) -> None:
        header = os.pread(descriptor, SLOT_HEADER.size, self._layout.base(where.slot))
        if ring_file.is_revoked(descriptor) or len(header) != SLOT_HEADER.size:
            raise FrameGone(f"frame memory {where.ring}: the guard overwrote it, or it was truncated")
        generation, captured_ns, frame_id, stamp_ns, height, width, camera = SLOT_HEADER.unpack(header)
        if generation != where.generation:
            raise FrameGone(
                f"frame memory {where.ring}: slot {where.slot} has generation {generation}, the reference names "
                f"{where.generation}"
            )
        if boottime_ns() - captured_ns > self._layout.retention_ns:
            raise FrameGone(f"frame memory {where.ring}: slot {where.slot} is older than its retention")
        held = (camera.rstrip(b"\0").decode(errors="replace"), frame_id, stamp_ns, height, width)
        named = (key.camera_id, key.frame_id, key.stamp_ns, where.height, where.width)
        if held != named:
            raise RingError(
                f"frame memory {where.ring}: slot {where.slot} holds {held} (camera, frame, stamp, height, width) and "
                f"the reference says {named}; somebody forged it"
            )

    def _buffer(self, size: int) -> mmap.mmap:
        """Return private memory for a frame: in no core dump, and locked where that is allowed."""
        if self._memory is None or len(self._memory) != size:
            self._memory = mmap.mmap(-1, size)
            self.locked = keep_from_disk(self._memory)
        return self._memory

    def _open(self, name: str) -> int:
        if self._descriptor is not None and name == self._name:
            return self._descriptor
        self.close()
        if not _RING_NAME.fullmatch(name):
            raise RingError(f"frame memory {name!r}: not the name of a ring")
        try:
            descriptor = ring_file.open_ring(name, os.O_RDONLY)
        except FileNotFoundError as error:
            raise FrameGone(f"frame memory {name}: gone, its camera has ended") from error
        try:
            self._layout = ring_file.layout_of(name, descriptor)
        except RingError:
            os.close(descriptor)
            raise
        self._name, self._descriptor = name, descriptor
        return descriptor

    def close(self) -> None:
        """Close the ring."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._name = ""
