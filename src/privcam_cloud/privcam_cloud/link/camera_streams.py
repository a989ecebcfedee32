"""The two streams of one camera: the live one, and the recording."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from privcam_core.types.omega import Omega
from privcam_link.receiving.picture_resolver import PictureResolver
from privcam_link.receiving.picture_store import PictureStore
from privcam_link.receiving.reorder_buffer import Received, ReorderBuffer
from privcam_link.validation import Rejected

# Number of Ω of the recording that may wait for a picture.
RECORDING_MAX_WAITING = 4096
# The recording waits longer for a picture than the live stream, in s, because nobody watches it now.
RECORDING_TIMEOUT_S = 60.0


class OmegaSink(Protocol):
    """Takes the streams of all cameras, each in order, on threads of the camera: two cameras may come at once."""

    def publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        """Take the next Ω of the live stream."""

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        """Take the next Ω of the recording."""

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        """Take note that the recording continues behind this stamp; called between the Ω before and after."""


class CameraStreams:
    """Orders the Ω of one camera, gives them their pictures, and hands them to the sink.

    Not for several threads at once.
    """

    def __init__(
        self,
        camera_id: str,
        pictures: PictureStore,
        sink: OmegaSink,
        *,
        buffer: ReorderBuffer,
        clock: Callable[[], float],
    ) -> None:
        self._camera_id = camera_id
        self._pictures = pictures
        self._sink = sink
        self.buffer = buffer
        self._live = PictureResolver(pictures, clock=clock)
        self._recording = PictureResolver(
            pictures, max_waiting=RECORDING_MAX_WAITING, timeout_s=RECORDING_TIMEOUT_S, clock=clock
        )
        self._counts: Counter[str] = Counter()

    def hand_on(self, received: Received) -> None:
        """Hand on all Ω that are ready. Raises Rejected for a wrong picture, after the rest was handed on."""
        rejected: Rejected | None = None
        if received.picture is not None:
            try:
                self._pictures.learn(received.picture.environment)
            except Rejected as rejection:
                # The rest of the Ω is good, and has its place in the order.
                rejected = rejection
        live = self._live.resolve(received.live)
        recording = self._recording.resolve(received.recording)
        self._counts["live"] += len(live)
        self._counts["recording"] += len(recording)
        if live:
            self._sink.publish_live(self._camera_id, live)
        if recording:
            self._sink.publish_recording(self._camera_id, recording)
        if rejected is not None:
            raise rejected

    def diagnostics(self) -> dict[str, int]:
        """Return counts of this camera for the diagnostics."""
        lost = self.buffer.lost + self._live.lost + self._recording.lost
        return {
            "edge_lost": self.buffer.edge_lost,
            "skipped": self.buffer.skipped,
            "clock_epochs": self.buffer.epochs.epochs,
            "replayed": self.buffer.replayed,
            "replay_epochs": self.buffer.replays.epochs,
            "missing": int(self.buffer.missing),
            "waiting_for_picture": self._live.waiting + self._recording.waiting,
            "pictures": self._pictures.kept,
            "picture_sizes_changed": self._pictures.sizes.changes,
            **{f"refused_picture_{reason.value}": count for reason, count in self._pictures.refused.items()},
            **{f"lost_{reason.value}": count for reason, count in lost.items()},
            **self._counts,
        }
