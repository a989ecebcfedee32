"""Edge and cloud over a real Zenoh link on the loopback."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.sealed_gate import SealedGate
from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import CloudLink
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_edge.link.budgets import Budgets
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_link.receiving.quotas import Limits
from privcam_link.session_settings import camera_end, cloud_end
from privcam_link.wire import BacklogQuery, Header

# Against a test that hangs.
HANG_LIMIT_S = 300.0
TICK_S = 0.02
# These tests change pictures faster than a room does.
UNLIMITED = Budgets(pictures_per_minute=1e6, areas_per_minute=1e6, picture_mib_per_hour=1e6)
START = 10**18
FAST = Limits(max_rate_hz=1e6)  # these tests send faster than a camera may
ROOM = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)


def picture(level: int = 90) -> bytes:
    """A room with a corner of some grey."""
    plate = ROOM.copy()
    plate[:4, :4] = level
    return encode_environment(plate, np.ones((24, 32), np.bool_))


def omega(frame: int, level: int = 90, camera: str = "room1") -> Omega:
    key = SyncKey(camera, frame, START + frame)
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment_of(key, picture(level), 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def free_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


class Edge:
    """Gate, queue, schedule and link as the edge's bridge puts them together."""

    def __init__(self, folder: Path, endpoints: str, camera: str = "room1") -> None:
        self.camera = camera
        self.queue = OmegaQueue(folder)
        last = self.queue.last_key()
        self.frame = last.frame_id if last else 0
        self._gate = SealedGate(camera, omega(1).embedding, max_rate_hz=1e6, budgets=UNLIMITED, last=last)
        self.link = EdgeLink(camera, camera_end(camera, endpoints)[0], self.queue, PictureSchedule(refresh_s=3600.0))

    def send(self, count: int = 1, level: int = 90) -> int:
        for _ in range(count):
            self.frame += 1
            self.link.send(self._gate.check(omega(self.frame, level, self.camera)))
        return self.frame

    def close(self) -> None:
        self.link.close()
        self.queue.close()


class IgnoredReply:
    """Ignores a reply, and sets an event at its end."""

    def __init__(self, done: threading.Event) -> None:
        self._done = done

    def take(self, header: Header, payload: bytes) -> None:
        pass

    def end(self) -> None:
        self._done.set()


class Cloud:
    """Cameras and link as the cloud's bridge puts them together, with a recorder that keeps what it is given."""

    def __init__(self, endpoint: str, consumer: str = "cloud", *, kept: Sequence[Omega] = (), recording: bool = True):
        self.consumer = consumer
        self.live: list[Omega] = []
        self.kept: list[Omega] = list(kept)
        self._changed = threading.Condition()
        self.cameras = Cameras(["room1", "room2"], consumer, recording=recording, sink=self, limits=FAST)
        self.link = CloudLink(cloud_end(endpoint)[0], self.cameras)
        self.cameras.connect(self.link)
        if recording:
            self.cameras.start_recording("room1", self.kept[-1].key.stamp_ns if self.kept else 0)

    def publish_live(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        self._take(self.live, omegas)

    def publish_recording(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        self._take(self.kept, omegas)

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass

    def _take(self, stream: list[Omega], omegas: Sequence[Omega]) -> None:
        with self._changed:
            stream.extend(omegas)
            self._changed.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        """Tick as the bridge's timer does until something holds."""
        for _ in range(int(HANG_LIMIT_S / TICK_S)):
            if self.kept:
                self.cameras.mark_safe("room1", self.kept[-1].key.stamp_ns)
            self.cameras.tick()
            with self._changed:
                if self._changed.wait_for(condition, timeout=TICK_S):
                    return
        raise AssertionError(f"live {frames(self.live)}, kept {frames(self.kept)}, {self.cameras.diagnostics('room1')}")

    def tell(self) -> None:
        """Say to the edge that everything is safe, and wait until it has heard it."""
        done = threading.Event()
        told = BacklogQuery(self.consumer, self.kept[-1].key.stamp_ns)
        self.link.ask("room1", told, IgnoredReply(done))
        assert done.wait(HANG_LIMIT_S)

    def close(self) -> None:
        self.link.close()

    def until_kept(self, frame: int) -> list[int]:
        self.until(lambda: frame in frames(self.kept))
        return frames(self.kept)


def frames(omegas: Sequence[Omega]) -> list[int]:
    return [one.key.frame_id for one in omegas]


@pytest.fixture
def edge(tmp_path: Path, endpoint: str) -> Iterator[Edge]:
    with closing(Edge(tmp_path / "queue", endpoint)) as edge:
        yield edge


@pytest.fixture
def cloud(endpoint: str) -> Iterator[Cloud]:
    with closing(Cloud(endpoint)) as cloud:
        yield cloud


def everything(edge: Edge) -> list[int]:
    return list(range(1, edge.frame + 1))


def met(edge: Edge, cloud: Cloud) -> None:
    """Send until the cloud has received something: a link needs a moment to come up."""
    cloud.until(lambda: bool(cloud.live) or not edge.send())
    cloud.until_kept(edge.frame)


def test_omega_arrives_live_and_complete_as_it_was_sent(edge: Edge, cloud: Cloud) -> None:
    met(edge, cloud)
    for level in (90, 90, 120, 120, 90):
        edge.send(level=level)
    assert cloud.until_kept(edge.frame) == everything(edge)
    assert [one.environment.png for one in cloud.kept[-5:]] == [picture(n) for n in (90, 90, 120, 120, 90)]
    assert frames(cloud.live) == sorted(set(frames(cloud.live)))
    assert (cloud.link.rejected, cloud.live[-1].environment.png) == ({}, picture(90))
    last = omega(edge.frame)
    assert (cloud.kept[-1].embedding, cloud.kept[-1].privacy.verdict) == (last.embedding, last.privacy.verdict)


def test_hundreds_of_omegas_travel_packed_in_a_fraction_of_their_bytes(edge: Edge, cloud: Cloud) -> None:
    met(edge, cloud)
    sent, before = edge.link.sent_bytes, edge.frame
    edge.send(300)
    assert cloud.until_kept(edge.frame) == everything(edge)
    plain = len(edge.queue.after(0, max_bytes=1)[0].payload)
    assert edge.link.sent_bytes - sent < (edge.frame - before) * plain
    assert cloud.link.rejected == {}


def test_cloud_that_comes_late_gets_the_picture_and_all_that_was_kept_without_a_new_frame(
    edge: Edge, endpoint: str
) -> None:
    edge.send(5)
    with closing(Cloud(endpoint)) as cloud:
        assert cloud.until_kept(5) == [1, 2, 3, 4, 5]
        assert {one.environment.png for one in cloud.kept} == {picture()}
        cloud.until(lambda: 5 in frames(cloud.live))
        assert cloud.live[-1].environment.png == picture()


def test_late_joiner_without_a_recorder_gets_the_newest_picture_with_the_next_omega(edge: Edge, endpoint: str) -> None:
    with closing(Cloud(endpoint, "first")) as first:
        met(edge, first)
        edge.send(level=120)
        first.until_kept(edge.frame)
    seen = edge.frame
    with closing(Cloud(endpoint, "second", recording=False)) as second:
        second.until(lambda: bool(second.live) or not edge.send(level=120))
        assert second.live[0].key.frame_id > seen
        assert (second.live[0].environment.png, second.kept) == (picture(120), [])


def test_outage_costs_the_complete_stream_nothing_and_the_live_one_no_order(edge: Edge, endpoint: str) -> None:
    kept: list[Omega] = []
    for level in (90, 120, 90):
        with closing(Cloud(endpoint, kept=kept)) as cloud:
            met(edge, cloud)
            edge.send(10, level)
            assert cloud.until_kept(edge.frame) == everything(edge)
            assert frames(cloud.live) == sorted(set(frames(cloud.live)))
            assert cloud.kept[-1].environment.png == picture(level)
            kept = cloud.kept
        edge.send(25, level)


def test_recorder_that_lost_its_last_seconds_gets_them_again(edge: Edge, endpoint: str) -> None:
    with closing(Cloud(endpoint)) as first:
        met(edge, first)
        first.tell()
        assert edge.queue.waiting == 0
        safe = edge.frame
        # From here on nothing is said to be safe: the recorder is killed before it has flushed.
        edge.send(10)
    kept = [one for one in first.kept if one.key.frame_id <= safe]
    with closing(Cloud(endpoint, kept=kept)) as second:
        assert second.until_kept(edge.frame) == everything(edge)


def test_two_clouds_get_everything_and_the_edge_forgets_only_what_both_have(tmp_path: Path) -> None:
    endpoints = free_endpoint(), free_endpoint()
    with (
        closing(Edge(tmp_path / "queue", " ".join(endpoints))) as edge,
        closing(Cloud(endpoints[0], "near")) as near,
        closing(Cloud(endpoints[1], "far")) as far,
    ):
        met(edge, near)
        assert far.until_kept(edge.frame) == everything(edge)
        near.tell()
        far.tell()
        assert edge.queue.waiting == 0
        far.close()
        edge.send(20)
        assert near.until_kept(edge.frame) == everything(edge)
        near.tell()
        assert edge.queue.waiting == 20
        with closing(Cloud(endpoints[1], "far", kept=far.kept)) as again:
            assert again.until_kept(edge.frame) == everything(edge)
            again.tell()
        assert edge.queue.waiting == 0


def test_edge_that_starts_again_delivers_the_rest_and_nothing_twice(
    tmp_path: Path, endpoint: str, cloud: Cloud
) -> None:
    with closing(Edge(tmp_path / "queue", endpoint)) as first:
        met(first, cloud)
        first.send(5)
    with closing(OmegaQueue(tmp_path / "queue")) as unsent:
        for frame in range(first.frame + 1, first.frame + 6):
            unsent.put(omega(frame))
    with closing(Edge(tmp_path / "queue", endpoint)) as second:
        assert second.frame == first.frame + 5
        second.send(5, level=120)
        assert cloud.until_kept(second.frame) == everything(second)
        assert frames(cloud.live) == sorted(set(frames(cloud.live)))


def test_edge_whose_queue_was_lost_goes_on_with_a_new_one(tmp_path: Path, endpoint: str, cloud: Cloud) -> None:
    with closing(Edge(tmp_path / "old", endpoint)) as first:
        met(first, cloud)
    with closing(Edge(tmp_path / "new", endpoint)) as second:
        second.frame = first.frame + 100
        second.send(5)
        expected = [*everything(first), *range(first.frame + 101, second.frame + 1)]
        assert cloud.until_kept(second.frame) == expected


def test_two_cameras_do_not_mix(tmp_path: Path, endpoint: str, cloud: Cloud) -> None:
    cloud.cameras.start_recording("room2", 0)
    with closing(Edge(tmp_path / "1", endpoint)) as one, closing(Edge(tmp_path / "2", endpoint, "room2")) as two:
        one.send(5, 90)
        two.send(5, 120)
        cloud.until(lambda: all(5 in frames(of(cloud.kept, camera)) for camera in ("room1", "room2")))
    for camera, level in (("room1", 90), ("room2", 120)):
        mine = of(cloud.kept, camera)
        assert (frames(mine), {omega.environment.png for omega in mine}) == ([1, 2, 3, 4, 5], {picture(level)})


def of(omegas: Sequence[Omega], camera: str) -> list[Omega]:
    return [one for one in omegas if one.key.camera_id == camera]


def test_environment_of_an_omega_is_bound_to_what_was_shown_then(edge: Edge, cloud: Cloud) -> None:
    met(edge, cloud)
    for level in range(100, 120):
        edge.send(level=level)
    cloud.until_kept(edge.frame)
    displayed = [one.environment for one in cloud.kept[-20:]]
    assert [one.png for one in displayed] == [picture(level) for level in range(100, 120)]
    assert [replace(one, png=b"") for one in displayed] == [one.without_png() for one in displayed]
