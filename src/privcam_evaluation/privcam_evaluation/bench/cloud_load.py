"""Measures how many cameras one core of the cloud serves: bridge, inference and contour on N replayed streams of Ω."""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from privcam_msgs.msg import SceneReport
from sensor_msgs.msg import Image

from privcam_bringup.graph import START_TIMEOUT_S, Graph, free_domain, free_endpoint
from privcam_bringup.graph_listener import Listener
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.bench.omega_replay import CAMERA, RATE_HZ, Recorded
from privcam_ros.node import STREAM

# Start of a run that is not measured.
SETTLE_S = 5.0
# Length of the measurement.
MEASURE_S = 15.0
# A cloud keeps up if it reports on at least this fraction of the Ω, and draws this fraction of the pictures.
KEPT_UP_FRACTION = 0.97
# And if the 95th percentile of the time from capture to report is at most this.
KEPT_UP_P95_S = 1.0
STEPS = (1, 2, 4, 6, 8, 10, 12, 16, 20, 24)


@dataclass
class CameraOutput:
    """The output of one camera. reports: (arrived, age) in s; pictures: when each contour came."""

    reports: list[tuple[float, float]] = field(default_factory=list)
    pictures: list[float] = field(default_factory=list)


class Viewer(Listener):
    """Subscribes to all cameras. pictures: to their contours too, which are only drawn while somebody subscribes."""

    def __init__(self, cameras: list[str], domain_id: int, *, pictures: bool = True) -> None:
        super().__init__("privcam_viewer", domain_id)
        self.received: dict[str, CameraOutput] = defaultdict(CameraOutput)
        for name in cameras:
            received = self.received[name]
            self.node.create_subscription(SceneReport, f"/{name}/cloud/report", self._take_report(received), STREAM)
            if pictures:
                self.node.create_subscription(
                    Image, f"/{name}/cloud/contour_image", self._take_picture(received), STREAM, raw=True
                )

    @staticmethod
    def _take_report(received: CameraOutput) -> Callable[[SceneReport], None]:
        def take(report: SceneReport) -> None:
            now = time.time()
            received.reports.append((now, now - report.key.stamp.sec - report.key.stamp.nanosec / NS_PER_S))

        return take

    @staticmethod
    def _take_picture(received: CameraOutput) -> Callable[[bytes], None]:
        return lambda _data: received.pictures.append(time.time())


def measure_cameras(max_cameras: int, recorded: Recorded, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return how the cloud did with 1, 2, 4 ... up to `max_cameras` cameras, until it fell behind.

    The cloud process is bound to one core; the cameras and the viewer use the others. `cameras_per_core` is the
    largest number that it kept up with.
    """
    steps, best = [], 0
    for count in [step for step in STEPS if step < max_cameras] + [max_cameras]:
        step = _run(count, recorded, out)
        steps.append(step)
        say(
            f"  {count} cameras: {step['reports_fraction']:.0%} of the reports, p95 {step['latency_p95_ms']:.0f} ms, "
            f"{step['pictures_per_s_and_camera']:.1f} pictures/s each, {step['cpu']:.2f} of one core"
        )
        if not step["keeps_up"]:
            break
        best = count
    return {"cameras_per_core": best, "rate_hz": RATE_HZ, "people": recorded.people, "steps": steps}


def _run(count: int, recorded: Recorded, out: Path) -> dict[str, Any]:
    cameras = [f"{CAMERA}{index + 1}" for index in range(count)]
    domain, endpoint = free_domain(), free_endpoint()
    arguments = {"cameras": " ".join(cameras), "listen": endpoint, "respawn": "false"}
    graph = Graph("site", arguments, log=out / f"cameras_{count}.log", domain_id=domain)
    os.environ.update(graph.environment)
    with ExitStack() as stack:
        stack.enter_context(graph)
        viewer = stack.enter_context(Viewer(cameras, domain))
        cloud = bind_cloud(graph)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="privcam_cameras_"))
        start_beside(stack, "omega_replay", str(recorded.path), endpoint, folder, *cameras)
        await_all(viewer, graph)
        time.sleep(SETTLE_S)  # a measurement takes time: this is what it measures, not a wait for something
        begun, before = time.time(), cloud.cpu_times()
        time.sleep(MEASURE_S)
        ended, after = time.time(), cloud.cpu_times()
    used = after.user + after.system - before.user - before.system
    return _judge(viewer, count, begun, ended, used)


def start_beside(stack: ExitStack, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a module of this folder as a process on the cores that the cloud does not use, until the stack ends."""
    command = [sys.executable, "-m", f"privcam_evaluation.bench.{module}", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, set(cores[1:]) or {cores[0]})
    return process


def bind_cloud(graph: Graph) -> psutil.Process:
    """Return the cloud's process, bound to the first core with all its threads."""
    core = min(os.sched_getaffinity(0))
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and graph.running:
        for process in psutil.Process().children(recursive=True):
            if any(word.endswith("cloud_composed") for word in process.cmdline()[:3]):
                for thread in process.threads():
                    os.sched_setaffinity(thread.id, {core})
                return process
        time.sleep(0.02)
    raise RuntimeError(f"the cloud did not start; from {graph.log}:\n{graph.errors()}")


def await_all(viewer: Viewer, graph: Graph) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not all(received.reports for received in viewer.received.values()):
        if time.monotonic() > end or not graph.running:
            raise RuntimeError(f"not every camera came through; from {graph.log}:\n{graph.errors()}")
        time.sleep(0.1)


def _judge(viewer: Viewer, count: int, begun: float, ended: float, used_s: float) -> dict[str, Any]:
    ages, pictures, fractions = [], [], []
    for received in viewer.received.values():
        within = [age for arrived, age in received.reports if begun <= arrived < ended]
        ages += within
        fractions.append(len(within) / (RATE_HZ * (ended - begun)))
        pictures.append(sum(begun <= at < ended for at in received.pictures) / (ended - begun))
    p95 = float(np.percentile(ages, 95)) if ages else float("inf")
    return {
        "cameras": count,
        "reports_fraction": round(min(fractions), 3),
        "latency_p50_ms": round(1e3 * float(np.median(ages)), 1) if ages else None,
        "latency_p95_ms": round(1e3 * p95, 1),
        "pictures_per_s_and_camera": round(min(pictures), 2),
        "cpu": round(used_s / (ended - begun), 3),
        "keeps_up": bool(
            min(fractions) >= KEPT_UP_FRACTION and p95 <= KEPT_UP_P95_S and min(pictures) >= KEPT_UP_FRACTION * RATE_HZ
        ),
    }
