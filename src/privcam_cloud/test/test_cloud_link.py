"""Edge and cloud over a real Zenoh link on the loopback."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from queue import Empty, Queue

import numpy as np
import pytest
import zenoh

from privcam_cloud.link.environments import EnvironmentStore
from privcam_cloud.link.session import CloudLink
from privcam_core import cdr
from privcam_core.checks import Reason
from privcam_core.images import encode_environment
from privcam_core.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.wire import ATTACHMENT, LINK_SETTINGS
from privcam_edge.link.gate import Gate
from privcam_edge.link.pictures import PictureSchedule
from privcam_edge.link.session import EdgeLink

PATIENCE_S = 30.0
BETWEEN_FRAMES_S = 0.05


def picture(level: int = 90) -> bytes:
    return encode_environment(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), bool))


def omega(frame: int, png: bytes | None = None, camera: str = "room1") -> Omega:
    key = SyncKey(camera, frame, 10**18 + frame)
    png = png or picture()
    environment = Environment(key, png, sha256(png).digest(), 8, 8, 1.0, 1)
    embedding = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment, [], embedding, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


class Edge:
    """Gate, schedule and link as the edge's bridge puts them together."""

    def __init__(self, endpoint: str, camera: str = "room1") -> None:
        self.camera = camera
        self.frame = 0
        self.changes: Queue[bool] = Queue()
        self._gate = Gate(camera, max_rate_hz=1e6)
        self._pictures = PictureSchedule(refresh_s=3600)
        self.link = EdgeLink(camera, endpoint, on_query=self._pictures.answer, on_change=self.changes.put)

    def send(self, png: bytes | None = None) -> int:
        self.frame += 1
        self.link.send(self._pictures.next(self._gate.check(omega(self.frame, png, self.camera))))
        return self.frame


class Cloud:
    """Link and store as the cloud's bridge puts them together."""

    def __init__(self, endpoint: str) -> None:
        self.ready: Queue[Omega] = Queue()
        self.raw: Queue[Omega] = Queue()
        self.link = CloudLink(endpoint, on_omega=self._take)
        self.store = EnvironmentStore(self.link.request)

    def _take(self, received: Omega) -> None:
        self.raw.put(received)
        for whole in self.store.offer(received):
            self.ready.put(whole)


@pytest.fixture
def edge(endpoint: str) -> Iterator[Edge]:
    edge = Edge(endpoint)
    yield edge
    edge.link.close()


@pytest.fixture
def cloud(endpoint: str) -> Iterator[Cloud]:
    cloud = Cloud(endpoint)
    yield cloud
    cloud.link.close()


def stream_until(edge: Edge, arrived: "Queue[Omega]", png: bytes | None = None) -> Omega:
    """Let the camera run until something arrives: a link needs a moment to come up."""
    for _ in range(int(PATIENCE_S / BETWEEN_FRAMES_S)):
        edge.send(png)
        try:
            return arrived.get(timeout=BETWEEN_FRAMES_S)
        except Empty:
            continue
    raise AssertionError("nothing arrived")


def take_up_to(arrived: "Queue[Omega]", frame: int) -> list[Omega]:
    """Return everything up to that frame."""
    got: list[Omega] = []
    while not got or got[-1].key.frame_id < frame:
        got.append(arrived.get(timeout=PATIENCE_S))
    return got


def test_omega_arrives_as_it_was_sent_and_in_order(edge: Edge, cloud: Cloud) -> None:
    first = stream_until(edge, cloud.ready).key.frame_id
    for level in (90, 90, 120, 120, 90):
        edge.send(picture(level))
    got = take_up_to(cloud.ready, edge.frame)
    assert [whole.key.frame_id for whole in got] == list(range(first + 1, edge.frame + 1))
    last = [whole.environment.png for whole in got[-5:]]
    assert last == [picture(level) for level in (90, 90, 120, 120, 90)]
    assert cloud.link.rejected == {}


def test_picture_travels_once_and_the_digest_afterwards(edge: Edge, cloud: Cloud) -> None:
    stream_until(edge, cloud.ready)
    edge.send()
    edge.send(picture(120))
    last = edge.send(picture(120))
    got = take_up_to(cloud.raw, last)
    assert [bool(sample.environment.png) for sample in got[-3:]] == [False, True, False]


def test_cloud_that_comes_late_gets_the_newest_omega_with_its_picture_without_a_new_frame(endpoint: str) -> None:
    edge = Edge(endpoint)
    for _ in range(5):
        newest = edge.send()
    cloud = Cloud(endpoint)
    whole = cloud.ready.get(timeout=PATIENCE_S)
    assert (whole.key.frame_id, whole.environment.png) == (newest, picture())
    assert not cloud.raw.get(timeout=PATIENCE_S).environment.png, "it came by digest, so the picture was asked for"
    edge.link.close()
    cloud.link.close()


def test_two_cameras_do_not_mix(endpoint: str, cloud: Cloud) -> None:
    edges = [Edge(endpoint, camera) for camera in ("room1", "room2")]
    seen: dict[str, bytes] = {}
    for edge, level in zip(edges, (90, 120), strict=True):
        for _ in range(int(PATIENCE_S / BETWEEN_FRAMES_S)):
            whole = stream_until(edge, cloud.ready, picture(level))
            seen[whole.key.camera_id] = whole.environment.png
            if edge.camera in seen:
                break
    assert seen == {"room1": picture(90), "room2": picture(120)}
    for edge in edges:
        edge.link.close()


def test_unknown_digest_is_asked_for_and_what_waited_goes_on_in_order(endpoint: str, edge: Edge) -> None:
    first = Cloud(endpoint)
    stream_until(edge, first.ready)
    first.link.close()
    assert edge.changes.get(timeout=PATIENCE_S) is True
    assert edge.changes.get(timeout=PATIENCE_S) is False
    second = Cloud(endpoint)
    stream_until(edge, second.ready)
    for _ in range(3):
        edge.send()
    got = take_up_to(second.ready, edge.frame)
    assert all(whole.environment.png == picture() for whole in got)
    assert [whole.key.frame_id for whole in got] == sorted({whole.key.frame_id for whole in got})
    assert (edge.link.answered >= 1, second.store.lost, second.store.waiting) == (True, {}, 0)
    second.link.close()


def test_cloud_without_an_edge_asks_nobody_and_waits_for_nothing(cloud: Cloud) -> None:
    cloud.link.request("room9", bytes(32))
    assert (cloud.link.edges, cloud.link.received) == (0, 0)


@pytest.fixture
def stranger(endpoint: str, cloud: Cloud) -> Iterator[zenoh.Session]:
    """Somebody who can reach the cloud but is no edge of ours."""
    assert cloud.link.edges == 0
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([endpoint]))
    for name, value in LINK_SETTINGS.items():
        config.insert_json5(name, value)
    with zenoh.open(config) as session:
        yield session


GOOD = cdr.encode(omega(1))
BARE = cdr.encode(replace(omega(1), environment=omega(1).environment.without_png()))
WITHHELD = replace(omega(1), privacy=PrivacyReport(0.0, 0.0, 0.0, Verdict.WITHHOLD, "motion"))
KEY = "privcam/room1/omega"
HOSTILE = {
    "random_bytes": (KEY, b"\x17" * 400, ATTACHMENT, Reason.FIELD),
    "empty": (KEY, b"", ATTACHMENT, Reason.FIELD),
    "cut_off": (KEY, GOOD[:-9], ATTACHMENT, Reason.FIELD),
    "no_attachment": (KEY, GOOD, None, Reason.TYPE),
    "an_image": (KEY, GOOD, ATTACHMENT.replace(b"privcam_msgs/msg/Omega", b"sensor_msgs/msg/Image"), Reason.TYPE),
    "other_definition": (KEY, GOOD, ATTACHMENT.replace(b"RIHS01_", b"RIHS01_0"), Reason.TYPE),
    "other_schema": (KEY, GOOD, ATTACHMENT.replace(b"schema=1", b"schema=2"), Reason.SCHEMA),
    "other_cameras_key": ("privcam/room2/omega", GOOD, ATTACHMENT, Reason.CAMERA),
    "key_of_no_camera": ("privcam/Room-2/omega", GOOD, ATTACHMENT, Reason.CAMERA),
    "too_large": (KEY, bytes(cdr.MAX_OMEGA_BYTES + 1), ATTACHMENT, Reason.TOO_LARGE),
    "withheld": (KEY, cdr.encode(WITHHELD), ATTACHMENT, Reason.PRIVACY),
    "bytes_after_the_png": (KEY, cdr.encode(omega(1, picture() + b"hidden")), ATTACHMENT, Reason.PICTURE),
    "no_png": (KEY, cdr.encode(omega(1, b"\xff\xd8\xff\xe0")), ATTACHMENT, Reason.PICTURE),
    "wrong_digest": (KEY, GOOD.replace(omega(1).environment.digest, bytes(32)), ATTACHMENT, Reason.DIGEST),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_of_a_stranger_are_rejected_and_counted(name: str, cloud: Cloud, stranger: zenoh.Session) -> None:
    key, payload, attachment, reason = HOSTILE[name]
    stranger.put(key, payload, attachment=attachment, congestion_control=zenoh.CongestionControl.BLOCK)
    # The same session's next sample comes after it, so when this one is there the other was dealt with.
    stranger.put(KEY, cdr.encode(omega(2)), attachment=ATTACHMENT, congestion_control=zenoh.CongestionControl.BLOCK)
    assert cloud.ready.get(timeout=PATIENCE_S).key.frame_id == 2
    assert cloud.link.rejected == {reason: 1}
    assert cloud.link.received == 1


def test_deletion_is_rejected(cloud: Cloud, stranger: zenoh.Session) -> None:
    stranger.delete(KEY)
    stranger.put(KEY, GOOD, attachment=ATTACHMENT)
    cloud.ready.get(timeout=PATIENCE_S)
    assert cloud.link.rejected == {Reason.TYPE: 1}


def test_strangers_answer_is_checked_like_everything_else(cloud: Cloud, stranger: zenoh.Session) -> None:
    asked: Queue[str] = Queue()

    def lie(query: zenoh.Query) -> None:
        with query:
            asked.put(str(query.parameters))
            query.reply(KEY, GOOD[:-20], attachment=ATTACHMENT)

    with stranger.declare_queryable(KEY, lie):
        stranger.put(KEY, BARE, attachment=ATTACHMENT)
        wanted = omega(1).environment.digest.hex()
        assert asked.get(timeout=PATIENCE_S) == f"digest={wanted}"
        # The honest picture still gets through after the lie, and releases what waited.
        stranger.put(KEY, GOOD, attachment=ATTACHMENT)
        assert cloud.ready.get(timeout=PATIENCE_S).environment.png == picture()


@pytest.mark.parametrize("text", ["tcp/0.0.0.0:7447", "tcp/[::]:7447", "tls/127.0.0.1:7447", "nonsense"])
def test_listening_beyond_the_loopback_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint: "):
        CloudLink(text, on_omega=lambda _: None)


def test_second_cloud_on_one_endpoint_is_told_why(endpoint: str, cloud: Cloud) -> None:
    assert cloud.link.edges == 0
    with pytest.raises(OSError, match=r"cannot listen on .* another cloud"):
        CloudLink(endpoint, on_omega=lambda _: None)


def test_closing_twice_is_harmless(endpoint: str) -> None:
    link = CloudLink(endpoint, on_omega=lambda _: None)
    link.close()
    link.close()
    assert link.edges == 0
