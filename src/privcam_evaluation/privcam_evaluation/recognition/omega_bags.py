"""Runs the edge over labelled clips and keeps what it makes of each as an Ω bag."""

import multiprocessing
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rosbags.rosbag2 import Reader

from privcam_cloud.recording.bag_recorder import BagRecorder
from privcam_core.types.omega import Omega, SyncKey
from privcam_core.types.time import ns_from_seconds
from privcam_evaluation.camera_noise import add_noise
from privcam_evaluation.clip_reader import sha256_of
from privcam_evaluation.recognition.labelled_clips import START_NS, Clip, read_clip
from privcam_link import cdr
from privcam_sources.stream_info import TimedFrame

CAMERA_ID = "clip"
# So many hexadecimal digits of a clip's SHA-256 are in the name of its bag: another clip of the same path, of another
# folder or replaced later, gets a bag of its own.
_DIGEST_DIGITS = 16
# The last picture of a clip is held at this rate, frames/s.
_HELD_HZ = 5


class Bags(NamedTuple):
    """paths: the bag of each clip, by its name. failures: why a clip has none."""

    paths: dict[str, Path]
    failures: dict[str, str]

    def usable(self, clips: Sequence[Clip]) -> list[Clip]:
        """Return the clips that have a bag."""
        return [clip for clip in clips if clip.name in self.paths]


def bags_of(clips: Sequence[Clip], folder: Path, *, processes: int, held_s: float = 0.0) -> Bags:
    """Return the bags of clips, made where they are not in `folder` yet. Shows progress.

    held_s: the last picture of a clip with a fall is held for so long, with fresh noise. A clip that fails costs that
    clip: why is said on stderr and returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    bags, missing = Bags({}, {}), []
    for clip in clips:
        try:
            held = held_s if clip.label == "fall" else 0.0
            bag = bags.paths[clip.name] = bag_of(clip, folder, held)
        except OSError as error:
            bags.failures[clip.name] = str(error)
            print(f"[bags] {clip.name}: {error}", file=sys.stderr, flush=True)
            continue
        if not (bag / "metadata.yaml").exists():
            missing.append((clip, bag, held))
    if missing:
        with multiprocessing.get_context("spawn").Pool(min(processes, len(missing))) as pool:
            for done, (name, count, failure) in enumerate(pool.imap_unordered(_make, missing), start=1):
                print(f"[bags] {done}/{len(missing)} {name}: {failure or f'{count} Ω'}", file=sys.stderr, flush=True)
                if failure:
                    bags.failures[name] = failure
                    del bags.paths[name]
    return bags


def read_bag(bag: Path) -> list[Omega]:
    """Return the Ω of a bag in order. Pictures are in those with which they came."""
    with Reader(bag) as reader:
        return [cdr.decode(bytes(data)) for _, _, data in reader.messages()]


def bag_of(clip: Clip, folder: Path, held_s: float = 0.0) -> Path:
    """Return where the bag of a clip is, or will be, in a folder of bags. Raises OSError without the clip's file."""
    held = f"-held{held_s:g}" if held_s else ""
    return folder / f"{clip.name}-{sha256_of(clip.path)[:_DIGEST_DIGITS]}{held}"


def make_bag(clip: Clip, bag: Path, held_s: float = 0.0) -> int:
    """Write what the edge makes of a clip as an Ω bag, every frame at its own time; return their number."""
    from privcam_edge.edge_pipeline import EdgePipeline  # loads the models' runtime, which reading a bag does not need
    from privcam_privacy.background.engine_settings import EngineSettings

    pipeline, digest, count = EdgePipeline(settings=EngineSettings(evidence="transit")), b"", 0
    recorder = BagRecorder(bag)
    try:
        for index, frame in enumerate(_hold_last(read_clip(clip), held_s)):
            key = SyncKey(CAMERA_ID, index + 1, START_NS + (frame.time_ns or 0))
            omega = pipeline.process(key, frame.image)
            same = omega.environment.digest == digest
            digest = omega.environment.digest
            sent = replace(omega, environment=omega.environment.without_png()) if same else omega
            recorder.write(f"/{CAMERA_ID}/cloud/omega", "privcam_msgs/msg/Omega", cdr.encode(sent), key.stamp_ns)
            count += 1
    finally:
        recorder.close()
    return count


def _hold_last(frames: Iterable[TimedFrame], seconds: float) -> Iterator[TimedFrame]:
    """Yield the frames, and the last picture for so many seconds more: somebody lies there, and the camera goes on."""
    last: TimedFrame | None = None
    for last in frames:
        yield last
    if last is None:
        return
    random = np.random.default_rng(0)
    for step in range(1, round(seconds * _HELD_HZ) + 1):
        held_ns = ns_from_seconds(step / _HELD_HZ)
        yield replace(last, image=add_noise(last.image, random), time_ns=(last.time_ns or 0) + held_ns)


def _make(work: tuple[Clip, Path, float]) -> tuple[str, int, str]:
    """Make a bag; return the name of its clip, how many Ω are in it, and why there is none, empty for a bag."""
    clip, bag, held_s = work
    try:
        # Of a run that was ended before.
        partial = bag.with_name(f"{bag.name}.part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        count = make_bag(clip, partial, held_s)
        partial.rename(bag)
    except Exception as error:
        # Whatever it was, the other clips take no harm; a file can break a decoder in many ways.
        return clip.name, 0, f"{type(error).__name__}: {error}"
    return clip.name, count, ""
