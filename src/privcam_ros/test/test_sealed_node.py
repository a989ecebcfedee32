"""A node of the edge believes what a node of its start sealed, and counts everything else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from privcam_msgs.msg import DetectionArray, SealedMessage, SyncKey, TrackArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import serialize_message

from privcam_core.types import omega as core
from privcam_ros.message_sealing import Sealer
from privcam_ros.middleware.shared_memory_files import SHARED_MEMORY, restrict_shared_memory
from privcam_ros.node import STREAM, StartError
from privcam_ros.sealed_node import OPENED, SealedNode
from privcam_ros.start_key import DESCRIPTOR_VARIABLE, KEY_BYTES, StartKey, StartKeyError, StartKeyFile

DOMAIN = 1 + os.getpid() % 100
# Against a test that hangs.
HANG_LIMIT_S = 300.0
# Name the profile of the middleware, in two of its versions.
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


@dataclass(frozen=True)
class Nothing:
    """The nodes here have no parameters of their own."""


class Sender(SealedNode[Nothing]):
    """Seals tracks and detections."""

    def __init__(self) -> None:
        super().__init__("sender", Nothing)
        self.tracks = self.create_sealed_publisher(TrackArray, "tracks")
        self.detections = self.create_sealed_publisher(DetectionArray, "detections")


class Reader(SealedNode[Nothing]):
    """Notes the frames of tracks, and of pairs of tracks and detections."""

    def __init__(self) -> None:
        super().__init__("reader", Nothing)
        self.tracks: list[int] = []
        self.pairs: list[int] = []
        self.on_sealed("tracks", TrackArray, lambda key, _: self.tracks.append(key.frame_id))
        self.on_sealed_joined([("detections", DetectionArray), ("tracks", TrackArray)], self._pair)

    def _pair(self, key: core.SyncKey, detections: DetectionArray, tracks: TrackArray) -> None:
        assert detections.key == tracks.key
        self.pairs.append(key.frame_id)


def tracks_of(frame_id: int) -> TrackArray:
    key = SyncKey(camera_id="cam", frame_id=frame_id)
    key.stamp.sec = 1_700_000_000 + frame_id
    return TrackArray(key=key)


class Bench:
    """A sender and a reader of one start, and a node without the key that listens and publishes on their topics."""

    def __init__(self) -> None:
        rclpy.init(domain_id=DOMAIN)
        self.sender, self.reader, self.attacker = Sender(), Reader(), Node("attacker")
        self._executor = SingleThreadedExecutor()
        for node in (self.sender, self.reader, self.attacker):
            self._executor.add_node(node)
        self.heard: list[SealedMessage] = []
        self._reports: list[DiagnosticStatus] = []
        self.attacker.create_subscription(SealedMessage, "tracks", self.heard.append, OPENED)
        self.attacker.create_subscription(DiagnosticArray, "/diagnostics", self._note, STREAM)
        self.forger = self.attacker.create_publisher(SealedMessage, "tracks", STREAM)
        self.until(lambda: self.forger.get_subscription_count() >= 3)  # the attacker hears itself
        self.until(lambda: self.sender.count_subscribers("tracks") >= 3)
        self.send(1)
        self.until(lambda: 1 in self.reader.tracks and self.heard)

    def _note(self, array: DiagnosticArray) -> None:
        self._reports += [status for status in array.status if status.name == "/reader"]

    def until(self, condition: Callable[[], Any]) -> None:
        """Let all nodes work until something has happened."""
        end = time.monotonic() + HANG_LIMIT_S
        while not condition():
            assert time.monotonic() < end
            self._executor.spin_once(timeout_sec=0.1)

    def send(self, frame_id: int) -> None:
        """Publish tracks as a node of the edge does."""
        self.sender.tracks.publish(tracks_of(frame_id))

    def refused(self, reason: str) -> int:
        """Return what the reader refused for a reason. Two subscriptions of it read the topic."""
        return self.reader.counts[f"refused_{reason}"]

    def expect_refusal(self, data: bytes, reason: str) -> None:
        """Publish a forged message; the reader counts it, and goes on with the true ones."""
        before, frame_id = self.refused(reason), self.reader.tracks[-1] + 1
        self.forger.publish(SealedMessage(data=data))
        self.until(lambda: self.refused(reason) == before + 2)
        self.send(frame_id)
        self.until(lambda: self.reader.tracks[-1] == frame_id)

    def report(self, wanted: Callable[[DiagnosticStatus], bool]) -> DiagnosticStatus:
        """Wait for a report of the reader."""
        self.until(lambda: any(map(wanted, self._reports)))
        return next(filter(wanted, self._reports))

    def close(self) -> None:
        self._executor.shutdown()
        for node in (self.sender, self.reader, self.attacker):
            node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartKey]:
    file = StartKeyFile()
    monkeypatch.setenv(DESCRIPTOR_VARIABLE, str(file.descriptor))
    yield file.key
    file.close()


@pytest.fixture
def bench(key: StartKey) -> Iterator[Bench]:  # noqa: ARG001 - the nodes inherit it
    bench = Bench()
    yield bench
    bench.close()


def test_sealed_messages_arrive_in_order_and_are_joined(bench: Bench) -> None:
    for frame_id in (2, 3):
        bench.send(frame_id)
        bench.sender.detections.publish(DetectionArray(key=tracks_of(frame_id).key))
    bench.until(lambda: bench.reader.pairs == [2, 3])
    assert bench.reader.tracks == [1, 2, 3]
    assert not bench.refused("forged") and not bench.refused("replayed")


@pytest.mark.parametrize(
    "data",
    [b"", bytes(12), bytes(28), os.urandom(200), serialize_message(tracks_of(66))],
    ids=["empty", "nonce alone", "zeros", "random", "not sealed"],
)
def test_bytes_that_nobody_sealed_are_counted_and_dropped(bench: Bench, data: bytes) -> None:
    bench.expect_refusal(data, "forged")


def test_message_of_another_camera_another_topic_or_another_start_is_refused(bench: Bench, key: StartKey) -> None:
    tracks, other = serialize_message(tracks_of(66)), StartKey(os.urandom(KEY_BYTES))
    for sealer in (
        Sealer(key, "/room2/tracks", "TrackArray"),
        Sealer(key, "/detections", "TrackArray"),
        Sealer(other, "/tracks", "TrackArray"),
        Sealer(StartKey.public(), "/tracks", "TrackArray"),
    ):
        bench.expect_refusal(sealer.seal(tracks), "forged")


def test_recorded_message_that_is_sent_again_is_refused(bench: Bench) -> None:
    bench.expect_refusal(bytes(bench.heard[0].data), "replayed")
    status = bench.report(lambda s: s.level == DiagnosticStatus.WARN)
    assert status.message.startswith("tracks: refused a message (replayed): no node of this start sealed it")
    assert {item.key: item.value for item in status.values}["refused_replayed"] == "2"


def test_payload_that_is_no_message_at_all_is_counted_and_the_node_goes_on(bench: Bench) -> None:
    before = bench.refused("forged")
    payloads = [b"\0\1", b"\0\1\0\0", b"\0\1\0\0\xff\xff\xff\xff", b"\0\1\0\0\xff\xff\xff\x7fabc", os.urandom(64)]
    for payload in payloads:
        bench.forger.publish(payload)
    bench.until(lambda: bench.refused("forged") == before + 2 * len(payloads))
    bench.send(2)
    bench.until(lambda: 2 in bench.reader.tracks)


def test_true_messages_survive_between_many_forged_ones(bench: Bench) -> None:
    for frame_id in range(2, 12):
        for _ in range(30):
            bench.forger.publish(SealedMessage(data=os.urandom(100)))
        bench.send(frame_id)
    bench.until(lambda: bench.reader.tracks[-1] == 11)
    assert bench.reader.tracks == list(range(1, 12))
    assert bench.refused("forged") > 0


def test_no_listener_reads_what_was_sealed(bench: Bench) -> None:
    assert b"cam" not in bytes(bench.heard[0].data)
    assert serialize_message(tracks_of(1))[:16] not in bytes(bench.heard[0].data)


def test_parameters_can_be_neither_set_nor_read_from_outside(bench: Bench) -> None:
    bench.until(lambda: {"sender", "reader"} <= set(bench.attacker.get_node_names()))
    for name in ("sender", "reader"):
        offered = bench.attacker.get_service_names_and_types_by_node(name, "/")
        assert not [service for service, _ in offered if "parameter" in service]


@pytest.mark.usefixtures("bench")
def test_segments_of_the_middleware_are_for_this_user_alone() -> None:
    assert restrict_shared_memory() == []  # the nodes did it when they started
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    mapped = {Path(line.split()[-1]) for line in maps if f"{SHARED_MEMORY}/fastrtps_" in line}
    assert mapped
    assert {path.stat().st_mode & 0o777 for path in mapped} == {0o600}


def test_values_of_parameters_are_published_to_nobody(bench: Bench) -> None:
    for node, expected in ((bench.sender, False), (bench.attacker, True)):
        topics = node.get_publisher_names_and_types_by_node(node.get_name(), node.get_namespace())
        assert ("/parameter_events" in dict(topics)) is expected
        services = node.get_service_names_and_types_by_node(node.get_name(), node.get_namespace())
        assert not [name for name, _ in services if "parameter" in name] or node is bench.attacker


# Without a key


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(DESCRIPTOR_VARIABLE, raising=False)
    yield
    rclpy.try_shutdown()


def start(*parameters: str) -> Sender:
    rclpy.init(args=["--ros-args", *(word for one in parameters for word in ("-p", one))], domain_id=DOMAIN)
    return Sender()


@pytest.mark.usefixtures("ros")
def test_node_without_a_key_does_not_start() -> None:
    with pytest.raises(StartKeyError, match="no key of this start: start the nodes with"):
        start()


RUN_INSECURE = """
import rclpy
from test_sealed_node import DOMAIN, Sender
from privcam_ros.middleware.listening_sockets import listening_beyond_loopback
rclpy.init(args=['--ros-args', '-p', 'insecure:=true'], domain_id=DOMAIN)
node = Sender()
print('secret', node.start_key.is_secret, listening_beyond_loopback())
print('warning', node.warning())
"""


def run_insecure(**environment: str) -> "subprocess.CompletedProcess[str]":
    """Start an insecure node in a process of its own: the middleware reads its profile once in a process."""
    inherited = {name: value for name, value in os.environ.items() if name not in (DESCRIPTOR_VARIABLE, *PROFILES)}
    return subprocess.run(
        [sys.executable, "-c", RUN_INSECURE],
        env={**inherited, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_STATIC_PEERS": "", **environment},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_insecure_node_says_so_for_as_long_as_it_runs_and_listens_on_the_loopback_alone() -> None:
    profile = str(Path(__file__).resolve().parents[3] / "config/fastdds_shm.xml")
    done = run_insecure(**dict.fromkeys(PROFILES, profile))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "secret False []"
    said = "insecure: every local user can read and forge"
    assert done.stdout.splitlines()[1].startswith(f"warning {said}")
    assert said in done.stderr


def test_insecure_node_whose_middleware_listens_on_every_interface_does_not_start() -> None:
    done = run_insecure()
    assert done.returncode != 0
    assert "insecure:=true, and the middleware listens on 0.0.0.0:" in done.stderr


@pytest.mark.usefixtures("ros")
@pytest.mark.parametrize(
    ("reach", "peers"), [("SUBNET", ""), ("", ""), ("SYSTEM_DEFAULT", ""), ("LOCALHOST", "10.1.1.1")]
)
def test_insecure_node_that_other_hosts_could_reach_does_not_start(
    reach: str, peers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", reach)
    monkeypatch.setenv("ROS_STATIC_PEERS", peers)
    with pytest.raises(StartError, match="would let other hosts in; set ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST"):
        start("insecure:=true")
