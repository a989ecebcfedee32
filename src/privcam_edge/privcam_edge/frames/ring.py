"""The frame memory: a ring of raw frames in shared memory of the host; every frame is overwritten in time.

One writer (the camera), many readers. The frame memory uses no network and no disk: the ring is a file in /dev/shm with
mode 0600. A slot is overwritten with zeros at most `retention_s` after its frame was captured, when the ring is
closed, and, after a crash, by the guard process (guard.py) and by the next start.

Each slot has a generation counter (a seqlock): odd while the content changes, even otherwise. A reader compares it with
the generation named in the frame reference before and after it copied the pixels.
"""

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Image
from privcam_core.types.time import NS_PER_S
from privcam_edge.frames import guard

SHM = Path("/dev/shm")
MAGIC = b"privcam1"
HEADER_BYTES = mmap.PAGESIZE
SLOT_HEADER = struct.Struct("<QQII")  # generation, capture time (monotonic ns), height, width
SLOT_HEADER_BYTES = 64
RING_HEADER = struct.Struct("<8sII")  # magic, slots, bytes per slot without its header
# The wiper runs this many times per retention, and wipes frames that would become too old before its next run.
WIPES_PER_RETENTION = 5


class FrameGone(Exception):
    """The slot no longer holds the frame that the reference names: it was overwritten in time."""


class RingError(RuntimeError):
    """The ring cannot be created or opened. The message names the ring and the remedy."""


@dataclass(frozen=True)
class FrameSlot:
    """The place of one frame in the frame memory: the content of a FrameRef without κ."""

    ring: str
    slot: int
    generation: int
    height: int
    width: int


def prefix(camera_id: str) -> str:
    """Return the start of the names of all rings of this user and camera."""
    return f"privcam_{os.getuid()}_{camera_id}."


def wipe_leftovers(camera_id: str) -> int:
    """Wipe the rings that crashed writers of this camera left behind, and return their number.

    Raises RingError if a live writer owns one: two cameras must not share an id.
    """
    wiped = 0
    for path in SHM.glob(prefix(camera_id) + "*"):
        with path.open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RingError(
                    f"frame memory {path.name}: another camera node with camera_id {camera_id!r} is running on this "
                    "host. Stop it or choose another camera_id."
                ) from error
            guard.wipe(path)
            wiped += 1
    return wiped


class FrameRing:
    """The writer's end. It owns the memory and wipes every slot in time, in a thread of its own."""

    def __init__(self, camera_id: str, height: int, width: int, *, slots: int = 8, retention_s: float = 1.0) -> None:
        self.name = f"{prefix(camera_id)}{os.getpid():x}-{time.monotonic_ns() & 0xFFFFFF:06x}"
        self.path = SHM / self.name
        self.capacity = height * width * 3
        self._slots = slots
        self._stride = SLOT_HEADER_BYTES + -(-self.capacity // mmap.PAGESIZE) * mmap.PAGESIZE
        self._retention_s = retention_s
        self._next = 0
        size = HEADER_BYTES + slots * self._stride
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Reserve now: a full /dev/shm must be an error here, not a SIGBUS at the first frame.
            os.posix_fallocate(descriptor, 0, size)
            self._memory = mmap.mmap(descriptor, size)
        except OSError as error:
            os.close(descriptor)
            self.path.unlink(missing_ok=True)
            raise RingError(
                f"frame memory {self.path}: {size >> 20} MiB could not be reserved ({error.strerror}). "
                "Enlarge /dev/shm (Docker: --shm-size) or lower `slots`."
            ) from error
        self._descriptor = descriptor  # kept open: it holds the lock that says this ring has an owner
        RING_HEADER.pack_into(self._memory, 0, MAGIC, slots, self.capacity)
        self._pixels = np.frombuffer(self._memory, np.uint8)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._wiper = threading.Thread(target=self._wipe_periodically, name="frame-wiper", daemon=True)
        self._wiper.start()

    def write(self, image: Image, captured_ns: int | None = None) -> FrameSlot:
        """Put a frame into the next slot. image: (H, W, 3) uint8 BGR, not larger than the ring's frames.

        captured_ns: when it was captured (time.monotonic_ns), which is when its retention begins.
        """
        require_bgr8(image)
        height, width = image.shape[:2]
        if image.nbytes > self.capacity:
            raise RingError(f"frame memory {self.name}: a frame of {width}x{height} does not fit, make a new ring")
        with self._lock:
            slot, self._next = self._next, (self._next + 1) % self._slots
            base, generation = self._begin(slot)
            start = base + SLOT_HEADER_BYTES
            self._pixels[start : start + image.nbytes] = image.reshape(-1)
            # The rest of an earlier, larger frame must not outlive its retention.
            self._pixels[start + image.nbytes : base + self._stride] = 0
            stamp = captured_ns or time.monotonic_ns()
            SLOT_HEADER.pack_into(self._memory, base, generation + 1, stamp, height, width)
        return FrameSlot(self.name, slot, generation + 1, height, width)

    def _begin(self, slot: int) -> tuple[int, int]:
        base = HEADER_BYTES + slot * self._stride
        generation, stamp, height, width = SLOT_HEADER.unpack_from(self._memory, base)
        generation += 1
        SLOT_HEADER.pack_into(self._memory, base, generation, stamp, height, width)
        return base, generation

    def wipe(self, older_than_s: float = 0.0) -> int:
        """Overwrite every slot whose frame is older than this; return how many were."""
        now = time.monotonic_ns()
        wiped = 0
        with self._lock:
            for slot in range(self._slots):
                base = HEADER_BYTES + slot * self._stride
                _, stamp, height, _ = SLOT_HEADER.unpack_from(self._memory, base)
                if not height or now - stamp < older_than_s * NS_PER_S:
                    continue
                _, generation = self._begin(slot)
                self._pixels[base + SLOT_HEADER_BYTES : base + self._stride] = 0
                SLOT_HEADER.pack_into(self._memory, base, generation + 1, 0, 0, 0)
                wiped += 1
        return wiped

    def _wipe_periodically(self) -> None:
        period = self._retention_s / WIPES_PER_RETENTION
        # Two periods of margin: one for the wait until the next run, one for a busy machine.
        while not self._closing.wait(period):
            self.wipe(older_than_s=self._retention_s - 2 * period)

    def close(self) -> None:
        """Overwrite everything and remove the ring."""
        self._closing.set()
        self._wiper.join()
        self.wipe()
        self._pixels = np.zeros(0, np.uint8)
        self._memory.close()
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


class FrameReader:
    """A reader's end: maps rings read-only and lends one private copy of a frame at a time."""

    def __init__(self) -> None:
        self._name = ""
        self._memory: mmap.mmap | None = None
        self._buffer = np.zeros(0, np.uint8)

    @contextmanager
    def read(self, where: FrameSlot) -> Iterator[Image]:
        """Lend the frame; the copy is overwritten with zeros afterwards.

        Yields (H, W, 3) uint8 BGR. Raises FrameGone if the slot holds another frame by now, RingError if the reference
        does not fit the ring.
        """
        memory = self._map(where.ring)
        magic, slots, capacity = RING_HEADER.unpack_from(memory, 0)
        size = where.height * where.width * 3
        if magic != MAGIC or not 0 <= where.slot < slots or not 0 < size <= capacity:
            raise RingError(f"frame memory {where.ring}: the reference {where} does not fit it")
        stride = SLOT_HEADER_BYTES + -(-capacity // mmap.PAGESIZE) * mmap.PAGESIZE
        base = HEADER_BYTES + where.slot * stride
        expected = (where.generation, where.height, where.width)
        self._check(memory, base, expected, where)
        if self._buffer.size != size:
            self._buffer = np.empty(size, np.uint8)
        np.copyto(self._buffer, np.frombuffer(memory, np.uint8, size, base + SLOT_HEADER_BYTES))
        try:
            self._check(memory, base, expected, where)
            yield self._buffer.reshape(where.height, where.width, 3)
        finally:
            self._buffer.fill(0)

    @staticmethod
    def _check(memory: mmap.mmap, base: int, expected: tuple[int, int, int], where: FrameSlot) -> None:
        generation, _, height, width = SLOT_HEADER.unpack_from(memory, base)
        if (generation, height, width) != expected:
            raise FrameGone(f"frame memory {where.ring}: slot {where.slot} was overwritten before it was read")

    def _map(self, name: str) -> mmap.mmap:
        if self._memory is not None and name == self._name:
            return self._memory
        self.close()
        if "/" in name or not name.startswith("privcam_"):
            raise RingError(f"frame memory {name!r}: not the name of a ring")
        try:
            descriptor = os.open(SHM / name, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError as error:
            raise FrameGone(f"frame memory {name}: gone, its camera has ended") from error
        try:
            self._memory = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        self._name = name
        return self._memory

    def close(self) -> None:
        """Unmap the ring."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._name = ""
