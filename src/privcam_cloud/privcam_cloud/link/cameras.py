"""Receives for all cameras of a cloud: routes samples to their camera, and polls the edges."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from privcam_cloud.link.camera_streams import CameraStreams, OmegaSink
from privcam_cloud.link.edge_queries import EdgeQueries, Link
from privcam_cloud.link.picture_store import PictureStore
from privcam_cloud.link.reorder_buffer import Received
from privcam_link.wire import Header


@dataclass(frozen=True)
class _Camera:
    streams: CameraStreams
    queries: EdgeQueries


class Cameras:
    """Receives for a CloudLink, and hands two streams of Ω with their pictures for each camera to the sink.

    cameras: whose Ω are taken; others are counted in `others`. consumer: name under which edges keep Ω that this cloud
    does not have yet. recording: whether a recorder keeps all Ω and reports with `mark_safe` what is on disk; without
    it there is only the live stream, and everything live counts as safe. clock: monotonic seconds. May be used from
    several threads.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        consumer: str,
        *,
        recording: bool,
        sink: OmegaSink,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink = sink
        self._clock = clock
        self._lock = threading.RLock()
        self._link: Link | None = None
        self._pictures = PictureStore(self._ask_picture, clock=clock)
        self._cameras = {
            camera_id: self._make_camera(camera_id, consumer, recording=recording) for camera_id in cameras
        }
        self.others = 0

    def connect(self, link: Link) -> None:
        """Use this link for queries to edges."""
        self._link = link

    def put(self, camera_id: str, header: Header, payload: bytes) -> None:
        """Take an Ω that a camera put. Raises Rejected."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is None:
                self.others += 1
                return
            camera.queries.received_s = self._clock()
            camera.streams.hand_on(camera.streams.buffer.put(header, payload))

    def set_alive(self, camera_id: str, alive: bool) -> None:
        """Take note that the edge of a camera came, or went."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.queries.set_alive(alive)

    def start_recording(self, camera_id: str, stamp_ns: int) -> None:
        """Begin the recording of a camera again behind this stamp, because its recorder has it up to there.

        stamp_ns: 0 where the recorder has nothing.
        """
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.streams.buffer.record_from(stamp_ns)
                camera.queries.safe_ns = stamp_ns
                self._sink.begin_recording(camera_id, stamp_ns)

    def mark_safe(self, camera_id: str, stamp_ns: int) -> None:
        """Take note that a camera is recorded safely up to this stamp: its edge may forget it."""
        with self._lock:
            camera = self._cameras.get(camera_id)
            if camera is not None:
                camera.queries.safe_ns = max(camera.queries.safe_ns, stamp_ns)

    def tick(self) -> None:
        """Hand on Ω whose wait for a picture is over, and send due queries. Call it about every FAST_POLL_S."""
        with self._lock:
            for camera in self._cameras.values():
                camera.streams.hand_on(Received())
                if self._link is not None:
                    camera.queries.poll(self._link)

    def diagnostics(self, camera_id: str) -> dict[str, int]:
        """Return counts of one camera for the diagnostics."""
        with self._lock:
            camera = self._cameras[camera_id]
            return {"alive": int(camera.queries.alive), **camera.streams.diagnostics()}

    def _make_camera(self, camera_id: str, consumer: str, *, recording: bool) -> _Camera:
        streams = CameraStreams(camera_id, self._pictures, self._sink, clock=self._clock)
        queries = EdgeQueries(
            camera_id,
            streams,
            self._pictures,
            consumer=consumer,
            recording=recording,
            lock=self._lock,
            clock=self._clock,
        )
        return _Camera(streams, queries)

    def _ask_picture(self, camera_id: str, digest: bytes, have: tuple[bytes, ...]) -> None:
        if self._link is not None:
            self._cameras[camera_id].queries.ask_picture(self._link, digest, have)
