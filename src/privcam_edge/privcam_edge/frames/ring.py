"""The writer's end of the frame memory: a ring of raw frames in shared memory; every frame is overwritten in time.

One writer (the camera), many readers (frame_reader.py). The frame memory uses no network and no disk. A slot is
overwritten with zeros at most `retention_s` after its frame was captured, when the ring is closed, and, when the camera
process is stopped or has ended, by the guard process (guard.py) and by the next start.

Each slot has a generation number (a seqlock): odd while the content changes, even otherwise, and of one κ alone. A
reader compares header and reference before and after it copied the pixels. Frames are written with `pwrite`, not
through a mapping: a process stops before or after a system call, so the header always says how old the pixels are.
"""

import mmap
import os
import threading
from dataclasses import dataclass

import numpy as np

from privcam_core.images.png import require_bgr8
from privcam_core.process_protection import keep_from_disk
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import boottime_ns, ns_from_seconds
from privcam_edge.frames import ring_file
from privcam_edge.frames.ring_file import SLOT_HEADER, SLOT_HEADER_BYTES, Layout, RingError

# The wiper runs this many times per retention, and wipes frames that would become too old before its next run.
WIPES_PER_RETENTION = 5


class RingRevoked(RingError):
    """The guard has overwritten the ring, because a frame was not wiped in time. A new ring is needed."""


@dataclass(frozen=True)
class FrameSlot:
    """The place of one frame in the frame memory: the content of a FrameRef without κ."""

    ring: str
    slot: int
    generation: int
    height: int
    width: int


@dataclass(frozen=True)
class Leftovers:
    """What a start found in /dev/shm.

    wiped: number of rings of crashed writers. refused: for each other thing with such a name, why it was left alone.
    """

    wiped: int
    refused: list[str]


def prefix(camera_id: str) -> str:
    """Return the start of the names of all rings of this user and camera."""
    return f"privcam_{os.getuid()}_{camera_id}."


def wipe_leftovers(camera_id: str) -> Leftovers:
    """Wipe the rings that crashed writers of this camera left behind. What is not a ring of this user stays untouched.

    Raises RingError if a live writer owns one: two cameras must not share an id.
    """
    wiped, refused = 0, []
    for name in sorted(ring_file.names(prefix(camera_id))):
        try:
            unowned = ring_file.wipe_unowned(name)
        except FileNotFoundError:
            continue  # its guard was quicker
        except RingError as error:
            refused.append(str(error))
            continue
        if not unowned:
            raise RingError(
                f"frame memory {name}: another camera node with camera_id {camera_id!r} is running on this host. "
                "Stop it or choose another camera_id."
            )
        wiped += 1
    return Leftovers(wiped, refused)


@dataclass
class _Slot:
    """What the writer knows of a slot: generation, and when its frame was captured, 0 if there is none."""

    generation: int = 0
    captured_ns: int = 0


class FrameRing:
    """The writer's end. It owns the memory and wipes every slot in time, in a thread of its own."""

    def __init__(self, camera_id: str, height: int, width: int, *, slots: int = 8, retention_s: float = 1.0) -> None:
        self.name = ring_file.unused_name(prefix(camera_id))
        self._layout = Layout(slots, height * width * 3, ns_from_seconds(retention_s))
        self._owned = ring_file.create(self.name, self._layout)
        # Nothing reads or writes through this mapping: it only locks the pages, and takes part in no core dump.
        self._lock_only = mmap.mmap(self._owned.file, self._layout.size)
        self.locked = keep_from_disk(self._lock_only)
        self._zeros = memoryview(bytes(self._layout.stride))
        self._slots = [_Slot() for _ in range(slots)]
        self._next = 0
        self._last_frame_id = 0
        self._retention_s = retention_s
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._wiper = threading.Thread(target=self._wipe_periodically, name="frame-wiper", daemon=True)
        self._wiper.start()

    @property
    def capacity(self) -> int:
        """Bytes of the largest frame that fits."""
        return self._layout.capacity

    def write(self, key: SyncKey, image: Image, captured_ns: int | None = None) -> FrameSlot:
        """Put a frame into the next slot. image: (H, W, 3) uint8 BGR, not larger than the ring's frames.

        captured_ns: when it was captured (boottime_ns), which is when its retention begins. Raises ValueError for
        another kind of picture and for a κ that does not come after the last one, and RingRevoked.
        """
        require_bgr8(image)
        height, width = image.shape[:2]
        if image.nbytes > self.capacity:
            raise RingError(f"frame memory {self.name}: a frame of {width}x{height} does not fit, make a new ring")
        if key.frame_id <= self._last_frame_id:
            raise ValueError(f"κ: frame {key.frame_id} does not come after {self._last_frame_id} in the same ring")
        captured = captured_ns or boottime_ns()
        fields = captured, key.frame_id, key.stamp_ns, height, width, key.camera_id.encode()
        with self._lock:
            number, self._next = self._next, (self._next + 1) % self._layout.slots
            slot, base = self._slots[number], self._layout.base(number)
            slot.generation += 2
            slot.captured_ns = captured
            changing = SLOT_HEADER.pack(slot.generation - 1, *fields).ljust(SLOT_HEADER_BYTES, b"\0")
            # The rest of an earlier, larger frame must not outlive its retention.
            rest = self._zeros[SLOT_HEADER_BYTES + image.nbytes :]
            pixels = np.ascontiguousarray(image).data.cast("B")
            self._write([changing, pixels, rest], base)
            self._write([SLOT_HEADER.pack(slot.generation, *fields)], base)
            self._last_frame_id = key.frame_id
            if ring_file.is_revoked(self._owned.file):
                self._wipe_slot(number)
                raise RingRevoked(f"frame memory {self.name}: the guard overwrote it, its frames had become too old")
        return FrameSlot(self.name, number, slot.generation, height, width)

    def _write(self, parts: list[bytes | memoryview], offset: int) -> None:
        ring_file.write_all(self._owned.file, parts, offset)

    def _wipe_slot(self, number: int) -> None:
        # The header goes first: a reader that copied zeros finds another header afterwards.
        self._write([self._zeros], self._layout.base(number))
        self._slots[number].captured_ns = 0

    def wipe(self, older_than_s: float = 0.0) -> int:
        """Overwrite every slot whose frame is older than this; return how many were."""
        due = boottime_ns() - ns_from_seconds(older_than_s)
        with self._lock:
            numbers = [number for number, slot in enumerate(self._slots) if 0 < slot.captured_ns <= due]
            for number in numbers:
                self._wipe_slot(number)
        return len(numbers)

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
        self._lock_only.close()
        ring_file.remove(self.name)
        os.close(self._owned.file)
        os.close(self._owned.folder)
