"""The HTTP server of the console, as a real one: routes, who may call, and what a client of the live view gets."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from harness.rooms.drawn_room import omega_of, room_png
from privcam_console.live.channel import LiveFrame
from privcam_console.live.decoder import LiveDecoder
from privcam_console.live.from_omega import hello_of, pose_of
from privcam_console.live.hub import Hub
from privcam_console.live.messages import CameraState, Env, Hello, Message, Pose, Report, State
from privcam_console.server.address import UnusableAddress, listen_on, url_of
from privcam_console.server.live_socket import NO_SUCH_CAMERA, POLICY_VIOLATION
from privcam_console.server.web_server import WebServer

PNG = room_png()
HANG_LIMIT_S = 60.0


class Site:
    """A running server with one camera."""

    def __init__(self) -> None:
        listening = listen_on("127.0.0.1", 0)
        self.port = listening.getsockname()[1]
        self.url = url_of(listening)
        self.hub = Hub()
        self.failures: list[str] = []
        self.server = WebServer(self.hub, listening, self.failures.append)
        self.server.call(self.hub.add_camera, "room1")
        self.server.start()

    def frame(self, number: int, subjects: int = 2) -> bytes:
        """Let an Ω come; return the digest of its environment. It has been taken when this returns."""
        omega = omega_of("room1", number, number * 100_000_000, PNG, subjects=subjects)
        self.server.call(self.hub.take_frame, LiveFrame(hello_of(omega), omega.environment.digest, pose_of(omega)), PNG)
        self.settle()
        return omega.environment.digest

    def settle(self) -> None:
        """Wait until everything before was done on the thread of the server."""
        done = threading.Event()
        self.server.call(done.set)
        assert done.wait(HANG_LIMIT_S)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_LIMIT_S)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer, body

    @contextmanager
    def look(self, camera_id: str = "room1", **options: Any) -> Iterator[ClientConnection]:
        given = {"origin": self.url.rstrip("/"), **options}
        with connect(f"ws://127.0.0.1:{self.port}/live/{camera_id}", open_timeout=HANG_LIMIT_S, **given) as client:
            yield client


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.stop()
    assert made.failures == []


def read_until(client: ClientConnection, decoder: LiveDecoder, wanted: Callable[[Message], bool]) -> list[Message]:
    messages = []
    while not messages or not wanted(messages[-1]):
        data = client.recv(timeout=HANG_LIMIT_S)
        assert isinstance(data, bytes)
        messages.append(decoder.decode(data))
    return messages


def test_page_and_its_modules_are_served_and_need_nothing_from_elsewhere(site: Site) -> None:
    answer, body = site.get("/")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"<script>" not in body
    assert b"style=" not in body
    assert answer.headers["cache-control"] == "no-store"
    for path in ("js/main.js", "console.css", "icon.svg"):
        assert f"/static/{path}".encode() in body or path == "icon.svg"
        assert site.get(f"/static/{path}")[0].status == 200
    assert site.get("/static/../app.py")[0].status == 404
    assert site.get("/docs")[0].status == 404


def test_cameras_are_listed_with_their_state(site: Site) -> None:
    (camera,) = json.loads(site.get("/api/v1/cameras")[1])["cameras"]
    assert (camera["camera_id"], camera["state"], camera["people"]) == ("room1", "offline", 0)
    site.frame(1)
    (camera,) = json.loads(site.get("/api/v1/cameras")[1])["cameras"]
    assert (camera["state"], camera["people"], camera["width"], camera["passed"]) == ("live", 2, 640, True)
    assert camera["withheld_fraction"] == 0.056
    assert "/api/v1/cameras" in json.loads(site.get("/api/v1/openapi.json")[1])["paths"]


def test_environment_comes_as_it_came_and_only_while_it_is_held(site: Site) -> None:
    digest = site.frame(1).hex()
    answer, body = site.get(f"/env/{digest}")
    assert body == PNG
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "image/png"
    assert site.get(f"/env/{'0' * 64}")[0].status == 404
    assert site.get("/env/..%2F..%2Fetc%2Fpasswd")[0].status in (404, 422)
    assert site.get(f"/env/{digest.upper()}")[0].status == 422


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "localhost:x"])
def test_request_for_a_name_of_somebody_else_is_refused(site: Site, host: str) -> None:
    answer, body = site.get("/api/v1/cameras", host=host)
    assert answer.status == 421
    assert b"room1" not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:9000", "[::1]", "[::1]:9000", "LOCALHOST:1"])
def test_request_for_the_loopback_is_served_also_through_a_tunnel(site: Site, host: str) -> None:
    assert site.get("/api/v1/cameras", host=host)[0].status == 200


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1"])
def test_page_of_somebody_else_gets_no_live_view(site: Site, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused, site.look(origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_nothing_can_be_changed(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert site.get("/api/v1/cameras", method)[0].status == 405


def test_client_gets_all_it_needs_and_then_every_frame(site: Site) -> None:
    digest = site.frame(1)
    decoder = LiveDecoder()
    with site.look() as client:
        first = read_until(client, decoder, lambda message: isinstance(message, Report))
        assert [type(message) for message in first] == [CameraState, Hello, Env, Pose, Report]
        assert Env(digest) in first
        site.frame(2, subjects=1)
        (*_, pose) = read_until(client, decoder, lambda m: isinstance(m, Pose) and m.frame_id == 2)
        assert isinstance(pose, Pose)
        assert len(pose.subjects) == 1


def test_client_is_told_when_the_camera_stops_without_anything_that_comes(site: Site) -> None:
    site.frame(1)
    with site.look() as client:
        told = read_until(client, LiveDecoder(), lambda m: isinstance(m, CameraState) and m.state is State.STALE)
        assert isinstance(told[-1], CameraState)
        assert told[-1].age_ms >= 2000


def test_camera_that_is_not_there_is_refused_by_its_own_code(site: Site) -> None:
    with site.look("room2") as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=HANG_LIMIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == NO_SUCH_CAMERA


@pytest.mark.parametrize("said", ["text", b"more than nothing"])
def test_client_that_says_more_than_an_answer_is_disconnected(site: Site, said: str | bytes) -> None:
    site.frame(1)
    with site.look() as client, pytest.raises(ConnectionClosed) as closed:
        client.send(said)
        while True:
            client.recv(timeout=HANG_LIMIT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == POLICY_VIOLATION


def test_stop_ends_clients_and_thread(site: Site) -> None:
    with site.look() as client:
        client.recv(timeout=HANG_LIMIT_S)
        site.server.stop()
        with pytest.raises(ConnectionClosed):
            while True:
                client.recv(timeout=HANG_LIMIT_S)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site.port))


@pytest.mark.parametrize(
    ("address", "port", "text"),
    [
        ("0.0.0.0", 0, "neither TLS nor users"),
        ("192.0.2.1", 0, "neither TLS nor users"),
        ("::", 0, "neither TLS nor users"),
        ("localhost", 0, "is no IP address"),
    ],
)
def test_address_that_others_reach_is_refused_with_a_reason(address: str, port: int, text: str) -> None:
    with pytest.raises(UnusableAddress, match=text):
        listen_on(address, port)


def test_port_that_is_taken_is_refused_with_a_reason() -> None:
    with listen_on("127.0.0.1", 0) as taken, pytest.raises(UnusableAddress, match="is in use"):
        listen_on("127.0.0.1", taken.getsockname()[1])
