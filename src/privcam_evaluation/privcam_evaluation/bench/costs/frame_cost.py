"""Measures the processor time of a frame, by stage, beside that of its networks and of a schedule without savings."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from privcam_core.models.network_time import measure_networks, network_seconds
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S, ns_from_seconds
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_evaluation.camera_noise import add_noise
from privcam_evaluation.clip_reader import read_frames
from privcam_perception.stage_timer import StageTimer
from privcam_privacy.background.engine_settings import EngineSettings

CAMERA_ID = "bench"
# Frames per second that the edge gets: what it is meant to do in real time on two cores.
RATE_HZ = 10.0
# A scene counts as still after ten seconds; the measurement begins later, or with the last two thirds of a short clip.
_WARM_UP_S = 12.0
_WARM_UP_FRACTION = 1 / 3
_SECONDS_PER_HOUR = 3600
# Rows and columns of the pictures of the still room.
_VGA = (480, 640)
_CLOCK_READINGS = 200

Say = Callable[[str], None]
# Capture time, ns from the beginning, and picture.
Timed = tuple[int, Image]


def measure_frame_cost(sources: Sequence[Path], seconds: float, say: Say) -> dict[str, Any]:
    """Return the cost of a frame of each clip, and of an empty, still room."""
    situations: dict[str, Callable[[], Iterator[Timed]]] = {"still room": lambda: still_room(seconds)}
    situations.update({source.name: partial(clip_frames, source, seconds) for source in sources})
    measured = {}
    for name, film in situations.items():
        modes, frames = {}, list(film())
        for mode, every_frame in (("by_need", False), ("every_frame", True)):
            modes[mode] = cost_of(frames, every_frame=every_frame)
            say(f"{name}, {mode.replace('_', ' ')}: {describe(modes[mode])}")
        saving = round(modes["every_frame"]["ms_per_frame"] / modes["by_need"]["ms_per_frame"], 2)
        measured[name] = {**modes, "saving": saving}
    return {"rate_hz": RATE_HZ, "situations": measured}


def clip_frames(source: Path, seconds: float) -> Iterator[Timed]:
    """Yield the frames of a clip at RATE_HZ."""
    for index, frame in enumerate(read_frames(source, step_s=1 / RATE_HZ, seconds=seconds)):
        yield ns_from_seconds(index / RATE_HZ) if frame.time_ns is None else frame.time_ns, frame.image


def still_room(seconds: float) -> Iterator[Timed]:
    """Yield VGA pictures of a wall with panels and a floor, with the noise of a camera, at RATE_HZ."""
    wall = np.full((*_VGA, 1), 150.0)
    wall[:, ::40] = 90.0
    wall[300:] = 110.0
    room, random = np.repeat(wall, 3, axis=2).astype(np.uint8), np.random.default_rng(0)
    # A few pictures in turn: to draw the noise takes longer than the edge does.
    noisy = [add_noise(room, random) for _ in range(round(RATE_HZ) + 1)]
    for index in range(round(seconds * RATE_HZ)):
        yield ns_from_seconds(index / RATE_HZ), noisy[index % len(noisy)]


def cost_of(frames: Sequence[Timed], *, every_frame: bool) -> dict[str, Any]:
    """Run the edge over frames in one plain loop; return the processor time of a frame after the warm-up."""
    timer, clock_s = StageTimer(time.process_time), _clock_seconds()
    pipeline = EdgePipeline(settings=EngineSettings(evidence="transit"), every_frame=every_frame, timer=timer)
    measure_networks(on=True)
    begin = min(round(_WARM_UP_S * RATE_HZ), round(_WARM_UP_FRACTION * len(frames)))
    started, networks, people = 0.0, network_seconds(), 0
    for index, (time_ns, image) in enumerate(frames):
        if index == begin:
            started, networks = time.process_time(), network_seconds()
        omega = pipeline.process(SyncKey(CAMERA_ID, index + 1, NS_PER_S + time_ns), image)
        people += len(omega.poses) if index >= begin else 0
    count = len(frames) - begin
    measure_networks(on=False)
    # What it takes to read the clock is no cost of the frame.
    readings = 2 * sum(len(values[begin:]) for values in timer.seconds.values())
    spent = time.process_time() - started - readings * clock_s
    calls = {name: value - networks.get(name, 0.0) for name, value in network_seconds().items()}
    height, width = frames[0][1].shape[:2]
    return {
        "picture": [width, height],
        "frames": count,
        "people_per_frame": round(people / count, 2),
        "ms_per_frame": round(1e3 * spent / count, 2),
        "network_ms_per_frame": round(1e3 * sum(calls.values()) / count, 2),
        "over_networks": round(spent / max(sum(calls.values()), 1e-9), 2),
        "networks_ms": {name: round(1e3 * value / count, 2) for name, value in sorted(calls.items()) if value},
        "stages_ms": {
            name: round(1e3 * (sum(values[begin:]) / count - clock_s), 2) for name, values in timer.seconds.items()
        },
        "processor_s_per_hour": round(spent / count * RATE_HZ * _SECONDS_PER_HOUR),
    }


def _clock_seconds() -> float:
    """Return how long it takes to read the clock of the processor time once."""
    started = time.process_time()
    for _ in range(_CLOCK_READINGS):
        time.process_time()
    return (time.process_time() - started) / _CLOCK_READINGS


def describe(cost: dict[str, Any]) -> str:
    """Return the cost of a frame in one line."""
    stages = ", ".join(f"{name} {value}" for name, value in cost["stages_ms"].items())
    return (
        f"{cost['ms_per_frame']} ms of processor time a frame ({stages}), {cost['people_per_frame']} people; "
        f"{cost['over_networks']} times that of the networks"
    )
