"""Measures what several rooms get in one gateway, on an idle machine or beside busy ones: Ω a second, latency, load."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from diagnostic_msgs.msg import DiagnosticArray

from privcam_bringup.graph import Graph, free_domain, free_endpoint
from privcam_bringup.launching.resources import resource
from privcam_evaluation.bench.cloud_load import CameraOutput, Viewer, await_all
from privcam_evaluation.bench.omega_replay import CAMERA

# Most frames per second that each camera delivers.
RATE_HZ = 10.0
# The beginning is not measured: models are loaded, and with evidence `transit` everything is new and inspected.
SETTLE_S = 20.0
MEASURE_S = 30.0
# Nodes that read frames, and count those that were overwritten before they came to read them.
_OVERWRITTEN = "overwritten"

Say = Callable[[str], None]


class _Watcher(Viewer):
    """Takes the reports of all rooms, and counts frames that were overwritten before a node had read them."""

    def __init__(self, cameras: list[str], domain_id: int) -> None:
        super().__init__(cameras, domain_id, pictures=False)
        self._overwritten: dict[str, int] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    @property
    def overwritten(self) -> int:
        """How many frames were lost because a node was too slow, since the start."""
        return sum(self._overwritten.values())

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for value in status.values:
                if value.key == _OVERWRITTEN:
                    self._overwritten[status.name] = int(value.value)


def measure_gateway(clips: Sequence[Path], rooms: int, out: Path, say: Say, *, beside_load: bool) -> dict[str, Any]:
    """Run a gateway with so many rooms and the cloud of all of them; return what each room got.

    clips: each room loops one of them, in turn. beside_load: every core is kept busy by another process meanwhile.
    """
    cameras = [f"{CAMERA}{index + 1}" for index in range(rooms)]
    domain, endpoint, names = free_domain(), free_endpoint(), " ".join(cameras)
    out.mkdir(parents=True, exist_ok=True)
    parameters = out / "gateway.param.yaml"
    parameters.write_text(parameters_of(cameras, [clip.absolute() for clip in clips]), encoding="utf-8")
    edge = {"cameras": names, "endpoint": endpoint, "params_file": str(parameters), "respawn": "false"}
    cloud = {"cameras": names, "listen": endpoint, "respawn": "false"}
    with ExitStack() as stack:
        graphs = [
            Graph(launch, arguments, log=out / f"gateway_{launch}.log", domain_id=domain)
            for launch, arguments in (("site", cloud), ("gateway", edge))
        ]
        os.environ.update(graphs[0].environment)
        for graph in graphs:
            stack.enter_context(graph)
        watcher = stack.enter_context(_Watcher(cameras, domain))
        await_all(watcher, graphs[1])
        if beside_load:
            stack.enter_context(busy_cores())
        say(f"gateway: {rooms} rooms run; measuring {MEASURE_S:.0f} s")
        time.sleep(SETTLE_S)  # a measurement takes time: this is what it measures, not a wait for something
        process = _process("edge_composed")
        begun, before, lost = time.time(), process.cpu_times(), watcher.overwritten
        time.sleep(MEASURE_S)
        ended, after, lost = time.time(), process.cpu_times(), watcher.overwritten - lost
        received = dict(watcher.received)
    used_s = after.user + after.system - before.user - before.system
    values = summary(received, begun, ended)
    return {
        "rate_hz": RATE_HZ,
        "clips": [clip.name for clip in clips],
        "beside_load": beside_load,
        "network_repeats": int(os.environ.get("PRIVCAM_NETWORK_REPEATS", "1")),
        "edge_cores": round(used_s / (ended - begun), 2),
        "overwritten": lost,
        "rooms": values,
    }


def parameters_of(cameras: Sequence[str], clips: Sequence[Path]) -> str:
    """Return the parameter file of a gateway whose cameras loop these clips, each the next one in turn."""
    parts = [resource("config/edge.param.yaml").read_text(encoding="utf-8")]
    for number, camera in enumerate(cameras):
        source = json.dumps(str(clips[number % len(clips)]))
        parts.append(
            f"/{camera}/camera:\n  ros__parameters:\n    source: {source}\n    loop: true\n    max_rate_hz: {RATE_HZ}\n"
            f"/{camera}/eraser:\n  ros__parameters:\n    evidence: transit\n"
        )
    return "".join(parts)


def summary(received: dict[str, CameraOutput], begun: float, ended: float) -> dict[str, dict[str, float | None]]:
    """Return of each room the Ω per second between two times, s since the epoch, and their age in ms."""
    rooms: dict[str, dict[str, float | None]] = {}
    for camera, output in sorted(received.items()):
        ages = [1e3 * age for arrived, age in output.reports if begun <= arrived < ended]
        p50, p95 = (round(float(np.percentile(ages, share)), 1) if ages else None for share in (50, 95))
        rooms[camera] = {"omega_per_s": round(len(ages) / (ended - begun), 2), "p50_ms": p50, "p95_ms": p95}
    return rooms


@contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core of this process busy with a loop of its own while the block runs."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _process(program: str) -> psutil.Process:
    """Return the node process of a program, which has reported. Raises RuntimeError where it has ended since."""
    for process in psutil.Process().children(recursive=True):
        if any(word.endswith(program) for word in process.cmdline()[:3]):
            return process
    raise RuntimeError(f"{program} has ended; its log is in the folder of the results")
