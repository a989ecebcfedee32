"""Observes a running graph: a probe that subscribes to every topic, and single nodes as processes."""

import json
import os
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.serialization import deserialize_message

from privcam_bringup.graph import free_domain
from privcam_bringup.graph_listener import Listener
from privcam_bringup.launching.resources import find_executable
from privcam_ros.message_sealing import Opener
from privcam_ros.start_key import StartKey, StartKeyFile

T = TypeVar("T")

DOMAIN = free_domain()
# Against a test that hangs: what has not happened by then will not happen, on the slowest machine either.
HANG_LIMIT_S = 300.0
# Messages that were kept may be opened at the end of the longest run.
KEPT_S = 86400.0
DISCOVERY_PERIOD_S = 0.2
POLL_S = 0.5
# The probe keeps the first and the last messages of each topic: pictures are large.
KEPT_BYTES = 64 << 20

# The tests stand in for the launcher of the nodes that `started` starts: these share this key.
KEY_FILE = StartKeyFile()

_endpoints = count(20000 + os.getpid() % 20000)


def own_endpoint() -> str:
    """Return a loopback endpoint that no other graph of this process has used."""
    return f"tcp/127.0.0.1:{next(_endpoints)}"


@dataclass(frozen=True)
class ReceivedMessage:
    """One message as it came."""

    topic: str
    type_name: str
    data: bytes

    def message(self) -> Any:
        """Return the message."""
        return deserialize_message(self.data, message_class(self.type_name))


def message_class(type_name: str) -> type:
    """Return the class of `package/msg/Name`."""
    package, _, name = type_name.split("/")
    return getattr(import_module(f"{package}.msg"), name)  # type: ignore[no-any-return]


class GraphProbe(Listener):
    """Receives everything in a ROS domain: subscribes, raw, to every topic as soon as it exists.

    With `topics`, only to those. `nodes` are the names of all nodes that were ever seen.
    """

    def __init__(self, topics: Mapping[str, type] | None = None, domain_id: int = DOMAIN) -> None:
        super().__init__("graph_probe", domain_id, enable_rosout=False, start_parameter_services=False)
        self.received: dict[str, list[ReceivedMessage]] = defaultdict(list)
        self.counts: Counter[str] = Counter()  # also those that were not kept
        self._bytes: Counter[str] = Counter()
        self.types: dict[str, set[str]] = defaultdict(set)
        self.nodes: set[str] = set()
        if topics is None:
            self.node.create_timer(DISCOVERY_PERIOD_S, self._discover_topics)
        for topic, kind in (topics or {}).items():
            parts = kind.__module__.split(".")
            self._subscribe(topic, f"{parts[0]}/msg/{kind.__name__}")

    def wait_for(self, condition: Callable[["GraphProbe"], T], what: str, timeout_s: float = HANG_LIMIT_S) -> T:
        """Wait until `condition` of this probe is true; return its value. Fails, naming `what`, when it never is."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._error is not None:
                    raise self._error
                result = condition(self)
                if result:
                    return result
                assert time.monotonic() < end, f"waited {timeout_s:g} s for {what}; received {dict(self.counts)}"
                # A condition may also ask whether a process still runs, and the end of one is no message.
                self._changed.wait(POLL_S)

    def messages(self, topic: str) -> list[Any]:
        """Return all messages of one topic that were kept."""
        with self._changed:
            received = list(self.received[topic])
        return [one.message() for one in received]

    def opened(self, topic: str, kind: type, key: StartKey = KEY_FILE.key, *, forged: bool = False) -> list[Any]:
        """Return all messages of one sealed topic that were kept, opened. kind: of what was sealed.

        forged: whether there may be some that were not sealed with this key, or were sent again; they are left out.
        """
        opener = Opener(key, topic, kind.__name__, max_age_s=KEPT_S)
        with self._changed:
            received = list(self.received[topic])
        found = []
        for one in received:
            try:
                found.append(deserialize_message(opener.open(bytes(one.message().data)), kind))
            except Exception:
                if not forged:
                    raise
        return found

    def all_messages(self) -> Iterator[ReceivedMessage]:
        """Return all messages of all topics that were kept."""
        with self._changed:
            topics = [list(received) for received in self.received.values()]
        for received in topics:
            yield from received

    def _discover_topics(self) -> None:
        for topic, types in self.node.get_topic_names_and_types():
            for type_name in types:
                if type_name not in self.types[topic]:
                    self._subscribe(topic, type_name)
        names = self.node.get_node_names_and_namespaces()
        with self._changed:
            self.nodes.update(f"{space.rstrip('/')}/{name}" for name, space in names)
            self._changed.notify_all()

    def _subscribe(self, topic: str, type_name: str) -> None:
        self.types[topic].add(type_name)

        def take(data: bytes) -> None:
            with self._changed:
                received = self.received[topic]
                received.append(ReceivedMessage(topic, type_name, data))
                self.counts[topic] += 1
                self._bytes[topic] += len(data)
                while self._bytes[topic] > KEPT_BYTES:
                    self._bytes[topic] -= len(received.pop(len(received) // 2).data)
                self._changed.notify_all()

        self.node.create_subscription(message_class(type_name), topic, take, _everything_of(self.node, topic), raw=True)


def _everything_of(node: Node, topic: str) -> QoSProfile:
    """Return the strongest QoS that every publisher of a topic offers."""
    offered = [end.qos_profile for end in node.get_publishers_info_by_topic(topic)]
    reliable = all(qos.reliability == QoSReliabilityPolicy.RELIABLE for qos in offered)
    lasting = offered and all(qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=64,
        reliability=QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if lasting else QoSDurabilityPolicy.VOLATILE,
    )


def diagnostics(probe: GraphProbe, node: str) -> list[DiagnosticStatus]:
    """Return the diagnostics of a node so far, oldest first."""
    return [status for report in probe.messages("/diagnostics") for status in report.status if status.name == node]


def wait_for_status(
    probe: GraphProbe, node: str, condition: Callable[[DiagnosticStatus], bool], what: str
) -> DiagnosticStatus:
    """Wait for a diagnostics report of a node that satisfies `condition`. It may have come already."""
    seen = 0

    def find(probe: GraphProbe) -> DiagnosticStatus | None:
        nonlocal seen
        received = probe.received["/diagnostics"]
        fresh, seen = received[seen:], len(received)
        statuses = [status for one in fresh for status in one.message().status if status.name == node]
        return next((status for status in statuses if condition(status)), None)

    found = probe.wait_for(find, f"diagnostics of {node}: {what}")
    assert found is not None  # for the type checker
    return found


def values(status: DiagnosticStatus) -> dict[str, str]:
    """Return the values of a diagnostics report by name."""
    return {item.key: item.value for item in status.values}


def probe_diagnostics(*more: tuple[str, type]) -> GraphProbe:
    """Return a probe on /diagnostics and a few more topics."""
    return GraphProbe({"/diagnostics": DiagnosticArray, **dict(more)})


class Program:
    """One node as a process of its own, with its output."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self.pid = process.pid
        self._log = log

    @property
    def output(self) -> str:
        """Everything on stdout and stderr so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def wait(self, timeout_s: float = HANG_LIMIT_S) -> int:
        """Wait for the end of the process; return its exit code."""
        return self._process.wait(timeout_s)

    def interrupt(self) -> int:
        """End it as a user does; return its exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        """End it for certain, if it has not ended."""
        if self.running:
            self._process.kill()
            self._process.wait()


@contextmanager
def started(
    package: str,
    executable: str,
    log: Path,
    *,
    remap: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    **parameters: object,
) -> Iterator[Program]:
    """Run one node until the end of the block. Its output goes to `log`."""
    command = [str(find_executable(package, executable)), "--ros-args"]
    for name, value in {"__ns": "/cam", **(remap or {})}.items():
        command += ["-r", f"{name}:={value}"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={json.dumps(value)}"]  # quotes, so that "7" stays a text
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **KEY_FILE.environment, **(environment or {})},
            pass_fds=[KEY_FILE.descriptor],
        )
    program = Program(process, log)
    try:
        yield program
    finally:
        program.kill()


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = HANG_LIMIT_S) -> None:
    """Wait for something outside of ROS that sends no event, such as a line in a log."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s:g} s for {what}"
        time.sleep(0.05)
