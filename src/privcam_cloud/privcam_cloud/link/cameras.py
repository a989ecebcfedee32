"""Receives all cameras of a cloud: routes samples to their camera, and polls each edge on a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from privcam_cloud.link.camera import Camera
from privcam_cloud.link.camera_streams import OmegaSink
from privcam_cloud.link.edge_queries import FAST_POLL_S, Link
from privcam_core.niceness import RUNNING_NICENESS, be_nice
from privcam_link.receiving.quotas import Limits
from privcam_link.wire import Header

_log = logging.getLogger(__name__)


class Cameras:
    """Receives for a CloudLink, and hands two streams of Ω with their pictures for each camera to the sink.

    cameras: whose Ω are taken; edges of others are counted in `others`. consumer: name under which edges keep Ω that
    this cloud does not have yet. recording: whether a recorder keeps all Ω and reports with `mark_safe` what is on
    disk; without it there is only the live stream, and everything live counts as safe. limits: quotas of each camera.
    clock: monotonic seconds. May be used from several threads.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        consumer: str,
        *,
        recording: bool,
        sink: OmegaSink,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cameras = {
            camera_id: Camera(
                camera_id, consumer, recording=recording, sink=sink, limits=limits or Limits(), clock=clock
            )
            for camera_id in cameras
        }
        self.others = 0
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def camera_ids(self) -> Sequence[str]:
        """The cameras whose Ω are taken."""
        return tuple(self._cameras)

    def connect(self, link: Link) -> None:
        """Use this link for queries to edges."""
        for camera in self._cameras.values():
            camera.connect(link)

    def admit(self, camera_id: str, size: int) -> None:
        """Count a put of this many bytes before it is read. Raises Rejected for one beyond the camera's quotas."""
        self._cameras[camera_id].admit(size)

    def put(self, camera_id: str, header: Header, payload: bytes) -> None:
        """Take an Ω that one of `camera_ids` put. Raises Rejected."""
        self._cameras[camera_id].put(header, payload)

    def set_alive(self, camera_id: str, alive: bool) -> None:
        """Take note that the edge of a camera came, or went."""
        camera = self._cameras.get(camera_id)
        if camera is not None:
            camera.set_alive(alive)
        elif alive:
            self.others += 1
            level = logging.WARNING if self.others == 1 else logging.DEBUG
            _log.log(level, "the edge of camera %s connected, but this cloud is for %s", camera_id, [*self._cameras])

    def start_recording(self, camera_id: str, stamp_ns: int) -> None:
        """Begin the recording of a camera again behind this stamp, because its recorder has it up to there.

        stamp_ns: 0 where the recorder has nothing.
        """
        if camera_id in self._cameras:
            self._cameras[camera_id].start_recording(stamp_ns)

    def mark_safe(self, camera_id: str, stamp_ns: int) -> None:
        """Take note that a camera is recorded safely up to this stamp: its edge may forget it."""
        if camera_id in self._cameras:
            self._cameras[camera_id].mark_safe(stamp_ns)

    def tick(self) -> None:
        """Hand on Ω whose wait for a picture is over, and send due queries, for one camera after the other."""
        for camera in self._cameras.values():
            camera.tick()

    def start(self) -> None:
        """Tick every FAST_POLL_S, each camera on a thread of its own, until `close`."""
        for camera_id, camera in self._cameras.items():
            thread = threading.Thread(
                target=self._poll, args=(camera_id, camera), name=f"poll_{camera_id}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """End the threads. A second call does nothing."""
        self._ending.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def diagnostics(self, camera_id: str) -> dict[str, int]:
        """Return counts of one camera for the diagnostics. Never waits for the camera."""
        return self._cameras[camera_id].diagnostics()

    def _poll(self, camera_id: str, camera: Camera) -> None:
        be_nice(RUNNING_NICENESS)
        while not self._ending.wait(FAST_POLL_S):
            try:
                camera.tick()
            except Exception:
                _log.exception("%s: the poll of its edge failed, and is tried again", camera_id)
