"""The cloud's end of the link against somebody who can reach it but is no edge of ours."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from queue import Empty, Queue

import numpy as np
import pytest
import zenoh

from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import CloudLink
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.delta_compression import compress
from privcam_link.endpoints import connect_settings
from privcam_link.session_settings import cloud_end
from privcam_link.validation import Reason
from privcam_link.wire import BacklogQuery, Header, PictureQuery

# Against a test that hangs.
HANG_LIMIT_S = 300.0
TICK_S = 0.02
PNG, OTHER_PNG = (
    encode_environment(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), np.bool_)) for level in (90, 91)
)


def omega(frame: int, png: bytes = PNG) -> Omega:
    """An Ω that says that it has the picture PNG, whatever it brings."""
    key = SyncKey("room1", frame, 10**18 + frame)
    environment = replace(environment_of(key, PNG, 1), png=png)
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment, [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def bare(frame: int) -> bytes:
    return cdr.encode(replace(omega(frame), environment=omega(frame).environment.without_png()))


def header(n: int, ref: int = 0) -> bytes:
    return (Header(n, ref) if ref else Header(n, 0, f"{1:016x}", n, 0)).encode()


class IgnoredReply:
    """Ignores a reply, and reports its end."""

    def __init__(self, ended: "Queue[None]") -> None:
        self._ended = ended

    def take(self, header: Header, payload: bytes) -> None:
        pass

    def end(self) -> None:
        self._ended.put(None)


class Cloud:
    def __init__(self, endpoint: str) -> None:
        self.live: Queue[Omega] = Queue()
        self.cameras = Cameras(
            ["room1"],
            "cloud",
            recording=False,
            sink=self,
        )
        self.link = CloudLink(cloud_end(endpoint)[0], self.cameras)
        self.cameras.connect(self.link)

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        pass

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass

    def publish_live(self, _camera_id: str, omegas: Sequence[Omega]) -> None:
        for one in omegas:
            self.live.put(one)

    def next_live(self) -> Omega:
        """Tick as the bridge's timer does until another Ω is handed on."""
        for _ in range(int(HANG_LIMIT_S / TICK_S)):
            self.cameras.tick()
            with suppress(Empty):
                return self.live.get(timeout=TICK_S)
        raise AssertionError("nothing was handed on")

    def await_received(self, count: int) -> None:
        """Wait until so many samples are counted: they are counted after they were handed on."""
        for _ in range(int(HANG_LIMIT_S / TICK_S)):
            if self.link.received >= count:
                break
            time.sleep(TICK_S)
        assert self.link.received == count

    def close(self) -> None:
        self.link.close()


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def cloud(endpoint: str) -> Iterator[Cloud]:
    with closing(Cloud(endpoint)) as cloud:
        yield cloud


Put = Callable[[str, bytes, bytes | None], None]


@pytest.fixture
def stranger(endpoint: str, cloud: Cloud) -> Iterator[zenoh.Session]:
    """Somebody on this host whose own session keeps to no rule."""
    assert cloud.link.edges == 0
    config = zenoh.Config()
    for name, value in {**connect_settings([endpoint]), "mode": '"client"'}.items():
        config.insert_json5(name, value)
    with zenoh.open(config) as session:
        yield session


@pytest.fixture
def put(stranger: zenoh.Session) -> Put:
    def put(key: str, payload: bytes, attachment: bytes | None) -> None:
        stranger.put(key, payload, attachment=attachment, congestion_control=zenoh.CongestionControl.BLOCK)

    return put


KEY = "privcam/room1/omega"
GOOD, BARE = cdr.encode(omega(1)), bare(1)
WITHHELD = replace(omega(1), privacy=PrivacyReport(0.0, 0.0, 0.0, Verdict.WITHHOLD, "motion"))
MALFORMED = {
    "random_bytes": (KEY, b"\x17" * 400, header(1), Reason.FIELD),
    "empty": (KEY, b"", header(1), Reason.FIELD),
    "cut_off": (KEY, GOOD[:-9], header(1), Reason.FIELD),
    "no_attachment": (KEY, GOOD, None, Reason.TYPE),
    "an_image": (KEY, GOOD, header(1).replace(b"privcam_msgs/msg/Omega", b"sensor_msgs/msg/Image"), Reason.TYPE),
    "other_definition": (KEY, GOOD, header(1).replace(b"RIHS01_", b"RIHS01_0"), Reason.TYPE),
    "other_schema": (KEY, GOOD, header(1).replace(b"schema=5", b"schema=4"), Reason.SCHEMA),
    "no_queue": (KEY, GOOD, header(1).replace(b"queue=0", b"queue=x"), Reason.TYPE),
    "too_large": (KEY, bytes(cdr.MAX_OMEGA_BYTES + 1), header(1), Reason.TOO_LARGE),
    "withheld": (KEY, cdr.encode(WITHHELD), header(1), Reason.PRIVACY),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_bytes_of_a_stranger_are_rejected_and_counted(name: str, cloud: Cloud, put: Put) -> None:
    key, payload, attachment, reason = MALFORMED[name]
    put(key, payload, attachment)
    # The same session's next sample comes after it, so when this one is there the other was dealt with.
    put(KEY, cdr.encode(omega(2)), header(2))
    assert cloud.live.get(timeout=HANG_LIMIT_S).key.frame_id == 2
    assert cloud.link.rejected == {reason: 1}
    cloud.await_received(1)


LIES = {
    "bytes_after_the_png": (cdr.encode(omega(1, PNG + b"hidden")), Reason.PICTURE),
    "no_png": (cdr.encode(omega(1, b"\xff\xd8\xff\xe0")), Reason.PICTURE),
    "another_picture": (cdr.encode(omega(1, OTHER_PNG)), Reason.DIGEST),
}


@pytest.mark.parametrize("name", LIES)
def test_picture_that_is_not_what_it_says_is_rejected_and_its_omega_gets_the_honest_one(
    name: str, cloud: Cloud, put: Put
) -> None:
    payload, reason = LIES[name]
    put(KEY, payload, header(1))
    put(KEY, cdr.encode(omega(2)), header(2))
    live = [cloud.live.get(timeout=HANG_LIMIT_S) for _ in range(2)]
    assert [(one.key.frame_id, one.environment.png) for one in live] == [(1, PNG), (2, PNG)]
    assert cloud.link.rejected == {reason: 1}


def test_omega_whose_digest_is_of_no_picture_goes_on_without_one(cloud: Cloud, put: Put) -> None:
    put(KEY, GOOD.replace(omega(1).environment.digest, bytes(range(32))), header(1))
    put(KEY, cdr.encode(omega(2)), header(2))
    live = [cloud.next_live() for _ in range(2)]
    assert [(one.key.frame_id, one.environment.png) for one in live] == [(1, b""), (2, PNG)]
    assert cloud.link.rejected == {Reason.DIGEST: 1}


@pytest.mark.parametrize("key", ["privcam/room2/omega", "privcam/Room-2/omega"])
def test_omega_on_the_key_of_another_camera_is_nobodys(key: str, cloud: Cloud, put: Put) -> None:
    put(key, GOOD, header(1))
    put(KEY, cdr.encode(omega(2)), header(2))
    assert cloud.live.get(timeout=HANG_LIMIT_S).key.frame_id == 2
    cloud.await_received(1)
    assert cloud.link.rejected == {}


def test_edge_of_a_camera_that_is_not_ours_is_counted(cloud: Cloud, stranger: zenoh.Session, put: Put) -> None:
    with stranger.liveliness().declare_token("privcam/room2/omega"):
        while not cloud.cameras.others:  # the token is on its way, for as long as the test may take
            put(KEY, cdr.encode(omega(2)), header(2))
    assert cloud.cameras.others == 1


def test_omega_of_another_camera_on_the_key_of_ours_is_rejected(cloud: Cloud, put: Put) -> None:
    key = replace(omega(1).key, camera_id="room2")
    other = replace(omega(1), key=key, environment=replace(omega(1).environment, key=key))
    put(KEY, cdr.encode(other), header(1))
    put(KEY, cdr.encode(omega(2)), header(2))
    assert cloud.live.get(timeout=HANG_LIMIT_S).key.frame_id == 2
    assert cloud.link.rejected == {Reason.CAMERA: 1}


@pytest.mark.parametrize("payload", [bare(2), compress(bare(2), bare(1))[:-3], compress(bytes(10**7), bare(1)), b""])
def test_what_does_not_unpack_is_rejected(cloud: Cloud, put: Put, payload: bytes) -> None:
    put(KEY, cdr.encode(omega(1)), header(1))
    put(KEY, bare(1), header(1))
    put(KEY, payload, header(2, 1))
    put(KEY, compress(bare(3), bare(1)), header(3, 1))
    assert [cloud.live.get(timeout=HANG_LIMIT_S).key.frame_id for _ in range(2)] == [1, 3]
    assert cloud.link.rejected == {Reason.COMPRESSION: 1}


def test_deletion_is_not_taken_for_an_omega(cloud: Cloud, stranger: zenoh.Session, put: Put) -> None:
    stranger.delete(KEY)
    put(KEY, GOOD, header(1))
    cloud.live.get(timeout=HANG_LIMIT_S)
    cloud.await_received(1)
    assert cloud.link.rejected == {}, "the session itself lets no deletion in"


def test_strangers_answer_is_checked_like_everything_else(cloud: Cloud, stranger: zenoh.Session, put: Put) -> None:
    asked: Queue[str] = Queue()

    def lie(query: zenoh.Query) -> None:
        with query:
            asked.put(str(query.parameters))
            query.reply(KEY, GOOD[:-20], attachment=header(1) + f";offset=0;total={len(GOOD) - 20}".encode())

    with stranger.declare_queryable(KEY, lie):
        put(KEY, BARE, header(1))
        assert asked.get(timeout=HANG_LIMIT_S).startswith(PictureQuery(omega(1).environment.digest).encode())
        # The honest picture still gets through after the lie, and releases what waited.
        put(KEY, GOOD, header(1))
        assert cloud.live.get(timeout=HANG_LIMIT_S).environment.png == PNG
    assert set(cloud.link.rejected) <= {Reason.FIELD}


def test_cloud_without_an_edge_asks_nobody_and_waits_for_nothing(cloud: Cloud) -> None:
    ended: Queue[None] = Queue()
    for query in (PictureQuery(bytes(32)), BacklogQuery("cloud", 0, 0)):
        cloud.link.ask("room9", query, IgnoredReply(ended))
        ended.get(timeout=HANG_LIMIT_S)
    assert (cloud.link.edges, cloud.link.received) == (0, 0)


@pytest.mark.parametrize("text", ["tcp/0.0.0.0:7447", "tcp/[::]:7447", "tls/127.0.0.1:7447", "nonsense"])
def test_listening_beyond_the_loopback_is_refused_without_credentials(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint: "):
        cloud_end(text)


def test_second_cloud_on_one_endpoint_is_told_why(endpoint: str, cloud: Cloud) -> None:
    assert cloud.link.edges == 0
    with pytest.raises(OSError, match=r"cannot listen on .* another cloud"):
        CloudLink(cloud_end(endpoint)[0], cloud.cameras)


def test_closing_twice_is_harmless_and_a_closed_link_asks_nobody(endpoint: str, cloud: Cloud) -> None:
    cloud.close()
    cloud.close()
    assert cloud.link.edges == 0
    cloud.link.ask("room1", PictureQuery(bytes(32)), IgnoredReply(Queue()))
    Cloud(endpoint).close()
