"""The edge's link against a real Zenoh session at the other end."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
import zenoh

from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.packetizer import PLAIN_EVERY
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import BACKLOG_BYTES, EdgeLink
from privcam_link import cdr
from privcam_link.delta_compression import decompress
from privcam_link.endpoints import listen_settings
from privcam_link.session_settings import camera_end
from privcam_link.validation import Reason, open_environment
from privcam_link.wire import ALL_CAMERAS, BacklogQuery, Header, PictureQuery, Query, header_of, key_expression

TIMEOUT_S = 30.0
START = 10**18
SCENE = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)


def picture(level: int = 90) -> bytes:
    """Return a PNG of a fixed picture with a grey corner."""
    plate = SCENE.copy()
    plate[:4, :4] = level
    return encode_environment(plate, np.ones((24, 32), np.bool_))


def omega(frame: int = 1, level: int = 90, camera: str = "room1", values: int = 1) -> Omega:
    key = SyncKey(camera, frame, START + frame)
    data = np.random.default_rng(frame).bytes(values)  # like noise: it does not compress
    z = Embedding("hog-1", (values,), 0.5, data, 0.25, 1.0)
    return Omega(key, environment_of(key, picture(level), 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def bare(whole: Omega) -> bytes:
    return cdr.encode(replace(whole, environment=whole.environment.without_png()))


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[OmegaQueue]:
    kept = OmegaQueue(tmp_path / "queue")
    yield kept
    kept.close()


def listener(endpoint: str) -> zenoh.Session:
    """Return a session that listens as a cloud does, without the access control of a cloud."""
    config = zenoh.Config()
    for name, value in listen_settings(endpoint).items():
        config.insert_json5(name, value)
    return zenoh.open(config)


@pytest.fixture
def other_end(endpoint: str) -> Iterator[zenoh.Session]:
    with listener(endpoint) as session:
        yield session


def opened(endpoint: str, queue: OmegaQueue) -> EdgeLink:
    settings, credentials = camera_end("room1", endpoint)
    assert credentials is None
    return EdgeLink("room1", settings, queue, PictureSchedule(refresh_s=3600.0))


class Listener:
    """Receives everything that is put on the key of any camera and decodes it as a cloud does, without the checks."""

    def __init__(self, session: zenoh.Session) -> None:
        self.samples: Queue[tuple[str, Header, bytes]] = Queue()
        self.plain: dict[int, bytes] = {}
        self._subscriber = session.declare_subscriber(ALL_CAMERAS, self._take)

    def _take(self, sample: zenoh.Sample) -> None:
        assert sample.attachment is not None
        self.samples.put((str(sample.key_expr), header_of(sample.attachment.to_bytes()), sample.payload.to_bytes()))

    def get(self) -> tuple[Header, Omega]:
        """Return the next one that came, decompressed."""
        key, header, payload = self.samples.get(timeout=TIMEOUT_S)
        assert key == "privcam/room1/omega"
        plain = decompress(payload, self.plain[header.ref]) if header.ref else payload
        decoded = cdr.decode(plain)
        if not decoded.environment.png:
            self.plain[header.n] = plain
        return header, decoded


def wait_for(session: zenoh.Session, link: EdgeLink) -> None:
    """Return when both sides are connected: an Ω that is sent from now on arrives."""
    known = threading.Event()
    with session.liveliness().declare_subscriber(key_expression("room1"), lambda _token: known.set(), history=True):
        assert known.wait(TIMEOUT_S)
    # An edge that replies has read what was declared before the query.
    ask(session, BacklogQuery("nobody", 0))
    assert link.connected


def ask(session: zenoh.Session, query: Query) -> list[tuple[Header, bytes] | bytes]:
    return ask_on(session, f"privcam/room1/omega{query.key}?{query.encode()}")


def ask_on(session: zenoh.Session, selector: str) -> list[tuple[Header, bytes] | bytes]:
    """Return (header, payload) of each reply, or the text of an error."""
    found: list[tuple[Header, bytes] | bytes] = []
    replies = session.get(
        selector,
        timeout=TIMEOUT_S,
        allowed_destination=zenoh.Locality.REMOTE,
        consolidation=zenoh.ConsolidationMode.NONE,
    )
    for reply in replies:
        if reply.ok is None:
            assert reply.err is not None
            found.append(reply.err.payload.to_bytes())
        else:
            assert reply.ok.attachment is not None
            found.append((header_of(reply.ok.attachment.to_bytes()), reply.ok.payload.to_bytes()))
    return found


def read(replies: list[tuple[Header, bytes] | bytes]) -> list[tuple[int, bytes]]:
    """Return (number, plain payload) of a reply that can be decompressed on its own."""
    plain: dict[int, bytes] = {}
    for reply in replies:
        assert isinstance(reply, tuple), reply
        header, payload = reply
        plain[header.n] = decompress(payload, plain[header.ref]) if header.ref else payload
    return list(plain.items())


def test_omegas_arrive_plain_and_compressed_and_the_picture_once_behind(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    seen = Listener(other_end)
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        sent = [omega(frame) for frame in range(1, 2 * PLAIN_EVERY + 2)]
        arrived: list[tuple[Header, Omega]] = []
        for one in sent:
            assert link.send(one)
            while not arrived or arrived[-1][1].key != one.key:  # a full line may drop an Ω
                arrived.append(seen.get())
        while len(arrived) < len(sent) + 1:
            arrived.append(seen.get())
        assert link.sent == len(sent)
    live = [(header, one) for header, one in arrived if not one.environment.png]
    assert [cdr.encode(one) for _, one in live] == [bare(one) for one in sent]
    assert [header.n for header, _ in live] == list(range(1, len(sent) + 1))
    assert [header.n for header, _ in live if not header.ref] == [1, 1 + PLAIN_EVERY, 1 + 2 * PLAIN_EVERY]
    assert all(header.ref in (0, header.n - 1) for header, _ in live)
    plain = [header for header, _ in live if not header.ref]
    assert all((header.queue, header.newest, header.lost) == (queue.name, header.n, 0) for header in plain)
    ((header, whole),) = [(header, one) for header, one in arrived if one.environment.png]
    assert (header.ref, cdr.encode(whole)) == (0, cdr.encode(sent[whole.key.frame_id - 1]))


def test_changed_picture_travels_as_a_patch_and_an_unchanged_one_not_at_all(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    seen = Listener(other_end)
    pictures: list[Omega] = []
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        for frame, level in enumerate((90, 90, 120, 120), start=1):
            link.send(omega(frame, level))
            while level not in [90, 120][: len(pictures)]:
                _, one = seen.get()
                pictures += [one] if one.environment.png else []
    first, second = (one.environment for one in pictures)
    assert (first.base, first.png, second.base) == (b"", picture(90), first.digest)
    plate, confirmed_mask = open_environment(second, decode_environment(first.png))
    assert encode_environment(plate, confirmed_mask) == picture(120)
    assert len(second.png) * 2 < len(first.png)


def test_query_for_a_picture_is_answered_whole_or_as_a_patch(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    seen = Listener(other_end)
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        old, new = omega(1, 90), omega(2, 120)
        for one in (old, new):
            link.send(one)
            while not seen.get()[1].environment.png:
                pass
        ((header, payload),) = ask(other_end, PictureQuery(new.environment.digest))
        assert (header, payload) == (Header(2, 0, queue.name, 2, 0), cdr.encode(new))
        have = PictureQuery(new.environment.digest, (bytes(32), old.environment.digest))
        ((_, payload),) = ask(other_end, have)
        assert isinstance(payload, bytes)
        patch = cdr.decode(payload).environment
        assert (patch.base, patch.digest) == (old.environment.digest, new.environment.digest)


def test_picture_comes_in_pieces_to_a_consumer_that_queries_pieces(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        link.send(omega(1, 90))
        digest, pieces = omega(1, 90).environment.digest, b""
        ((_, whole),) = ask(other_end, PictureQuery(digest))
        assert isinstance(whole, bytes)
        while len(pieces) < len(whole):
            ((header, piece),) = ask(other_end, PictureQuery(digest, offset=len(pieces), max_bytes=100))
            assert header == Header(1, 0, queue.name, 1, 0, offset=len(pieces), total=len(whole))
            assert isinstance(piece, bytes) and len(piece) <= 100
            pieces += piece
        assert pieces == whole
        beyond = PictureQuery(digest, offset=len(whole), max_bytes=1).encode()
        assert ask_on(other_end, f"privcam/room1/omega?{beyond}") == [b"query"]


def test_any_other_query_is_refused_and_counted(endpoint: str, other_end: zenoh.Session, queue: OmegaQueue) -> None:
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        link.send(omega())
        replied = link.replied
        assert ask(other_end, PictureQuery(bytes(32))) == [b"unknown_picture"]
        mixed_up = BacklogQuery("cloud", 0).encode(), PictureQuery(omega().environment.digest).encode()
        never_sent = BacklogQuery("cloud", START + 2).encode()
        picture_key, backlog_key = "privcam/room1/omega", "privcam/room1/omega/backlog"
        for other in ("digest=../../etc", mixed_up[0], "anything", ""):
            assert ask_on(other_end, f"{picture_key}?{other}") == [b"query"], other
        for other in ("consumer=cloud", "consumer=Cloud;ack=0", mixed_up[1], never_sent, ""):
            assert ask_on(other_end, f"{backlog_key}?{other}") == [b"query"], other
        for key in ("privcam/room1/frames", "privcam/room2/omega", "@/**"):
            assert ask_on(other_end, key) == []
        assert link.refused == {Reason.UNKNOWN_PICTURE: 1, Reason.QUERY: 9}
        assert (link.replied, queue.waiting) == (replied, 1)


def test_backlog_reply_is_in_order_and_can_be_decompressed_on_its_own(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    for frame in range(1, 31):
        queue.put(omega(frame))
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        expected = [(frame, bare(omega(frame))) for frame in range(1, 31)]
        assert read(ask(other_end, BacklogQuery("cloud", 0, 0))) == expected
        assert read(ask(other_end, BacklogQuery("cloud", START + 10, START + 20))) == expected[20:]
        assert read(ask(other_end, BacklogQuery("cloud", START + 30, START + 30))) == []
        assert ask(other_end, BacklogQuery("cloud", START + 30)) == []


def test_long_backlog_comes_in_pieces(endpoint: str, other_end: zenoh.Session, queue: OmegaQueue) -> None:
    count = 3 * BACKLOG_BYTES // 4096
    for frame in range(1, count + 1):
        queue.put(omega(frame, values=4096))
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)
        (piece,) = [read(ask(other_end, BacklogQuery("cloud", 0, START, max_bytes=1)))]
        assert [n for n, _ in piece] == [1], "one at least"
        numbers: list[int] = []
        pieces = 0
        while piece := read(ask(other_end, BacklogQuery("cloud", 0, START + (numbers[-1] if numbers else 0)))):
            numbers += [n for n, _ in piece]
            pieces += 1
        assert (numbers, pieces >= 3) == (list(range(1, count + 1)), True)


def test_only_omegas_that_every_consumer_acknowledged_are_dropped(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    with opened(endpoint, queue) as link:
        wait_for(other_end, link)  # queries as one more consumer, which has nothing
        for frame in range(1, 6):
            link.send(omega(frame))
        ask(other_end, BacklogQuery("a", START + 5))
        assert queue.waiting == 5
        ask(other_end, BacklogQuery("nobody", START + 3))
        assert queue.waiting == 2
        assert [n for n, _ in read(ask(other_end, BacklogQuery("b", START + 3, 0)))] == [4, 5]


def test_unreachable_endpoint_blocks_nothing_and_every_omega_is_kept(endpoint: str, queue: OmegaQueue) -> None:
    with opened(endpoint, queue) as link:
        assert [link.send(omega(frame)) for frame in range(1, 101)] == [False] * 100
        assert (link.connected, link.sent, queue.waiting) == (False, 0, 100)


def test_first_omega_after_every_connection_is_plain(endpoint: str, queue: OmegaQueue) -> None:
    frame = 0
    with opened(endpoint, queue) as link:
        for _ in range(2):
            with listener(endpoint) as session:
                seen = Listener(session)
                wait_for(session, link)
                assert link.connected
                frame += 1
                link.send(omega(frame))
                assert seen.get()[0] == Header(frame, 0, queue.name, frame, 0)
            frame += 1
            while link.send(omega(frame)):
                frame += 1
                assert frame < 10_000, "the end of the connection is not noticed"
            assert not link.connected


def test_closed_link_is_not_connected_and_closes_twice(
    endpoint: str, other_end: zenoh.Session, queue: OmegaQueue
) -> None:
    link = opened(endpoint, queue)
    wait_for(other_end, link)
    link.close()
    link.close()
    assert not link.connected


@pytest.mark.parametrize("text", ["tcp/192.168.1.4:7447", "tls/127.0.0.1:7447", "nonsense"])
def test_endpoint_beyond_the_loopback_is_rejected_without_credentials(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint: "):
        camera_end("room1", text)


def test_wildcard_as_camera_id_is_rejected(endpoint: str, queue: OmegaQueue) -> None:
    with pytest.raises(ValueError, match="camera_id"):
        EdgeLink("*", camera_end("room1", endpoint)[0], queue, PictureSchedule())


def open_ports() -> set[str]:
    """Return local addresses of this process's sockets that accept packets: TCP listeners and all UDP sockets."""
    mine = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink() and fd.exists()}
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        path = Path("/proc/net") / table
        rows = [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []
        found |= {f"{table} {row[1]}" for row in rows if row[3] == state and f"socket:[{row[9]}]" in mine}
    return found


def test_edge_opens_no_listening_socket(endpoint: str, queue: OmegaQueue) -> None:
    before = open_ports()
    with listener(endpoint):
        assert len(open_ports() - before) == 1
    before = open_ports()
    with opened(endpoint, queue):
        assert open_ports() - before == set()
