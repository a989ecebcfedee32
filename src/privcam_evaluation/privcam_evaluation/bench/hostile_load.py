"""Measures what one hostile camera costs the others of its cloud: latency of their reports, and pictures lost."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from privcam_bringup.graph import Graph, free_domain, free_endpoint
from privcam_evaluation.bench.cloud_load import SETTLE_S, Viewer, await_all, bind_cloud, start_beside
from privcam_evaluation.bench.hostile_camera import ATTACKS
from privcam_evaluation.bench.omega_replay import CAMERA, RATE_HZ, Recorded

# The cameras that are measured, and the people in front of each; one more camera attacks.
HONEST = 3
HONEST_PEOPLE = 2
HOSTILE = "hostile"
# Length of each attack, and of each rest between two: what an attack costs is its difference to the rests around it.
ATTACK_S = 10.0
REST_S = 10.0
# The bar: what an attack may add to the 95th percentile of the time from capture to report, in ms.
MAX_ADDED_MS = 50.0
QUIET = "none"
# Counters of what the attacker achieved: Ω that were handed on, and samples that were refused, dropped or skipped.
TAKEN = ("live",)
REFUSED = ("rejected_", "skipped")


class _Watcher(Viewer):
    """A viewer that also keeps the newest diagnostics of the cloud's bridge."""

    def __init__(self, cameras: list[str], domain_id: int) -> None:
        super().__init__(cameras, domain_id)
        self.counts: dict[str, int] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, 10)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.endswith("/cloud_bridge"):
                values = {value.key: value.value for value in status.values}
                self.counts = {key: int(value) for key, value in values.items() if value.lstrip("-").isdigit()}

    def lost_pictures(self) -> int:
        """Return how many Ω of the honest cameras went on without their picture."""
        return sum(count for key, count in self.counts.items() if key.endswith(("/lost_no_picture", "/lost_too_many"))
                   and not key.startswith(HOSTILE))  # fmt: skip

    def count(self, *names: str) -> int:
        """Return the sum of the hostile camera's counters whose names begin with one of these."""
        beginnings = tuple(f"{HOSTILE}/{name}" for name in names)
        return sum(count for key, count in self.counts.items() if key.startswith(beginnings))


def measure_hostile(recorded: Recorded, out: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Return latency and losses of the honest cameras during each attack, and in the rests between.

    The cloud process is bound to one core; cameras, attacker and viewer use the others. `added_p95_ms` is the largest
    difference of an attack to the mean of the rests before and after it.
    """
    honest = [f"{CAMERA}{index + 1}" for index in range(HONEST)]
    domain, endpoint = free_domain(), free_endpoint()
    arguments = {"cameras": " ".join([*honest, HOSTILE]), "listen": endpoint, "respawn": "false"}
    graph = Graph("site", arguments, log=out / "hostile.log", domain_id=domain)
    os.environ.update(graph.environment)
    phases: list[dict[str, Any]] = []
    with ExitStack() as stack:
        stack.enter_context(graph)
        watcher = stack.enter_context(_Watcher(honest, domain))
        bind_cloud(graph)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="privcam_hostile_"))
        start_beside(stack, "omega_replay", str(recorded.path), endpoint, folder, *honest)
        await_all(watcher, graph)
        time.sleep(SETTLE_S)  # a measurement takes time: this is what it measures, not a wait for something
        phases.append(_phase(watcher, QUIET, REST_S))
        for attack in ATTACKS:
            with ExitStack() as attacking:
                start_beside(attacking, "hostile_camera", attack, endpoint, HOSTILE)
                phases.append(_phase(watcher, attack, ATTACK_S))
            phases.append(_phase(watcher, QUIET, REST_S))
            say(_line(phases[-3:]))
        if not graph.running:
            raise RuntimeError(f"the cloud ended; from {graph.log}:\n{graph.errors()}")
    added = {
        phase["attack"]: _added_ms(phases[index - 1 : index + 2]) for index, phase in enumerate(phases) if index % 2
    }
    return {
        "cameras": HONEST,
        "rate_hz": RATE_HZ,
        "added_ms": added,
        "added_p95_ms": max(added.values()),
        "max_added_ms": MAX_ADDED_MS,
        "pictures_lost": sum(phase["pictures_lost"] for phase in phases if phase["attack"] != QUIET),
        "phases": phases,
    }


def _phase(watcher: _Watcher, attack: str, seconds: float) -> dict[str, Any]:
    begun, lost = time.time(), watcher.lost_pictures()
    taken, refused = watcher.count(*TAKEN), watcher.count(*REFUSED)
    time.sleep(seconds)
    ended = time.time()
    ages, fractions = [], []
    for received in watcher.received.values():
        within = [age for arrived, age in list(received.reports) if begun <= arrived < ended]
        ages += within
        fractions.append(len(within) / (RATE_HZ * seconds))
    return {
        "attack": attack,
        "latency_p50_ms": round(1e3 * float(np.median(ages)), 1) if ages else None,
        "latency_p95_ms": round(1e3 * float(np.percentile(ages, 95)), 1) if ages else float("inf"),
        "reports_fraction": round(min(fractions), 3),
        "pictures_lost": watcher.lost_pictures() - lost,
        "taken": watcher.count(*TAKEN) - taken,
        "refused": watcher.count(*REFUSED) - refused,
    }


def _added_ms(around: list[dict[str, Any]]) -> float:
    """Return what an attack added to the 95th percentile. around: the rest before, the attack, the rest after."""
    before, during, after = (float(phase["latency_p95_ms"]) for phase in around)
    return round(during - (before + after) / 2, 1)


def _line(around: list[dict[str, Any]]) -> str:
    before, during, after = around
    return (
        f"  {during['attack']}: p95 {during['latency_p95_ms']:.0f} ms, {_added_ms(around):+.0f} ms against the rests "
        f"({before['latency_p95_ms']:.0f} and {after['latency_p95_ms']:.0f} ms), {during['reports_fraction']:.0%} of "
        f"the reports, {during['pictures_lost']} pictures lost; of the attacker's Ω {during['taken']} were taken, "
        f"{during['refused']} refused"
    )
