"""Each denied attempt is one line on standard error with peer and reason, and nothing else is."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import zenoh

from privcam_link.access_control import MAX_PUT_BYTES, Settings, camera_access, tls_settings
from privcam_link.certificates import keys_command as keys
from privcam_link.credentials import Credentials, load
from privcam_link.denials.access_denials import QUIET_S, AccessDenials
from privcam_link.denials.handshake_tracker import HandshakeTracker
from privcam_link.endpoints import LINK_SETTINGS
from privcam_link.wire import key_expression

# Against a test that hangs.
HANG_LIMIT_S = 300.0
# How long the first bytes of a slow line take.
LINE_S = 0.3
KEY = key_expression("room1")
BLOCK = zenoh.CongestionControl.BLOCK

# One end of the link, in a process of its own. It reports when it is ready and what it hears, and stays until reported.
END = """
import json, sys
from pathlib import Path
import zenoh
from privcam_link.access_control import camera_access, cloud_access, tls_settings
from privcam_link.credentials import load
from privcam_link.denials.denial_log import DenialLog
from privcam_link.endpoints import LINK_SETTINGS
from privcam_link.wire import ALL_CAMERAS

log = DenialLog(zenoh.init_log_from_env_or)
own = load(Path(sys.argv[1]))
config = zenoh.Config()
config.insert_json5("mode", '"peer"')
listens = own.camera_id is None
config.insert_json5("listen/endpoints", json.dumps([sys.argv[2]] if listens else []))
config.insert_json5("connect/endpoints", json.dumps([] if listens else [sys.argv[2]]))
config.insert_json5("connect/timeout_ms", "-1")
access = cloud_access(own) if listens else camera_access(own)
for name, value in {**LINK_SETTINGS, **tls_settings(own), **access}.items():
    config.insert_json5(name, value)
with zenoh.open(config) as session:
    if listens:
        log.watch(sys.argv[2])
    heard = session.declare_subscriber(ALL_CAMERAS, lambda sample: print(bytes(sample.payload).decode(), flush=True))
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Credentials]:
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    for root in (here, there):
        for line in ("init", "add camera room1", "add cloud hq --address 127.0.0.1", "add viewer nurse"):
            run(root, line)
    run(here, "revoke nurse --reissue")
    found = {name: load(here / "keys" / name) for name in ("room1", "hq", "nurse")}
    return {**found, "revoked": load(here / "ca/revoked/viewer.nurse.1"), "foreign": load(there / "keys/room1")}


def run(root: Path, line: str) -> None:
    assert keys.main(["--authority", str(root / "ca"), "--keys", str(root / "keys"), *line.split()]) == keys.DONE


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tls/127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def end(own: Credentials, endpoint: str) -> Iterator["subprocess.Popen[str]"]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", END, str(own.folder), endpoint]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        watchdog = threading.Timer(HANG_LIMIT_S, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process
        watchdog.cancel()


def attack(endpoint: str, settings: Settings) -> zenoh.Session:
    config = zenoh.Config()
    for name, value in {**LINK_SETTINGS, **settings}.items():
        config.insert_json5(name, value)
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", json.dumps([endpoint]))
    config.insert_json5("connect/timeout_ms", "1000")
    return zenoh.open(config)


@contextmanager
def as_from_afar(endpoint: str) -> Iterator[tuple[str, str]]:
    """Yield an endpoint that forwards to `endpoint`, and the address that the listener sees.

    The first bytes are delayed as on a slow line; on the loopback a connection can be closed before it is registered.
    """
    host, _, port = endpoint.removeprefix("tls/").partition(":")
    with socket.create_connection((host, int(port))) as far, socket.create_server((host, 0)) as server:

        def carry(source: socket.socket, to: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    to.sendall(data)

        def serve() -> None:
            with server.accept()[0] as near:
                time.sleep(LINE_S)
                back = threading.Thread(target=carry, args=(far, near))
                back.start()
                carry(near, far)
                far.close()
                back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        own_host, own_port = far.getsockname()
        yield f"tls/{host}:{server.getsockname()[1]}", f"{own_host}:{own_port}"
        thread.join()


def test_each_attempt_at_a_cloud_is_reported_with_peer_and_reason(house: dict[str, Credentials], endpoint: str) -> None:
    own = tls_settings(house["room1"])
    without = {k: v for k, v in own.items() if "connect_" not in k and "mtls" not in k}
    foreign = tls_settings(house["foreign"])
    ours = "transport/link/tls/root_ca_certificate"
    with end(house["hq"], endpoint) as cloud:
        addresses = []
        for settings in (without, {**foreign, ours: own[ours]}):
            with as_from_afar(endpoint) as (near, address), pytest.raises(zenoh.ZError):
                attack(near, settings)
            addresses.append(address)
        attack(endpoint, tls_settings(house["revoked"])).close()
        with attack(endpoint, tls_settings(house["nurse"])) as viewer:
            list(viewer.get("**", timeout=HANG_LIMIT_S))
            viewer.put(KEY, b"false", congestion_control=BLOCK)
            list(viewer.get("privcam/room1/*", timeout=HANG_LIMIT_S))
        with attack(endpoint, own) as camera:
            camera.put("privcam/room1/raw", b"picture", congestion_control=BLOCK)
            camera.put(key_expression("room2"), b"false", congestion_control=BLOCK)
            camera.put(KEY, bytes(MAX_PUT_BYTES + 1), congestion_control=BLOCK)
            for _ in range(3):
                camera.delete(KEY, congestion_control=BLOCK)
            list(camera.get("**", timeout=HANG_LIMIT_S))
            camera.put(KEY, b"omega", congestion_control=BLOCK)
            assert cloud.stdout is not None and cloud.stdout.readline() == "omega\n"
        _, said = cloud.communicate(timeout=HANG_LIMIT_S)
    lines = [line.removeprefix("[link] refused: ") for line in said.splitlines()]
    assert lines[0] == f"from {addresses[0]}: connection: peer sent no certificates"
    assert lines[1].startswith(f"from {addresses[1]}: connection: invalid peer certificate: ")
    assert lines[2].startswith("from viewer.nurse.1 at tls/127.0.0.1:") and "it was revoked" in lines[2]
    assert lines[3:] == [
        "from viewer.nurse.2: Query on **",
        f"from viewer.nurse.2: Put on {KEY}",
        "from viewer.nurse.2: Query on privcam/room1/*",
        "from camera.room1.1: Put on privcam/room1/raw",
        "from camera.room1.1: Put on privcam/room2/omega",
        f"from camera.room1.1: Put on {KEY}: too large",
        f"from camera.room1.1: Delete on {KEY}",
        "from camera.room1.1: Query on **",
    ]


def test_allowed_messages_are_not_reported(house: dict[str, Credentials], endpoint: str) -> None:
    with end(house["hq"], endpoint) as cloud:
        with attack(endpoint, {**tls_settings(house["room1"]), **camera_access(house["room1"])}) as camera:
            own = [camera.declare_queryable(KEY), camera.liveliness().declare_token(KEY)]
            publisher = camera.declare_publisher(KEY, congestion_control=BLOCK)
            publisher.put(b"omega")
            assert cloud.stdout is not None and cloud.stdout.readline() == "omega\n"
            for declared in (publisher, *own):
                declared.undeclare()
        assert cloud.communicate(timeout=HANG_LIMIT_S) == ("", "")


def zenoh_line(text: str, thread: int = 1, seconds: float = 1.0) -> str:
    target = "zenoh::net::routing::interceptor"
    return f"2030-01-01T00:00:{seconds:09.6f}Z TRACE  rx-0 ThreadId({thread:02}) {target}{text}\n"


def judged(denials: AccessDenials, key: str, verdict: str = "unauthorized") -> None:
    text = f"::access_control: Using cached result: ab12 is {verdict} to Put (ingress) on {key}"
    assert denials.read(zenoh_line(text)) == (None, False)


def denied(denials: AccessDenials, key: str, verdict: str = "unauthorized") -> str | None:
    judged(denials, key, verdict)
    return denials.read(zenoh_line(": Msg intercepted!"))[0]


def test_repeated_denial_is_counted_and_does_not_fill_the_log() -> None:
    now = [0.0]
    denials = AccessDenials(HandshakeTracker(), lambda: now[0])
    assert denied(denials, "x") == "from ab12: Put on x"
    assert {denied(denials, "x") for _ in range(99)} == {None}
    assert denied(denials, "y") == "from ab12: Put on y"
    now[0] = QUIET_S
    assert denied(denials, "x") == "from ab12: Put on x (and 99 times before)"


@pytest.mark.parametrize(("thread", "later_s", "reported"), [(1, 0.0001, True), (2, 0.0001, False), (1, 1.0, False)])
def test_denial_belongs_to_the_message_right_before_on_the_same_thread(
    thread: int, later_s: float, reported: bool
) -> None:
    denials = AccessDenials(HandshakeTracker())
    judged(denials, "x", "authorized")
    said, _ = denials.read(zenoh_line(": Msg intercepted!", thread, 1.0 + later_s))
    assert said == ("from ab12: Put on x: too large" if reported else None)


def test_verdict_without_a_dropped_message_is_not_reported() -> None:
    denials = AccessDenials(HandshakeTracker())
    judged(denials, "x")
    judged(denials, "y")
    assert denied(denials, "z") == "from ab12: Put on z"
    assert denials.read(zenoh_line(": Msg intercepted!")) == (None, False)


def test_other_output_passes_and_a_key_cannot_forge_the_terminal() -> None:
    assert AccessDenials(HandshakeTracker()).read("hello\n") == (None, True)
    assert AccessDenials(HandshakeTracker()).read("2030-01-01T00:00:00.0Z  WARN ThreadId(01) zenoh::other: text\n") == (
        None,
        True,
    )
    assert denied(AccessDenials(HandshakeTracker()), "a\x1b]0;b") == "from ab12: Put on a?]0;b"
