"""Plays recorded Ω as N cameras over N real links.

`python -m privcam_evaluation.bench.omega_replay FILE ENDPOINT FOLDER CAMERA ...`
"""

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from privcam_core.types.omega import MAX_SUBJECTS, Omega, SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_evaluation.bench.pipeline_gate import StreamClock, pipeline_gate
from privcam_evaluation.clip_reader import read_looped
from privcam_link.session_settings import camera_end
from privcam_privacy.background.engine_settings import EngineSettings

CAMERA = "bench"
RATE_HZ = 10.0
# Size of the pictures that are recorded.
VGA = (640, 480)


@dataclass(frozen=True)
class Recorded:
    """A file of Ω that were made of a clip, and how many people are in one of them on average."""

    path: Path
    people: float


def record(
    source: Path, seconds: float, path: Path, say: Callable[[str], None], *, people: int = MAX_SUBJECTS
) -> Recorded:
    """Run the edge over a clip in VGA and keep the Ω that pass the gate, each with the first of its people."""
    clock = StreamClock()
    pipeline = EdgePipeline(settings=EngineSettings(evidence="transit"), seal_clock=clock)
    gate = pipeline_gate(pipeline, CAMERA)
    omegas, start_ns = [], time.time_ns() - int(seconds * NS_PER_S)
    for index, image in enumerate(read_looped(source, seconds, RATE_HZ)):
        picture = cv2.resize(image, VGA, interpolation=cv2.INTER_AREA)
        key = SyncKey(CAMERA, index + 1, start_ns + int(index / RATE_HZ * NS_PER_S))
        clock.now_ns = key.stamp_ns
        omega = gate.check(*pipeline.process_sealed(key, picture))
        omegas.append(replace(omega, poses=omega.poses[:people]))
    mean = sum(len(omega.poses) for omega in omegas) / len(omegas)
    path.write_bytes(pickle.dumps(omegas))
    say(f"  {len(omegas)} Ω with {mean:.1f} people each")
    return Recorded(path, round(mean, 2))


def main(argv: Sequence[str]) -> int:
    """Send the same Ω as every camera, each on a link of its own, until the process is ended."""
    file, endpoint, folder, *cameras = argv
    omegas: list[Omega] = pickle.loads(Path(file).read_bytes())  # nosec B301: made by our parent
    links = []
    for name in cameras:
        queue = OmegaQueue(Path(folder) / name)
        links.append((name, EdgeLink(name, camera_end(name, endpoint)[0], queue, PictureSchedule())))
    started, step = time.monotonic(), 1.0 / RATE_HZ / len(links)
    frame = 0
    while True:
        omega = omegas[frame % len(omegas)]
        frame += 1
        for index, (name, link) in enumerate(links):
            due = started + (frame - 1) / RATE_HZ + index * step  # one after the other, as real cameras come
            time.sleep(max(0.0, due - time.monotonic()))
            key = SyncKey(name, frame, time.time_ns())
            link.send(replace(omega, key=key, environment=replace(omega.environment, key=key)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
