"""Measures throughput, latency and load of the graph of processes, beside the same objects in one plain loop."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from privcam_bringup.graph import START_TIMEOUT_S, Graph, free_domain, free_endpoint
from privcam_bringup.graph_observer import Observations, Observer
from privcam_bringup.launcher_process import node_name
from privcam_core.detection.person_masks import outline_poses
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_evaluation.bench.pipeline_gate import StreamClock, pipeline_gate
from privcam_evaluation.clip_reader import frame_rate, read_frames
from privcam_link import cdr
from privcam_perception.pipeline import PerceptionPipeline
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings

CAMERA_ID = "bench"
WARM_UP_FRAMES = 30
VGA = (640, 480)


def measure_speed(
    source: Path, wanted: int, out: Path, *, composed: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return throughput, latency and load over `wanted` frames of a clip, after a warm-up."""
    frames = WARM_UP_FRAMES + wanted
    say(f"loop: the same objects in one process, {frames} frames")
    loop = measure_loop(source, frames)
    say(f"  {loop['frames_per_s']:.1f} frames/s")
    say(f"privacy engine: alone, on pictures of {VGA[0]}x{VGA[1]}")
    engine = measure_engine(source, frames)
    say(f"  median {engine['median_ms']} ms, p95 {engine['p95_ms']} ms")
    say("graph: real processes, as fast as they go")
    fast = measure_graph(source, frames, out, lossless=True, composed=composed)
    say(f"  {fast['frames_per_s']:.1f} frames/s")
    say("graph: at the clip's own rate, for latency and load")
    live = measure_graph(source, frames, out, lossless=False, composed=composed)
    say(f"  p50 {live['latency_ms']['p50']} ms, p95 {live['latency_ms']['p95']} ms")
    return {
        "source": source.name,
        "frames": wanted,
        "picture": loop["picture"],
        "composed": composed,
        "graph_over_loop": round(fast["frames_per_s"] / loop["frames_per_s"], 3),
        "frames_per_s": round(fast["frames_per_s"], 2),
        "loop_frames_per_s": round(loop["frames_per_s"], 2),
        "latency_ms": live["latency_ms"],
        "live_frames_per_s": round(live["frames_per_s"], 2),
        "live_skipped": live["skipped"],
        "stages": loop["stages"],
        "privacy_engine_vga": engine,
        "nodes": live["nodes"],
        "nodes_at_full_speed": fast["nodes"],
    }


def measure_loop(source: Path, frames: int) -> dict[str, Any]:
    """Run the edge as one plain loop, with gate and serialisation, decoding the video in between as the camera does."""
    clock = StreamClock()
    pipeline = EdgePipeline(settings=EngineSettings(evidence="transit"), seal_clock=clock)
    gate = pipeline_gate(pipeline, CAMERA_ID)
    origin, started, count = time.time_ns() - int(frames / frame_rate(source) * NS_PER_S), 0.0, 0
    gate_s = []
    picture = [0, 0]
    for index, frame in enumerate(read_frames(source, limit=frames)):
        if index == WARM_UP_FRAMES:
            started = time.perf_counter()
        picture = [frame.image.shape[1], frame.image.shape[0]]
        clock.now_ns = origin + (frame.time_ns or 0)
        omega, seals = pipeline.process_sealed(SyncKey(CAMERA_ID, index + 1, clock.now_ns), frame.image)
        before = time.perf_counter()
        cdr.encode(gate.check(cdr.encode(omega), seals))
        gate_s.append(time.perf_counter() - before)
        count = index + 1
    seconds = time.perf_counter() - started
    stages = {name: _stage(values[WARM_UP_FRAMES:]) for name, values in pipeline.seconds.items()}
    stages["gate"] = _stage(gate_s[WARM_UP_FRAMES:])
    return {"picture": picture, "frames_per_s": (count - WARM_UP_FRAMES) / seconds, "stages": stages}


def measure_engine(source: Path, frames: int) -> dict[str, float]:
    """Time the privacy engine alone (not models, masks, inspection or PNG) on pictures of VGA size."""
    perception, engine = PerceptionPipeline(), PrivacyEngine(EngineSettings(evidence="transit"))
    seconds = []
    for frame in read_frames(source, limit=frames):
        image = np.asarray(cv2.resize(frame.image, VGA, interpolation=cv2.INTER_AREA), np.uint8)
        stamp_ns = NS_PER_S + (frame.time_ns or 0)
        detections, tracks, poses = perception.perceive(image, stamp_ns)
        mask = outline_poses((image.shape[0], image.shape[1]), poses)
        started = time.perf_counter()
        engine.update(image, detections, tracks, mask, stamp_ns)
        seconds.append(time.perf_counter() - started)
    return _stage(seconds[WARM_UP_FRAMES:])


def _stage(seconds: Sequence[float]) -> dict[str, float]:
    milliseconds = 1e3 * np.array(seconds)
    return {
        "median_ms": round(float(np.median(milliseconds)), 2),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
    }


def measure_graph(source: Path, frames: int, out: Path, *, lossless: bool, composed: bool) -> dict[str, Any]:
    """Run edge and cloud as real processes over the real link, until `frames` Ω came to the cloud."""
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(source),
        "lossless": str(lossless).lower(),
        "endpoint": free_endpoint(),
        "composed": str(composed).lower(),
    }
    domain, name = free_domain(), "lossless" if lossless else "realtime"
    graph = Graph("demo", arguments, log=out / f"graph_{name}.log", domain_id=domain)
    os.environ.update(graph.environment)
    with Observer(CAMERA_ID, domain) as observer, graph:
        seen = observer.seen
        warm = observer.wait_for(lambda s: len(s.frames) >= WARM_UP_FRAMES or not graph.running, START_TIMEOUT_S)
        if not warm or not graph.running:
            raise RuntimeError(f"the graph did not run; from {graph.log}:\n{graph.errors()}")
        load = Load()
        _settle(observer, graph, frames)
        nodes = load.stop()
    measured = seen.frames[WARM_UP_FRAMES:frames]
    latencies = 1e3 * np.array([frame.arrived_s - frame.stamp_s for frame in measured])
    span = measured[-1].arrived_s - measured[0].arrived_s
    for name, values in nodes.items():
        values.update(_reported(seen, name))
    return {
        "frames_per_s": (len(measured) - 1) / span,
        "latency_ms": {
            "p50": round(float(np.percentile(latencies, 50)), 1),
            "p95": round(float(np.percentile(latencies, 95)), 1),
        },
        "skipped": int(seen.latest(f"/{CAMERA_ID}/camera", "skipped")),
        "nodes": nodes,
    }


def _settle(observer: Observer, graph: Graph, frames: int) -> None:
    while len(observer.seen.frames) < frames and graph.running:
        observer.wait_for(lambda seen: len(seen.frames) >= frames or not graph.running, 1.0)


def _reported(seen: Observations, name: str) -> dict[str, float]:
    for full in (f"/{CAMERA_ID}/{name}", f"/{CAMERA_ID}/cloud/{name}"):
        if full in seen.diagnostics:
            medians = [float(v["median_ms"]) for _, v in seen.diagnostics[full] if "median_ms" in v]
            if medians:
                return {"median_ms": round(float(np.median(medians)), 2)}
    return {}


class Load:
    """CPU time and memory of every node's process between construction and `stop`."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._processes = {
            node_name(process): (process, _cpu_s(process))
            for process in psutil.Process().children(recursive=True)
            if node_name(process)
        }

    def stop(self) -> dict[str, dict[str, float]]:
        """Return per node: cpu (cores, 1 is one core fully used) and rss_mb."""
        seconds = time.perf_counter() - self._started
        loads = {}
        for name, (process, before) in self._processes.items():
            try:
                used = (_cpu_s(process) - before) / seconds
                loads[name] = {"cpu": round(used, 3), "rss_mb": round(process.memory_info().rss / 2**20, 1)}
            except psutil.NoSuchProcess:
                loads[name] = {}
        return loads


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
