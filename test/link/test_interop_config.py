"""What the files in config/zenoh let through, in real Zenoh sessions with real certificates.

Neither the stock bridge nor rmw_zenoh is among the packages that tests can have, so their sessions are played: the keys
are those that the two make of the topic /room1/omega_out. With rmw_zenoh the ends are clients of the two routers.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest
import zenoh

from privcam_link.certificates import keys_command as keys
from privcam_link.wire import TYPE_HASH, TYPE_NAME

FOLDER = Path(__file__).resolve().parents[2] / "config/zenoh"
# Against a test that hangs.
HANG_LIMIT_S = 300.0
BLOCK = zenoh.CongestionControl.BLOCK
LISTS = ("publishers", "subscribers", "service_servers", "service_clients", "action_servers", "action_clients")


@dataclass(frozen=True)
class Kind:
    """How a topic of ROS is named in Zenoh, and the token by which a publisher (MP) or subscription (MS) is known."""

    name: str
    topic: Callable[[str], str]
    token: Callable[[str, str], str]
    all_tokens: str


def _dds_type(name: str) -> str:
    return name.replace("/", "::").replace("::Omega", "::dds_::Omega_")


def _rmw_topic(topic: str) -> str:
    return f"0{topic}/{_dds_type(TYPE_NAME)}/{TYPE_HASH}"


def _rmw_token(kind: str, topic: str) -> str:
    mangled = topic.replace("/", "%")
    return f"@ros2_lv/0/a1b2/1/12/{kind}/%/%room1/bridge/{mangled}/{_dds_type(TYPE_NAME)}/{TYPE_HASH}/1:2:1,8:,:,:,,"


def _dds_token(kind: str, topic: str) -> str:
    return f"@/a1b2/@ros2_lv/{kind}/{topic[1:].replace('/', '§')}/{TYPE_NAME.replace('/', '§')}/:1:0:0,8"


ROS2DDS = Kind("ros2dds", lambda topic: topic[1:], _dds_token, "@/*/@ros2_lv/**")
RMW_ZENOH = Kind("rmw_zenoh", _rmw_topic, _rmw_token, "@ros2_lv/0/**")
TOPIC = "/room1/omega_out"
# What lies nearest to the topic, and what must never leave.
OTHERS = ("/room1/omega", "/room1/raw_poses", "/room1/frames", "/room2/omega_out", "/room1/omega_out/more", "/rosout")

each_kind = pytest.mark.parametrize("kind", [ROS2DDS, RMW_ZENOH], ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the credentials of one house."""
    root = tmp_path_factory.mktemp("house")
    for line in ("init", "add camera room1", "add camera room2", "add cloud hq --address 127.0.0.1"):
        arguments = ["--authority", str(root / "ca"), "--keys", str(root / "keys"), *line.split()]
        assert keys.main(arguments) == keys.DONE
    return root / "keys"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def free(protocol: str) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{protocol}/127.0.0.1:{probe.getsockname()[1]}"


def load(file: str) -> zenoh.Config:
    return zenoh.Config.from_file(FOLDER / file)


class Side:
    """The session that a file configures, and the end that speaks through it: itself, or a client of this router."""

    def __init__(
        self, kind: Kind, file: str, house: Path, name: str, tls: str, stack: ExitStack, *, rules: bool
    ) -> None:
        config = load(file)
        listens = "cloud" in file
        link = json.loads(config.get_json("transport/link/tls"))
        for field, path in link.items():
            if isinstance(path, str):
                config.insert_json5(f"transport/link/tls/{field}", json.dumps(str(house / name / Path(path).name)))
        local = [free("tcp")] if kind is RMW_ZENOH else []
        config.insert_json5("listen/endpoints", json.dumps([*local, *([tls] if listens else [])]))
        config.insert_json5("connect/endpoints", json.dumps([] if listens else [tls]))
        if not rules:
            config.insert_json5("access_control", '{"enabled": false}')
        self._stack, self._local = stack, local
        self.session = stack.enter_context(zenoh.open(config))
        self.end = self.client() if local else self.session

    def client(self) -> zenoh.Session:
        """Return a session of this host that is connected to this router."""
        config = zenoh.Config()
        config.insert_json5("mode", '"client"')
        config.insert_json5("scouting/multicast/enabled", "false")
        config.insert_json5("connect/endpoints", json.dumps(self._local))
        return self._stack.enter_context(zenoh.open(config))


class Pair:
    """An edge and a cloud with the files of one kind, connected by TLS."""

    def __init__(
        self,
        kind: Kind,
        house: Path,
        stack: ExitStack,
        *,
        edge_rules: bool = True,
        cloud_rules: bool = True,
        camera: str = "room1",
    ) -> None:
        tls = free("tls")
        self.kind = kind
        cloud_file = "ros2dds_cloud.json5" if kind is ROS2DDS else "rmw_zenoh_cloud_router.json5"
        edge_file = "ros2dds_edge.json5" if kind is ROS2DDS else "rmw_zenoh_edge_router.json5"
        self.cloud = Side(kind, cloud_file, house, "hq", tls, stack, rules=cloud_rules)
        self.edge = Side(kind, edge_file, house, camera, tls, stack, rules=edge_rules)
        self.wait(lambda: self.linked(self.cloud) and self.linked(self.edge))

    def linked(self, side: Side) -> bool:
        """Say whether a side has a connection to the other."""
        return any("tls" in str(link.src) for link in side.session.info.links())

    def wait(self, true: Callable[[], bool]) -> None:
        """Wait until it is."""
        end = time.monotonic() + HANG_LIMIT_S
        while not true():
            assert time.monotonic() < end
            time.sleep(0.02)

    def hear(self) -> "Queue[zenoh.Sample]":
        """Return what comes to somebody in the cloud who subscribes to the topic and to everything."""
        samples = heard(self.cloud.end, "**")
        heard(self.cloud.end, self.kind.topic(TOPIC))
        publisher = self.edge.end.declare_publisher(self.kind.topic(TOPIC))
        self.wait(lambda: publisher.matching_status.matching)
        return samples

    def part(self) -> None:
        """Close the cloud's side, and wait until what went through before is there."""
        self.cloud.session.close()
        self.wait(lambda: not self.linked(self.edge))
        time.sleep(0.2)


def heard(session: zenoh.Session, key: str) -> "Queue[zenoh.Sample]":
    samples: Queue[zenoh.Sample] = Queue()
    session.declare_subscriber(key, samples.put, allowed_origin=zenoh.Locality.REMOTE)
    return samples


def tokens(session: zenoh.Session, kind: Kind) -> "Queue[zenoh.Sample]":
    samples: Queue[zenoh.Sample] = Queue()
    session.liveliness().declare_subscriber(kind.all_tokens, samples.put, history=True)
    return samples


def put(session: zenoh.Session, key: str, payload: bytes = b"picture") -> None:
    session.put(key, payload, congestion_control=BLOCK)


def first(samples: "Queue[zenoh.Sample]") -> tuple[str, bytes]:
    sample = samples.get(timeout=HANG_LIMIT_S)
    return str(sample.key_expr), bytes(sample.payload)


def different(samples: "Queue[zenoh.Sample]", what: zenoh.SampleKind) -> set[str]:
    """Return the first two keys of this kind. A token may be announced twice: by the history and by itself."""
    keys: set[str] = set()
    while len(keys) < 2:
        sample = samples.get(timeout=HANG_LIMIT_S)
        if sample.kind == what:
            keys.add(str(sample.key_expr))
    return keys


@each_kind
def test_topic_goes_from_edge_to_cloud_and_each_side_learns_of_the_other(
    kind: Kind, house: Path, stack: ExitStack
) -> None:
    pair = Pair(kind, house, stack)
    samples = pair.hear()
    put(pair.edge.end, kind.topic(TOPIC), b"omega")
    assert first(samples) == (kind.topic(TOPIC), b"omega")
    there, wanted = tokens(pair.cloud.end, kind), tokens(pair.edge.end, kind)
    both = {kind.token("MP", TOPIC), kind.token("MS", TOPIC)}
    published = pair.edge.end.liveliness().declare_token(kind.token("MP", TOPIC))
    subscribed = pair.cloud.end.liveliness().declare_token(kind.token("MS", TOPIC))
    assert different(there, zenoh.SampleKind.PUT) == different(wanted, zenoh.SampleKind.PUT) == both
    published.undeclare()
    subscribed.undeclare()
    assert different(there, zenoh.SampleKind.DELETE) == different(wanted, zenoh.SampleKind.DELETE) == both


@each_kind
def test_nothing_but_the_topic_leaves_the_edge_even_to_a_cloud_without_rules(
    kind: Kind, house: Path, stack: ExitStack
) -> None:
    pair = Pair(kind, house, stack, cloud_rules=False)
    there, samples = tokens(pair.cloud.end, kind), pair.hear()
    for topic in OTHERS:
        heard(pair.cloud.end, kind.topic(topic))
    kept = [pair.edge.end.liveliness().declare_token(kind.token("MP", topic)) for topic in (*OTHERS, TOPIC)]
    for topic in OTHERS:
        put(pair.edge.end, kind.topic(topic))
    pair.edge.end.delete(kind.topic(TOPIC), congestion_control=BLOCK)
    put(pair.edge.end, kind.topic(TOPIC), b"omega")
    assert first(samples) == (kind.topic(TOPIC), b"omega")
    assert first(there)[0] == kind.token("MP", TOPIC)
    while not there.empty():  # announced again
        assert first(there)[0] == kind.token("MP", TOPIC)
    assert kept


@each_kind
def test_nothing_comes_in_from_a_cloud_without_rules(kind: Kind, house: Path, stack: ExitStack) -> None:
    pair = Pair(kind, house, stack, cloud_rules=False)
    samples = heard(pair.edge.end, "**")
    questions: Queue[zenoh.Query] = Queue()
    pair.edge.end.declare_queryable("**", questions.put)
    pair.hear()
    for topic in (TOPIC, *OTHERS):
        put(pair.cloud.end, kind.topic(topic))
    replies = pair.cloud.end.get("**", timeout=2.0, target=zenoh.QueryTarget.ALL)
    assert [reply for reply in replies if reply.ok] == []
    pair.part()
    assert samples.empty() and questions.empty()


@each_kind
def test_cloud_takes_nothing_but_the_topic_from_an_edge_without_rules(
    kind: Kind, house: Path, stack: ExitStack
) -> None:
    pair = Pair(kind, house, stack, edge_rules=False)
    samples = pair.hear()
    for topic in OTHERS:
        put(pair.edge.end, kind.topic(topic))
    pair.edge.end.delete(kind.topic(TOPIC), congestion_control=BLOCK)
    put(pair.edge.end, kind.topic(TOPIC), b"omega")
    assert first(samples) == (kind.topic(TOPIC), b"omega")


@each_kind
def test_cloud_takes_nothing_of_a_camera_that_is_not_named(kind: Kind, house: Path, stack: ExitStack) -> None:
    pair = Pair(kind, house, stack, edge_rules=False, camera="room2")
    samples = heard(pair.cloud.end, "**")
    heard(pair.cloud.end, kind.topic(TOPIC))
    for topic in (TOPIC, *OTHERS):
        put(pair.edge.end, kind.topic(topic))
    pair.edge.session.close()
    pair.wait(lambda: not pair.linked(pair.cloud))
    time.sleep(0.2)
    assert samples.empty()


def test_router_of_rmw_zenoh_leaves_the_sessions_of_its_host_alone(house: Path, stack: ExitStack) -> None:
    edge = Pair(RMW_ZENOH, house, stack).edge
    other = edge.client()
    samples, there = heard(other, "0/**"), tokens(other, RMW_ZENOH)
    publisher = edge.end.declare_publisher(_rmw_topic("/room1/raw_poses"), congestion_control=BLOCK)
    token = edge.end.liveliness().declare_token(RMW_ZENOH.token("MP", "/room1/raw_poses"))
    end = time.monotonic() + HANG_LIMIT_S
    while not publisher.matching_status.matching and time.monotonic() < end:
        time.sleep(0.02)
    publisher.put(b"poses")
    assert first(samples) == (_rmw_topic("/room1/raw_poses"), b"poses")
    assert first(there)[0] == RMW_ZENOH.token("MP", "/room1/raw_poses") and token


@pytest.mark.parametrize("file", ["ros2dds_edge.json5", "ros2dds_cloud.json5"])
def test_stock_bridge_is_told_of_the_one_topic_in_the_one_direction(file: str) -> None:
    allow = json.loads(load(file).get_json("plugins"))["ros2dds"]["allow"]
    direction = "publishers" if "edge" in file else "subscribers"
    assert allow == {**{name: [] for name in LISTS}, direction: [TOPIC]}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json5")), ids=lambda path: path.name)
def test_every_file_denies_by_default_asks_for_certificates_and_finds_nobody_by_itself(path: Path) -> None:
    config = load(path.name)
    access, tls = (json.loads(config.get_json(name)) for name in ("access_control", "transport/link/tls"))
    assert access["enabled"] and access["default_permission"] == "deny"
    assert {used for policy in access["policies"] for used in policy["rules"]} == {r["id"] for r in access["rules"]}
    assert tls["enable_mtls"] and tls["verify_name_on_connect"] and tls["close_link_on_expiration"]
    assert json.loads(config.get_json("scouting/multicast/enabled")) is False
    assert json.loads(config.get_json("transport/shared_memory/enabled")) is False
    for endpoint in json.loads(config.get_json("listen/endpoints")) + json.loads(config.get_json("connect/endpoints")):
        assert endpoint.startswith(("tls/", "tcp/127.0.0.1:"))
