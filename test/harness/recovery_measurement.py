"""Measures the recovery after SIGKILL: of every node in turn, of the whole edge and of the whole cloud.

`./privcam bench --only recovery` starts both sides as a user does, kills, and measures the time until the cloud outputs
something that was captured after the kill. Data that was under way at the kill does not count.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from privcam_msgs.msg import Omega, SceneReport
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CompressedImage

from privcam_bringup.graph import free_domain, free_endpoint
from privcam_bringup.graph_listener import Listener
from privcam_bringup.launcher_process import LauncherProcess
from privcam_bringup.launching import graph_environment
from privcam_bringup.launching.resources import resource
from privcam_core.types.time import NS_PER_S
from privcam_edge.frames.ring import prefix
from privcam_edge.frames.ring_file import SHM
from privcam_ros.node import STREAM

CAMERA_ID = "recovery"
# Longest recovery that is acceptable.
LIMIT_S = 5.0
# A service that is not back by then is reported as not back.
GIVE_UP_S = 30.0
START_TIMEOUT_S = 60.0
# Between two kills the graph runs undisturbed for this many Ω.
SETTLE_OMEGAS = 20
# Time between two reads of the newest bag.
BAG_POLL_S = 0.1
# Time between two checks whether the frame memory is gone.
MEMORY_POLL_S = 0.002
# Service of a node: what has to come again when it was killed. All others: Ω in the cloud.
SERVICES = {
    "inference": ("report",),
    "reconstruction": ("contour",),
    "recorder": ("recorded",),
    "cloud_composed": ("omega", "report", "contour", "recorded"),
}
TOPICS = (("omega", Omega), ("report", SceneReport), ("contour_image/compressed", CompressedImage))


class CloudOutput(Listener):
    """Collects the output of the cloud: `arrived[service]` lists (time of capture, time of arrival), in s."""

    def __init__(self, camera_id: str, domain_id: int) -> None:
        super().__init__("privcam_recovery", domain_id)
        self.arrived: dict[str, list[tuple[float, float]]] = {"omega": [], "report": [], "contour": []}
        for topic, kind in TOPICS:
            service = topic.split("_", maxsplit=1)[0]
            self.node.create_subscription(kind, f"/{camera_id}/cloud/{topic}", self._make_callback(service), STREAM)

    def _make_callback(self, service: str) -> Callable[[Any], None]:
        def take(message: Any) -> None:
            now = time.time()
            stamp = message.header.stamp if service == "contour" else message.key.stamp
            with self._changed:
                self.arrived[service].append((stamp.sec + stamp.nanosec / NS_PER_S, now))
                self._changed.notify_all()

        return take

    def wait(self, service: str, moment_s: float, timeout_s: float, count: int = 1) -> float | None:
        """Return when the first thing captured after `moment_s` arrived, once `count` have; None: not in time."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found = [arrival for capture, arrival in self.arrived[service] if capture > moment_s]
                if len(found) >= count:
                    return found[0]
                if time.monotonic() >= end:
                    return None
                self._changed.wait(end - time.monotonic())


def recorded_since(folder: Path, moment_s: float, timeout_s: float) -> float | None:
    """Return when something that was recorded after this moment could be read from a bag; None: not in time."""
    end, fault = time.monotonic() + timeout_s, "no bag was read"
    while time.monotonic() < end:
        newest = max(folder.iterdir(), key=lambda bag: bag.stat().st_mtime_ns)
        try:
            with AnyReader([newest]) as reader:
                if reader.end_time > moment_s * NS_PER_S:
                    return time.time()
            fault = f"{newest.name} holds nothing newer"
        except Exception as error:  # an unfinished bag can fail in many ways; the last fault is printed below
            fault = f"{newest.name}: {type(error).__name__}: {error}"
        time.sleep(BAG_POLL_S)
    print(f"[bench] recovery: nothing recorded within {timeout_s:g} s ({fault})", file=sys.stderr, flush=True)
    return None


def unreadable(folder: Path) -> list[str]:
    """Return what is wrong with every bag that cannot be read to its end."""
    faults = []
    for bag in sorted(folder.iterdir()):
        try:
            with AnyReader([bag]) as reader:
                for connection, _, data in reader.messages():
                    reader.deserialize(data, connection.msgtype)
        except Exception as error:
            faults.append(f"{bag.name}: {error}")
    return faults


class RecoveryBench:
    """Both sides running, ready to be killed."""

    def __init__(self, source: Path, out: Path, *, composed: bool = False) -> None:
        self.edge: LauncherProcess
        self.cloud: LauncherProcess
        self.bags = out / "bags"
        self._source, self._out, self._composed = source, out, composed

    @contextmanager
    def running(self) -> Iterator[CloudOutput]:
        """Run both sides until the end of the block."""
        self._out.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.bags, ignore_errors=True)
        self.bags.mkdir()
        domain, endpoint = free_domain(), free_endpoint()
        environment = graph_environment(domain)
        os.environ.update(environment)
        common = {"camera_id": CAMERA_ID, "composed": str(self._composed).lower()}
        edge = {"source": str(self._source), "endpoint": endpoint, "params_file": str(_looping(self._out))}
        cloud = {"listen": endpoint, "record": str(self.bags / "bag")}
        with tempfile.TemporaryDirectory(prefix="privcam_run_") as folder:
            environment |= {"PRIVCAM_STATE": f"{folder}/state", "PRIVCAM_KEYS": f"{folder}/keys"}
            self.edge = LauncherProcess("edge", common | edge, environment=environment, log=self._out / "edge.log")
            self.cloud = LauncherProcess("cloud", common | cloud, environment=environment, log=self._out / "cloud.log")
            with CloudOutput(CAMERA_ID, domain) as output, self.cloud, self.edge:
                yield output


def _looping(out: Path) -> Path:
    """Write the parameters of the edge with a clip that begins anew at its end; return the file."""
    parameters = yaml.safe_load(resource("config/edge.param.yaml").read_text(encoding="utf-8"))
    parameters["/**/camera"]["ros__parameters"]["loop"] = True
    file = out / "edge.param.yaml"
    file.write_text(yaml.safe_dump(parameters), encoding="utf-8")
    return file


def frame_memories() -> set[Path]:
    """Return the files of the frame memory of this bench's camera."""
    return set(SHM.glob(prefix(CAMERA_ID) + "*"))


def _wiped_after(memories: set[Path], killed_s: float) -> float | None:
    while memories & frame_memories():
        if time.time() - killed_s > GIVE_UP_S:
            return None
        time.sleep(MEMORY_POLL_S)
    return round(1e3 * (time.time() - killed_s), 1)


def measure_recovery(source: Path, out: Path, *, composed: bool = False, runs: int = 1) -> dict[str, Any]:
    """Kill every node, the whole edge and the whole cloud, `runs` times each; return the longest recoveries.

    source: a video file, played in a loop at its own rate. out: takes logs, and the bags of the recorder.
    Seconds are from the kill until what was captured after it came out; None: not back within GIVE_UP_S. A side that
    was killed whole is started again at once: what a supervisor waits first comes on top.
    """
    bench = RecoveryBench(source, out, composed=composed)
    seconds: dict[str, list[float | None]] = {}
    wiped: list[float | None] = []
    with bench.running() as output:
        for service in ("omega", "report"):
            if output.wait(service, 0.0, START_TIMEOUT_S, SETTLE_OMEGAS) is None:
                raise RuntimeError(f"the graph did not run; see {bench.edge.log} and {bench.cloud.log}")
        for _ in range(runs):
            for side, whole in ((bench.edge, "whole_edge"), (bench.cloud, "whole_cloud")):
                for name in [*side.nodes(), whole]:
                    memories = frame_memories()
                    killed_s = side.kill() if name == whole else side.kill_node(name)
                    if name in ("camera", "edge_composed", "whole_edge"):
                        wiped.append(_wiped_after(memories, killed_s))
                    if name == whole:
                        side.start()
                    services = SERVICES["cloud_composed"] if name == "whole_cloud" else SERVICES.get(name, ("omega",))
                    seconds.setdefault(name, []).append(_back(services, output, bench.bags, killed_s))
                    output.wait("omega", time.time(), GIVE_UP_S, SETTLE_OMEGAS)
    worst = {name: _worst(values) for name, values in seconds.items()}
    return {
        "cores": os.cpu_count(),
        "composed": composed,
        "runs": runs,
        "limit_s": LIMIT_S,
        "seconds": worst,
        "all_seconds": seconds,
        "within_limit": all(value is not None and value <= LIMIT_S for value in worst.values()),
        "frame_memory_wiped_ms": _worst(wiped),
        "frame_memories_left": len(frame_memories()),
        "bags": len(list(bench.bags.iterdir())),
        "unreadable_bags": unreadable(bench.bags),
    }


def _back(services: Sequence[str], output: CloudOutput, bags: Path, killed_s: float) -> float | None:
    """Return the seconds from the kill until the last of the services was there."""
    latest = 0.0
    for service in services:
        if service == "recorded":
            arrival = recorded_since(bags, killed_s, GIVE_UP_S)
        else:
            arrival = output.wait(service, killed_s, GIVE_UP_S)
        if arrival is None:
            return None
        latest = max(latest, arrival)
    return round(latest - killed_s, 2)


def _worst(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) and known else None
