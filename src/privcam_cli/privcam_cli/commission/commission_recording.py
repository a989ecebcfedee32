"""Feeds the frames of a source through the perception of the edge into a commissioning, in memory only."""

import time
from collections.abc import Callable
from contextlib import closing

from privcam_core.detection.person_masks import PersonMasks
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import NS_PER_S
from privcam_edge.frames.source import SourceEnded, SourceTorn, Spec, VideoSource
from privcam_edge.perception.pipeline import PerceptionPipeline
from privcam_privacy.plates.commissioning import Commissioning

# An empty room needs no more frames a second than this.
RATE_HZ = 10.0
PROGRESS_S = 2.0


def record(spec: Spec, commissioning: Commissioning, delay_s: float, say: Callable[[str], None]) -> None:
    """Feed the commissioning until it is done or the file ends; the first `delay_s` seconds are skipped.

    Raises SourceError or SourceLost, and ValueError for a frame that does not fit.
    """
    perception, masks = PerceptionPipeline(), PersonMasks()
    with closing(VideoSource(spec)) as video:
        clock = StampClock()
        start_ns = clock.now()
        try:
            _skip(video, round(delay_s * video.rate_hz))
            said_s = 0.0
            while not commissioning.done:
                image = video.read()
                began = time.monotonic()
                stamp_ns = clock.now() if spec.live else start_ns + round(video.index * NS_PER_S / video.rate_hz)
                detections, tracks, poses = perception.perceive(image, stamp_ns)
                commissioning.add(image, detections, tracks, masks.segment_poses(image, poses), stamp_ns)
                if commissioning.elapsed_s - said_s >= PROGRESS_S:
                    said_s = commissioning.elapsed_s
                    say(f"{said_s:4.0f} s  {commissioning.confirmed_fraction:4.0%} of the background is confirmed")
                took = time.monotonic() - began if spec.live else 1 / RATE_HZ
                _skip(video, int(max(took, 1 / RATE_HZ) * video.rate_hz) - 1)
        except SourceEnded:
            pass
        except SourceTorn as torn:
            say(str(torn))


def _skip(video: VideoSource, frames: int) -> None:
    for _ in range(frames):
        video.skip()
