"""The frame memory of one camera: its ring, and the guard process that watches it."""

from privcam_core.process_protection import describe_lock
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_edge.frames import guard
from privcam_edge.frames.ring import FrameRing, FrameSlot, RingRevoked, prefix, wipe_leftovers


class FrameStore:
    """Gives each captured frame its κ and a slot of the frame memory.

    Creates a new ring when the frame size grows, or when the guard revoked the ring because this process did not wipe
    in time (it was stopped); starts a new guard when the guard has ended. `revoked` and `guards_lost` count both.
    """

    def __init__(self, camera_id: str, *, slots: int, retention_s: float) -> None:
        self.camera_id = camera_id
        self.revoked = 0
        self.guards_lost = 0
        self._slots = slots
        self._retention_s = retention_s
        self._ring: FrameRing | None = None
        self.leftovers = wipe_leftovers(camera_id)
        self._guard = guard.start(prefix(camera_id), retention_s)

    def put(
        self, image: Image, frame_id: int, stamp_ns: int, captured_ns: int | None = None
    ) -> tuple[SyncKey, FrameSlot]:
        """Store one frame and return its κ and its slot.

        image: (H, W, 3) uint8 BGR. stamp_ns: capture time since the epoch. captured_ns: the same by boottime_ns, when
        retention begins; None for now. Raises ValueError for another kind of picture, RingError where the frame memory
        cannot be made.
        """
        self._keep_guard()
        key = SyncKey(self.camera_id, frame_id, stamp_ns)
        try:
            return key, self._ring_for(image).write(key, image, captured_ns)
        except RingRevoked:
            self.revoked += 1
            self._close_ring()
            return key, self._ring_for(image).write(key, image, captured_ns)

    def describe_lock(self) -> str:
        """Return the text for the diagnostics: whether frames can be swapped."""
        return describe_lock(locked=self._ring.locked) if self._ring is not None else "no frame yet"

    def _ring_for(self, image: Image) -> FrameRing:
        if self._ring is None or image.nbytes > self._ring.capacity:
            self._close_ring()
            height, width = image.shape[:2]
            self._ring = FrameRing(self.camera_id, height, width, slots=self._slots, retention_s=self._retention_s)
        return self._ring

    def _keep_guard(self) -> None:
        if self._guard.poll() is not None:
            self.guards_lost += 1
            self._guard = guard.start(prefix(self.camera_id), self._retention_s)

    def _close_ring(self) -> None:
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def close(self) -> None:
        """Overwrite all frames and end the guard."""
        self._close_ring()
        self._guard.terminate()
        self._guard.wait()
