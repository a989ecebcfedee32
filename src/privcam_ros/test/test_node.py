"""The base of every node: every failure is reported, and a failed frame is not published."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from privcam_msgs.msg import SubjectPoseArray, SyncKey, TrackArray
from rcl_interfaces.msg import Log
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from privcam_core.types import omega as core
from privcam_ros.launcher.start_report import ROSOUT
from privcam_ros.node import STREAM, PrivcamNode
from privcam_ros.parameters import param

DOMAIN = 1 + os.getpid() % 100
# Against a test that hangs.
HANG_LIMIT_S = 300.0
JOIN_S = 0.3


@dataclass(frozen=True)
class Settings:
    limit: int = param(3, "frames above this number fail", low=1, high=100)


class Worker(PrivcamNode[Settings]):
    """Passes κ on, of single messages and of joined ones; raises for frames above its limit."""

    def __init__(self) -> None:
        super().__init__("worker", Settings)
        self._out = self.create_publisher(SyncKey, "out", STREAM)
        self._pairs = self.create_publisher(SyncKey, "pairs", STREAM)
        self.on("in", SyncKey, self._work)
        self.on_joined([("tracks", TrackArray, STREAM), ("poses", SubjectPoseArray, STREAM)], self._pair, JOIN_S)

    def _work(self, key: core.SyncKey, message: SyncKey) -> None:
        if key.frame_id > self.parameters.limit:
            raise RuntimeError("the model went wrong")
        self._out.publish(message)

    def _pair(self, _key: core.SyncKey, tracks: TrackArray, poses: SubjectPoseArray) -> None:
        assert tracks.key == poses.key
        self._pairs.publish(tracks.key)


class Bench:
    """A worker node, and a node beside it that talks to it and listens."""

    def __init__(self) -> None:
        rclpy.init(domain_id=DOMAIN)
        self.worker = Worker()
        self.beside = Node("beside")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.worker)
        self._executor.add_node(self.beside)
        self.got: dict[str, list[Any]] = {"out": [], "pairs": [], "/diagnostics": []}
        for topic, kind in (("out", SyncKey), ("pairs", SyncKey), ("/diagnostics", DiagnosticArray)):
            self.beside.create_subscription(kind, topic, self.got[topic].append, STREAM)
        self._publishers = {
            topic: self.beside.create_publisher(kind, topic, STREAM)
            for topic, kind in (("in", SyncKey), ("tracks", TrackArray), ("poses", SubjectPoseArray))
        }
        self.until(lambda: all(p.get_subscription_count() for p in self._publishers.values()))
        self.until(lambda: all(self.beside.count_publishers(topic) for topic in self.got))

    def until(self, condition: Callable[[], Any]) -> None:
        """Let both nodes work until something has happened."""
        end = time.monotonic() + HANG_LIMIT_S
        while not condition():
            assert time.monotonic() < end
            self._executor.spin_once(timeout_sec=0.1)

    def send(self, topic: str, frame_id: int, camera_id: str = "cam") -> None:
        key = SyncKey(camera_id=camera_id, frame_id=frame_id)
        key.stamp.sec = 1_700_000_000 + frame_id
        kinds = {"tracks": TrackArray, "poses": SubjectPoseArray}
        self._publishers[topic].publish(kinds[topic](key=key) if topic in kinds else key)

    def reports(self) -> list[DiagnosticStatus]:
        return [status for array in self.got["/diagnostics"] for status in array.status if status.name == "/worker"]

    def value(self, name: str) -> str:
        """Return the newest value that the worker reported."""
        reports = self.reports()
        return next((item.value for item in reports[-1].values if item.key == name), "") if reports else ""

    def frames(self, topic: str) -> list[int]:
        return [key.frame_id for key in self.got[topic]]

    def close(self) -> None:
        self._executor.shutdown()
        self.worker.destroy_node()
        self.beside.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_callback_that_fails_loses_its_frame_and_no_other(bench: Bench) -> None:
    for frame_id in (1, 9, 2):
        bench.send("in", frame_id)
    bench.until(lambda: len(bench.got["out"]) == 2)
    assert bench.frames("out") == [1, 2]
    bench.until(lambda: bench.value("errors") == "1")
    report = bench.reports()[-1]
    assert report.level == DiagnosticStatus.ERROR
    assert report.message == "in: frame 9 dropped: RuntimeError: the model went wrong"
    assert bench.value("frames") == "2"


def test_message_with_an_impossible_key_is_dropped_and_counted(bench: Bench) -> None:
    bench.send("in", 0)
    bench.send("in", 1, camera_id="../etc")
    bench.until(lambda: bench.value("errors") == "2")
    assert bench.reports()[-1].message.startswith("in: dropped a message: key.camera_id: ")
    assert bench.got["out"] == []


def test_parts_are_joined_by_equal_key_alone(bench: Bench) -> None:
    bench.send("tracks", 1)
    bench.send("poses", 2)
    bench.send("tracks", 2)
    bench.until(lambda: bench.got["pairs"])
    assert bench.frames("pairs") == [2]
    bench.until(lambda: bench.value("dropped") == "1")  # frame 1, given up for the later one


def test_part_that_waits_too_long_for_the_others_is_dropped_and_counted(bench: Bench) -> None:
    bench.send("tracks", 1)
    bench.until(lambda: bench.value("waiting") == "0" and bench.value("dropped") == "1")
    bench.send("poses", 1)
    bench.send("tracks", 2)
    bench.send("poses", 2)
    bench.until(lambda: bench.got["pairs"])
    assert bench.frames("pairs") == [2]


def test_part_of_an_old_frame_is_counted_as_late(bench: Bench) -> None:
    for topic in ("tracks", "poses"):
        bench.send(topic, 5)
    bench.until(lambda: bench.got["pairs"])
    bench.send("tracks", 4)
    bench.until(lambda: bench.value("late") == "1")


def test_node_reports_before_its_first_frame_and_how_long_frames_take(bench: Bench) -> None:
    bench.until(bench.reports)
    assert bench.reports()[-1].level == DiagnosticStatus.OK
    assert bench.reports()[-1].message == "waiting for the first frame"
    bench.send("in", 1)
    bench.until(lambda: bench.value("median_ms"))
    assert bench.reports()[-1].message == "working"
    assert float(bench.value("p95_ms")) >= float(bench.value("median_ms")) > 0


def test_wish_to_end_is_kept_until_the_executor_looks(bench: Bench) -> None:
    assert bench.worker.exit_code is None
    bench.worker.end(3)
    assert bench.worker.exit_code == 3


RUNNING = """
import sys
import threading
from dataclasses import dataclass
from privcam_ros.node import PrivcamNode, StartError, run

@dataclass(frozen=True)
class Nothing:
    pass

class Named(PrivcamNode[Nothing]):
    SPACE = None
    def __init__(self):
        super().__init__(self.NAME, Nothing, self.SPACE)
    def stop(self):
        print("stopped", self.get_name(), flush=True)

class First(Named):
    NAME = "first"

class Ending(Named):
    NAME = "ending"
    def __init__(self):
        super().__init__()
        self.create_timer(0.01, lambda: self.end(4))

class Failing(Named):
    NAME = "failing"
    def __init__(self):
        super().__init__()
        raise StartError("the camera is on fire; put it out")

meeting = threading.Barrier(2)

class Meeting(Named):
    def __init__(self):
        super().__init__()
        self.once = self.create_timer(0.01, self.meet)
    def meet(self):
        self.once.cancel()
        meeting.wait()  # for ever, unless the other one runs meanwhile
        self.end(5)

class Here(Meeting):
    NAME = "here"

class There(Meeting):
    NAME = "there"
    SPACE = "/elsewhere"

class Breaking(Named):
    NAME = "breaking"
    SPACE = "/elsewhere"
    def __init__(self):
        super().__init__()
        self.create_timer(0.01, self.fall)
    def fall(self):
        raise RuntimeError("a part broke")

class Ready(Named):
    NAME = "ready"
    def __init__(self):
        super().__init__()
        print("ready", flush=True)

sys.exit(run(*(globals()[name] for name in sys.argv[1].split(","))))
"""


def start(*nodes: str) -> "subprocess.Popen[str]":
    command, pipe = [sys.executable, "-c", RUNNING, ",".join(nodes)], subprocess.PIPE
    environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)


def test_process_ends_with_the_code_of_the_node_that_wants_to_end() -> None:
    with start("First", "Ending") as process:
        output, _ = process.communicate(timeout=HANG_LIMIT_S)
    assert process.returncode == 4
    assert sorted(output.split("\n")[:2]) == ["stopped ending", "stopped first"]


def test_node_that_cannot_start_ends_the_process_with_its_reason_and_stops_the_others() -> None:
    with start("First", "Failing") as process:
        output, errors = process.communicate(timeout=HANG_LIMIT_S)
    assert process.returncode == 1
    assert "privcam: failing: StartError: the camera is on fire; put it out" in errors
    assert "Traceback" not in errors
    assert "stopped first" in output


def test_nodes_of_two_namespaces_do_not_wait_for_each_other() -> None:
    with start("Here", "There") as process:
        output, errors = process.communicate(timeout=HANG_LIMIT_S)
    assert process.returncode == 5, errors
    assert sorted(output.split("\n")[:2]) == ["stopped here", "stopped there"]


def test_fault_in_a_callback_ends_the_process_whatever_the_namespace() -> None:
    with start("First", "Breaking") as process:
        _, errors = process.communicate(timeout=HANG_LIMIT_S)
    assert process.returncode == 1
    assert "privcam: breaking: RuntimeError: a part broke" in errors


def rosout(*nodes: str, lines: int) -> list[tuple[str, str]]:
    """Return (name, text) of so many lines on /rosout while a process runs these nodes."""
    rclpy.init(domain_id=DOMAIN)
    got: list[tuple[str, str]] = []
    end = time.monotonic() + HANG_LIMIT_S
    try:
        listener = Node("listener", enable_rosout=False)
        listener.create_subscription(Log, "/rosout", lambda log: got.append((log.name, log.msg)), ROSOUT)
        while len(got) < lines:
            # On a busy machine a node that fails may end before it has discovered us: a launcher starts it again.
            with start(*nodes) as process:
                while len(got) < lines and process.poll() is None:
                    assert time.monotonic() < end, got
                    rclpy.spin_once(listener, timeout_sec=0.1)
                process.send_signal(signal.SIGHUP)
                process.communicate(timeout=HANG_LIMIT_S)
            rclpy.spin_once(listener, timeout_sec=1.0)
    finally:
        rclpy.try_shutdown()
    return got


def test_reason_of_a_node_that_cannot_start_is_on_rosout_by_its_name() -> None:
    assert ("failing", "StartError: the camera is on fire; put it out") in rosout("First", "Failing", lines=1)


def test_every_node_says_once_that_it_is_ready() -> None:
    assert sorted(rosout("Ready", "First", lines=2)) == [("first", "ready"), ("ready", "ready")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_process_cleanly(number: signal.Signals) -> None:
    with start("Ready") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        output, errors = process.communicate(timeout=HANG_LIMIT_S)
    assert process.returncode == 0, errors
    assert output == "stopped ready\n"
