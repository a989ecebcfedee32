"""The edge's link against a real Zenoh session at the other end."""

import json
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
import zenoh

from privcam_core import cdr
from privcam_core.checks import Reason
from privcam_core.images import encode_environment
from privcam_core.omega import Embedding, Environment, Omega, PrivacyReport, SyncKey, Verdict
from privcam_core.wire import ATTACHMENT, LINK_SETTINGS
from privcam_edge.link.session import EdgeLink

PATIENCE_S = 30.0
PNG = encode_environment(np.full((8, 8, 3), 90, np.uint8), np.ones((8, 8), bool))


def omega(frame: int = 1) -> Omega:
    key = SyncKey("room1", frame, 10**18 + frame)
    return Omega(
        key,
        Environment(key, PNG, sha256(PNG).digest(), 8, 8, 1.0, 1),
        [],
        Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0),
        PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS),
    )


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


def listener(endpoint: str) -> zenoh.Session:
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("listen/endpoints", json.dumps([endpoint]))
    for name, value in LINK_SETTINGS.items():
        config.insert_json5(name, value)
    return zenoh.open(config)


@pytest.fixture
def other_end(endpoint: str) -> Iterator[zenoh.Session]:
    with listener(endpoint) as session:
        yield session


def watch(session: zenoh.Session) -> "Queue[zenoh.Sample]":
    """Return everything that is put on any key of the session's network."""
    samples: Queue[zenoh.Sample] = Queue()
    session.declare_subscriber("**", samples.put)
    return samples


def send_until(link: EdgeLink, samples: "Queue[zenoh.Sample]") -> zenoh.Sample:
    """Send Ω after Ω until the other end, which has to make itself known first, receives one."""
    for frame in range(1, int(PATIENCE_S * 20)):
        link.send(omega(frame))
        try:
            return samples.get(timeout=0.05)
        except Exception:
            continue
    raise AssertionError("nothing arrived")


def ask(session: zenoh.Session, selector: str) -> list[Any]:
    answers = session.get(selector, timeout=PATIENCE_S, allowed_destination=zenoh.Locality.REMOTE)
    replies = [reply.ok or reply.err for reply in answers]
    return [bytes(reply.payload) for reply in replies]


def test_omega_arrives_as_cdr_with_its_attachment_on_its_key(endpoint: str, other_end: zenoh.Session) -> None:
    samples = watch(other_end)
    with EdgeLink("room1", endpoint) as link:
        sample = send_until(link, samples)
    assert str(sample.key_expr) == "privcam/room1/omega"
    assert bytes(sample.attachment) == ATTACHMENT
    frame = cdr.decode(bytes(sample.payload)).key.frame_id
    assert bytes(sample.payload) == cdr.encode(omega(frame))


def test_question_for_a_picture_is_answered_with_omega_and_any_other_is_refused(
    endpoint: str, other_end: zenoh.Session
) -> None:
    up: Queue[bool] = Queue()
    samples = watch(other_end)
    known = omega().environment.digest
    with EdgeLink(
        "room1", endpoint, on_query=lambda digest: omega() if digest == known else None, on_change=up.put
    ) as link:
        assert up.get(timeout=PATIENCE_S)
        send_until(link, samples)
        key = "privcam/room1/omega"
        assert ask(other_end, f"{key}?digest={known.hex()}") == [cdr.encode(omega())]
        assert ask(other_end, f"{key}?digest={'00' * 32}") == [b"unknown_picture"]
        assert ask(other_end, f"{key}?digest=../../etc") == [b"digest"]
        assert ask(other_end, key) == [b"digest"]
        for other in ("privcam/room1/frames", "@/**"):
            assert ask(other_end, other) == []
        assert (link.answered, link.refused) == (1, {Reason.UNKNOWN_PICTURE: 1, Reason.DIGEST: 2})


def test_omega_of_another_camera_is_never_an_answer(endpoint: str, other_end: zenoh.Session) -> None:
    samples = watch(other_end)
    with EdgeLink("room2", endpoint, on_query=lambda _: omega()) as link:
        send_until(link, samples)
        digest = omega().environment.digest.hex()
        assert ask(other_end, f"privcam/room2/omega?digest={digest}") == [b"unknown_picture"]


def test_unreachable_endpoint_is_reported_and_holds_up_nothing(endpoint: str) -> None:
    with EdgeLink("room1", endpoint) as link:
        assert [link.send(omega(frame)) for frame in range(1, 101)] == [False] * 100
        assert (link.connected, link.sent, link.unsent) == (False, 0, 100)


def test_link_comes_up_when_the_other_end_does_and_goes_down_with_it(endpoint: str) -> None:
    changes: Queue[bool] = Queue()
    with EdgeLink("room1", endpoint, on_change=changes.put) as link:
        for _ in range(2):
            with listener(endpoint) as session:
                samples = watch(session)
                assert changes.get(timeout=PATIENCE_S) is True
                assert link.connected
                send_until(link, samples)
            assert changes.get(timeout=PATIENCE_S) is False
            assert not link.connected


def test_closed_link_is_not_connected_and_closes_twice(endpoint: str, other_end: zenoh.Session) -> None:
    samples = watch(other_end)
    link = EdgeLink("room1", endpoint)
    send_until(link, samples)
    link.close()
    link.close()
    assert not link.connected


@pytest.mark.parametrize("text", ["tcp/192.168.1.4:7447", "tls/127.0.0.1:7447", "nonsense"])
def test_endpoint_that_is_not_on_the_loopback_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="endpoint: "):
        EdgeLink("room1", text)


def test_name_that_is_more_than_one_camera_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="camera_id"):
        EdgeLink("*", endpoint)


def open_ports() -> set[str]:
    """Return local addresses of this process's sockets that wait for others: TCP listeners and all UDP sockets."""
    mine = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink() and fd.exists()}
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        path = Path("/proc/net") / table
        rows = [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []
        found |= {f"{table} {row[1]}" for row in rows if row[3] == state and f"socket:[{row[9]}]" in mine}
    return found


def test_edge_listens_to_nobody(endpoint: str) -> None:
    before = open_ports()
    with listener(endpoint):
        assert len(open_ports() - before) == 1
    before = open_ports()
    with EdgeLink("room1", endpoint):
        assert open_ports() - before == set()
