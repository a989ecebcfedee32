"""A camera whose clock is set by hours: live Ω go on, and the recording has everything once, over a real link."""

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from privcam_bringup.graph import free_endpoint
from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import CloudLink
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_link.session_settings import camera_end, cloud_end

CAMERA = "room1"
# Against a test that hangs.
HANG_LIMIT_S = 100.0
RATE_HZ = 20.0
HOUR_NS = 3600 * NS_PER_S
PNG = encode_environment(np.full((8, 8, 3), 90, np.uint8), np.ones((8, 8), np.bool_))
Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)


class Cloud:
    """Keeps the frame numbers of both streams, and reports what is recorded as safe."""

    def __init__(self, endpoint: str) -> None:
        self.live: list[int] = []
        self.recording: list[int] = []
        self.changed = threading.Condition()
        self.cameras = Cameras([CAMERA], "cloud", recording=True, sink=self)
        self.link = CloudLink(cloud_end(endpoint)[0], self.cameras)
        self.cameras.connect(self.link)
        self.cameras.start_recording(CAMERA, 0)
        self.cameras.start()

    def publish_live(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        with self.changed:
            self.live += [omega.key.frame_id for omega in omegas]
            self.changed.notify_all()

    def publish_recording(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        with self.changed:
            self.recording += [omega.key.frame_id for omega in omegas]
            self.changed.notify_all()
        self.cameras.mark_safe(CAMERA, omegas[-1].key.stamp_ns)

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass

    def close(self) -> None:
        self.link.close()
        self.cameras.close()


class Edge:
    """Queue and link of an edge. offset_ns: by how much its clock is ahead."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._queue = OmegaQueue(folder)
        self._link = EdgeLink(CAMERA, camera_end(CAMERA, endpoint)[0], self._queue, PictureSchedule())
        self.frame = 0
        self.offset_ns = 0

    def send(self) -> None:
        self.frame += 1
        key = SyncKey(CAMERA, self.frame, time.time_ns() + self.offset_ns)
        self._link.send(Omega(key, environment_of(key, PNG, 1), [], Z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)))
        time.sleep(1.0 / RATE_HZ)  # is what a camera does, and no wait for something

    def close(self) -> None:
        self._link.close()
        self._queue.close()


@pytest.mark.parametrize("steps_h", [(-5,), (+5,), (+5, -5)])
def test_clock_that_is_set_by_hours_costs_no_recorded_omega_and_live_ones_go_on(
    steps_h: tuple[int, ...], tmp_path: Path
) -> None:
    endpoint = free_endpoint()
    with closing(Cloud(endpoint)) as cloud, closing(Edge(tmp_path / "queue", endpoint)) as edge:

        def send_until_live() -> None:
            """Send until an Ω that was sent from now on was handed on live."""
            first, ends = edge.frame + 1, time.monotonic() + HANG_LIMIT_S
            while not (cloud.live and cloud.live[-1] >= first):
                assert time.monotonic() < ends, cloud.cameras.diagnostics(CAMERA)
                edge.send()

        send_until_live()
        for step_h in steps_h:
            edge.offset_ns += step_h * HOUR_NS
            send_until_live()
        with cloud.changed:
            assert cloud.changed.wait_for(lambda: edge.frame in cloud.recording, HANG_LIMIT_S), cloud.recording
        assert cloud.recording == list(range(1, edge.frame + 1))
        assert cloud.live == sorted(set(cloud.live))
        assert cloud.cameras.diagnostics(CAMERA)["clock_epochs"] == len(steps_h)
