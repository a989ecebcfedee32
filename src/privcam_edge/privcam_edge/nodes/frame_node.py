"""Base of the edge nodes that read raw frames from the frame memory."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from privcam_msgs.msg import FrameRef

from privcam_core.process_protection import describe_lock, protect_process
from privcam_core.types.omega import SyncKey
from privcam_edge.frames.frame_reader import FrameGone, FrameReader
from privcam_edge.frames.ring import FrameSlot
from privcam_ros.sealed_node import SealedNode

P = TypeVar("P")


def slot_to_msg(slot: FrameSlot) -> FrameRef:
    """Return the reference without its κ."""
    return FrameRef(
        ring=slot.ring,
        slot=slot.slot,
        generation=slot.generation,
        height=slot.height,
        width=slot.width,
        encoding="bgr8",
    )


def slot_from_msg(message: FrameRef) -> FrameSlot:
    """Return the place of the frame in the frame memory."""
    return FrameSlot(message.ring, message.slot, message.generation, message.height, message.width)


class FrameNode(SealedNode[P]):
    """A node that reads frames from the frame memory. It holds a frame only while its callback runs.

    `frames` and everything that is joined with it are sealed topics: a frame is read only where a node of this start
    says so.
    """

    def __init__(self, name: str, kind: type[P], namespace: str | None = None) -> None:
        protect_process()
        super().__init__(name, kind, namespace)
        self._reader = FrameReader()
        # Whether the frame of the running callback is of a recording, as the camera node says.
        self.is_replay = False

    def on_frame(self, callback: Callable[..., None], *parts: tuple[str, type]) -> None:
        """Call `callback(κ, image, part, ...)` for every frame of `frames`, joined with parts of the same κ.

        image: (H, W, 3) uint8 BGR, valid while the callback runs. No frame is skipped here: the camera publishes only a
        few frames at once and skips the others itself.
        """
        handler = functools.partial(self._read_frame, callback)
        if parts:
            self.on_sealed_joined([("frames", FrameRef), *parts], handler)
        else:
            self.on_sealed("frames", FrameRef, handler)

    def _read_frame(self, callback: Callable[..., None], key: SyncKey, reference: FrameRef, *parts: Any) -> None:
        try:
            with self._reader.read(key, slot_from_msg(reference)) as image:
                self.is_replay = bool(reference.replay)
                callback(key, image, *parts)
        except FrameGone:
            self.counts["overwritten"] += 1

    def collect_diagnostics(self) -> None:
        """Say whether the copy of a frame can be swapped."""
        super().collect_diagnostics()
        if self._reader.locked is not None:
            self.diagnostics["frame_memory"] = describe_lock(locked=self._reader.locked)

    def stop(self) -> None:
        """Close the frame memory."""
        self._reader.close()
