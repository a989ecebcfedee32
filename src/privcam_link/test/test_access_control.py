"""What gets through a real Zenoh link with certificates, and what does not: from the right end and from the wrong one.

An attacker here has whatever certificate the test gives it and no access rules of its own. That something did not
arrive is shown by sending something allowed after it on the same connection and waiting for that.
"""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Queue

import pytest
import zenoh

from privcam_link.access_control import (
    MAX_MESSAGE_BYTES,
    MAX_PUT_BYTES,
    Settings,
    camera_access,
    cloud_access,
    loopback_access,
    tls_settings,
    viewer_access,
)
from privcam_link.certificates import keys_command as keys
from privcam_link.credentials import Credentials, load
from privcam_link.endpoints import LINK_SETTINGS
from privcam_link.wire import ALL_CAMERAS, key_expression

# Against a test that hangs.
HANG_LIMIT_S = 300.0
KEY = key_expression("room1")
BLOCK = zenoh.CongestionControl.BLOCK
Keys = dict[str, Credentials]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Credentials of one house; `revoked` and `former` were good before; `foreign` and `false` are of another house."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")

    def run(root: Path, line: str) -> None:
        assert keys.main(["--authority", str(root / "ca"), "--keys", str(root / "keys"), *line.split()]) == keys.DONE

    for root in (here, there):
        for line in ("init", "add camera room1", "add camera room2", "add cloud hq --address 127.0.0.1"):
            run(root, line)
    run(here, "add viewer nurse")
    before = {name: load(shutil.copytree(here / "keys" / name, here / f"old_{name}")) for name in ("room2", "hq")}
    for line in ("revoke room2 --reissue", "revoke hq --reissue"):
        run(here, line)
    run(here, "renew room1")
    found = {name: load(here / "keys" / name) for name in ("room1", "room2", "hq", "nurse")}
    foreign = {"foreign": load(there / "keys/room1"), "false": load(there / "keys/hq")}
    return {**found, **foreign, "revoked": before["room2"], "former": before["hq"]}


def free_endpoint(protocol: str = "tls") -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{protocol}/127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


def session(*settings: Settings, listen: str = "", connect: str = "", mode: str = "client") -> zenoh.Session:
    config = zenoh.Config()
    config.insert_json5("mode", json.dumps("peer" if listen else mode))
    config.insert_json5("listen/endpoints", json.dumps([listen] if listen else []))
    if connect:
        config.insert_json5("connect/endpoints", json.dumps([connect]))
        config.insert_json5("connect/timeout_ms", "2000" if mode == "client" else "-1")
    for name, value in [item for group in (LINK_SETTINGS, *settings) for item in group.items()]:
        config.insert_json5(name, value)
    return zenoh.open(config)


def heard(session: zenoh.Session, key: str = ALL_CAMERAS) -> "Queue[zenoh.Sample]":
    samples: Queue[zenoh.Sample] = Queue()
    session.declare_subscriber(key, samples.put, allowed_origin=zenoh.Locality.REMOTE)
    return samples


def ask(session: zenoh.Session, selector: str) -> list[bytes]:
    replies = session.get(selector, timeout=HANG_LIMIT_S, allowed_destination=zenoh.Locality.REMOTE)
    return [bytes(reply.ok.payload) for reply in replies if reply.ok]


def next_payload(samples: "Queue[zenoh.Sample]") -> bytes:
    return bytes(samples.get(timeout=HANG_LIMIT_S).payload)


def put(session: zenoh.Session, key: str, payload: bytes) -> None:
    session.put(key, payload, congestion_control=BLOCK)


def matched(side: zenoh.Publisher | zenoh.Querier) -> None:
    """Wait for a subscriber or a queryable."""
    changes: Queue[zenoh.MatchingStatus] = Queue()
    listener = side.declare_matching_listener(changes.put)
    if not side.matching_status.matching:
        assert changes.get(timeout=HANG_LIMIT_S).matching
    listener.undeclare()


class Camera:
    """An honest or dishonest camera that does what a camera does, and knows when it is heard."""

    def __init__(self, session: zenoh.Session) -> None:
        self.session = session
        self.questions: list[str] = []
        self._publisher = session.declare_publisher(KEY, congestion_control=BLOCK)
        self._queryable = session.declare_queryable(KEY, self._answer)
        self.token = session.liveliness().declare_token(KEY)
        matched(self._publisher)

    def put(self, payload: bytes) -> None:
        self._publisher.put(payload)

    def _answer(self, query: zenoh.Query) -> None:
        with query:
            self.questions.append(str(query.selector))
            query.reply(KEY, b"picture")


class House:
    """A cloud that listens, and what reaches it."""

    def __init__(self, cloud: zenoh.Session, stack: ExitStack, endpoint: str) -> None:
        self.cloud, self._stack, self._endpoint = cloud, stack, endpoint
        self.samples = heard(cloud)
        self._anything = heard(cloud, "**")
        self.alive: Queue[zenoh.Sample] = Queue()
        self.links: Queue[zenoh.TransportEvent] = Queue()
        cloud.liveliness().declare_subscriber(ALL_CAMERAS, self.alive.put, history=True)
        cloud.info.declare_transport_events_listener(self.links.put, history=True)

    def camera(self, *settings: Settings) -> Camera:
        made = Camera(self.join(*settings, mode="peer"))
        # A query that is sent before the cloud knows the queryable gets no reply.
        matched(self.cloud.declare_querier(KEY))
        return made

    def join(self, *settings: Settings, mode: str = "client") -> zenoh.Session:
        return self._stack.enter_context(session(*settings, connect=self._endpoint, mode=mode))

    def first(self) -> tuple[str, bytes]:
        """Return key and payload of the first thing that came, whatever it is."""
        sample = self._anything.get(timeout=HANG_LIMIT_S)
        return str(sample.key_expr), bytes(sample.payload)

    def hears_nothing_of(self, stranger: zenoh.Session, key: str) -> None:
        """Connect, put and disconnect. The link is closed after its messages were delivered."""
        assert self.links.get(timeout=HANG_LIMIT_S).kind == zenoh.SampleKind.PUT
        put(stranger, key, b"omega")
        stranger.close()
        assert self.links.get(timeout=HANG_LIMIT_S).kind == zenoh.SampleKind.DELETE
        assert self._anything.empty()


@contextmanager
def opened(endpoint: str, *settings: Settings) -> Iterator[House]:
    with ExitStack() as stack, session(*settings, listen=endpoint) as cloud:
        yield House(cloud, stack, endpoint)


@pytest.fixture
def cloud(house: Keys, endpoint: str) -> Iterator[House]:
    with opened(endpoint, tls_settings(house["hq"]), cloud_access(house["hq"])) as cloud:
        yield cloud


@pytest.fixture
def camera(house: Keys, cloud: House) -> Camera:
    return cloud.camera(tls_settings(house["room1"]), camera_access(house["room1"]))


def check_the_protocol(cloud: House, camera: Camera) -> None:
    """Everything that the two ends need: put, query to one and to all, liveliness from birth to death."""
    camera.put(b"omega")
    assert next_payload(cloud.samples) == b"omega"
    assert ask(cloud.cloud, f"{KEY}?digest=00") == ask(cloud.cloud, f"{ALL_CAMERAS}?digest=00") == [b"picture"]
    assert cloud.alive.get(timeout=HANG_LIMIT_S).kind == zenoh.SampleKind.PUT
    camera.token.undeclare()
    assert cloud.alive.get(timeout=HANG_LIMIT_S).kind == zenoh.SampleKind.DELETE


def test_camera_and_cloud_do_all_they_need_with_certificates(cloud: House, camera: Camera) -> None:
    check_the_protocol(cloud, camera)


def test_largest_message_passes(cloud: House, camera: Camera) -> None:
    camera.put(bytes(MAX_PUT_BYTES))
    assert len(next_payload(cloud.samples)) == MAX_PUT_BYTES


def test_viewer_hears_and_asks_through_the_cloud(house: Keys, cloud: House, camera: Camera) -> None:
    viewer = cloud.join(tls_settings(house["nurse"]), viewer_access(house["nurse"]))
    samples, alive = heard(viewer), Queue()
    viewer.liveliness().declare_subscriber(ALL_CAMERAS, alive.put, history=True)
    # The answer shows that what the viewer declared before it asked has reached the cloud.
    assert ask(viewer, f"{KEY}?digest=00") == [b"picture"]
    camera.put(b"omega")
    assert next_payload(samples) == b"omega"
    assert str(alive.get(timeout=HANG_LIMIT_S).key_expr) == KEY


def test_nobody_connects_without_a_certificate_of_this_authority(house: Keys, cloud: House) -> None:
    own = tls_settings(house["room1"])
    without = {k: v for k, v in own.items() if "connect_" not in k and "mtls" not in k}
    foreign = tls_settings(house["foreign"])
    # This one trusts our authority, so that only the cloud can be the one who refuses.
    trusting = {**foreign, "transport/link/tls/root_ca_certificate": own["transport/link/tls/root_ca_certificate"]}
    for settings in (without, foreign, trusting):
        with pytest.raises(zenoh.ZError):
            cloud.join(settings)
    assert not list(cloud.cloud.info.transports())


def test_camera_does_not_talk_to_a_false_cloud(house: Keys) -> None:
    stolen = {k.replace("/connect_", "/listen_"): v for k, v in tls_settings(house["room2"]).items()}
    for settings in (tls_settings(house["false"]), stolen):
        endpoint = free_endpoint()
        with session(settings, listen=endpoint), pytest.raises(zenoh.ZError):
            session(tls_settings(house["room1"]), camera_access(house["room1"]), connect=endpoint)


def test_camera_says_nothing_to_a_cloud_that_was_revoked(house: Keys, endpoint: str) -> None:
    with opened(endpoint, tls_settings(house["former"])) as cloud:
        cloud.hears_nothing_of(cloud.join(tls_settings(house["room1"]), camera_access(house["room1"])), KEY)


def test_camera_that_was_revoked_is_not_heard(house: Keys, cloud: House) -> None:
    cloud.hears_nothing_of(cloud.join(tls_settings(house["revoked"])), key_expression("room2"))
    put(cloud.join(tls_settings(house["room2"])), key_expression("room2"), b"of the new certificate")
    assert cloud.first() == (key_expression("room2"), b"of the new certificate")


FORBIDDEN: dict[str, Callable[[zenoh.Session], None]] = {
    "another key": lambda s: put(s, "privcam/room1/raw", b"picture"),
    "below the key": lambda s: put(s, f"{KEY}/raw", b"picture"),
    "another camera's key": lambda s: put(s, key_expression("room2"), b"picture"),
    "all cameras' keys": lambda s: put(s, ALL_CAMERAS, b"picture"),
    "a byte too large": lambda s: put(s, KEY, bytes(MAX_PUT_BYTES + 1)),
    "a raw picture of 8K": lambda s: put(s, KEY, bytes(MAX_MESSAGE_BYTES + 1)),
    "a delete": lambda s: s.delete(KEY, congestion_control=BLOCK),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_camera_gets_nothing_but_its_omega_into_the_cloud(house: Keys, cloud: House, what: str) -> None:
    attacker = cloud.join(tls_settings(house["room1"]))
    FORBIDDEN[what](attacker)
    put(attacker, KEY, b"omega")
    assert cloud.first() == (KEY, b"omega")


@pytest.mark.parametrize("what", ["another key", "another camera's key", "a byte too large", "a delete"])
def test_rules_of_the_camera_alone_keep_it_in(house: Keys, endpoint: str, what: str) -> None:
    with opened(endpoint, tls_settings(house["hq"])) as cloud:  # a cloud without any rules
        camera = cloud.join(tls_settings(house["room1"]), camera_access(house["room1"]))
        FORBIDDEN[what](camera)
        put(camera, KEY, b"omega")
        assert cloud.first() == (KEY, b"omega")


@pytest.mark.parametrize("selector", ["**", "privcam/**", "privcam/room1/*", ALL_CAMERAS])
def test_camera_may_not_ask(house: Keys, cloud: House, camera: Camera, selector: str) -> None:
    attacker = cloud.join(tls_settings(house["room2"]))
    samples = heard(attacker, selector)
    assert ask(attacker, selector) == []
    camera.put(b"omega")
    put(attacker, key_expression("room2"), b"allowed")
    assert {next_payload(cloud.samples), next_payload(cloud.samples)} == {b"omega", b"allowed"}
    assert ask(cloud.cloud, f"{KEY}?digest=00") == [b"picture"]
    assert samples.empty() and camera.questions == [f"{KEY}?digest=00"]


@pytest.mark.parametrize("selector", ["**", "privcam/**", "privcam/room1/*"])
def test_viewer_may_not_ask_for_everything(house: Keys, cloud: House, camera: Camera, selector: str) -> None:
    viewer = cloud.join(tls_settings(house["nurse"]))
    assert ask(viewer, selector) == []
    assert ask(viewer, f"{KEY}?digest=00") == [b"picture"]
    assert camera.questions == [f"{KEY}?digest=00"]


def test_viewer_may_not_put(house: Keys, cloud: House, camera: Camera) -> None:
    viewer = cloud.join(tls_settings(house["nurse"]))
    put(viewer, KEY, b"false")
    assert ask(viewer, f"{KEY}?digest=00") == [b"picture"]
    camera.put(b"omega")
    assert cloud.first() == (KEY, b"omega")


def test_cloud_may_not_put_or_ask_for_everything(house: Keys, endpoint: str) -> None:
    for rules in ({}, cloud_access(house["hq"])):  # refused by the camera, then by both
        with opened(endpoint, tls_settings(house["hq"]), rules) as cloud:
            camera = cloud.camera(tls_settings(house["room1"]), camera_access(house["room1"]))
            samples = heard(camera.session, "**")
            put(cloud.cloud, KEY, b"false")
            assert ask(cloud.cloud, "**") == []
            assert ask(cloud.cloud, f"{KEY}?digest=00") == [b"picture"]
            assert samples.empty() and camera.questions == [f"{KEY}?digest=00"]


def test_rules_of_the_cloud_alone_keep_it_from_putting(house: Keys, cloud: House) -> None:
    attacker = cloud.camera(tls_settings(house["room1"]))
    samples = heard(attacker.session, "**")
    put(cloud.cloud, KEY, b"false")
    assert ask(cloud.cloud, f"{KEY}?digest=00") == [b"picture"]
    assert samples.empty()


def test_loopback_needs_no_certificate_and_has_the_same_keys_and_sizes() -> None:
    endpoint = free_endpoint("tcp")
    with opened(endpoint, loopback_access()) as cloud:
        for what in ("another key", "below the key", "a byte too large", "a delete"):
            attacker = cloud.join()
            FORBIDDEN[what](attacker)
            put(attacker, KEY, b"omega")
            assert cloud.first() == (KEY, b"omega"), what
            assert next_payload(cloud.samples) == b"omega"
        assert ask(attacker, "**") == []
        check_the_protocol(cloud, cloud.camera(loopback_access("room1")))


def test_session_with_certificates_takes_no_endpoint_without(house: Keys) -> None:
    with pytest.raises(zenoh.ZError):
        session(tls_settings(house["hq"]), listen=free_endpoint("tcp"))


def test_rules_are_made_for_the_right_role_only(house: Keys) -> None:
    for make, wrong in ((camera_access, "hq"), (cloud_access, "nurse"), (viewer_access, "room1")):
        with pytest.raises(ValueError, match="which is no"):
            make(house[wrong])
