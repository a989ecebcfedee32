"""Feeds the frames of a source through the perception of the edge into a commissioning, in memory only."""

from collections.abc import Callable
from contextlib import closing

from privcam_core.detection.person_masks import PersonMasks
from privcam_core.types.arrays import Image
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import ns_from_seconds
from privcam_perception.pipeline import PerceptionPipeline
from privcam_privacy.plates.commissioning import Commissioning
from privcam_sources.errors import SourceEnded, SourceTorn
from privcam_sources.source_spec import Spec
from privcam_sources.video_source import VideoSource, open_source

# An empty room needs no more frames a second than this.
RATE_HZ = 10.0
PROGRESS_S = 2.0


def record(spec: Spec, commissioning: Commissioning, delay_s: float, say: Callable[[str], None]) -> None:
    """Feed the commissioning until it is done or the file ends; the first `delay_s` seconds are skipped.

    Raises SourceError or SourceLost, and ValueError for a frame that does not fit.
    """
    perception, masks = PerceptionPipeline(), PersonMasks()
    with closing(open_source(spec)) as video:
        clock = StampClock()
        start_ns, due_ns = clock.now(), ns_from_seconds(delay_s)
        try:
            said_s = 0.0
            while not commissioning.done:
                due_ns, stamp_ns, image = _next_due(video, clock, start_ns, due_ns)
                detections, tracks, poses = perception.perceive(image, stamp_ns)
                commissioning.add(image, detections, tracks, masks.segment_poses(image, poses), stamp_ns)
                if commissioning.elapsed_s - said_s >= PROGRESS_S:
                    said_s = commissioning.elapsed_s
                    say(f"{said_s:4.0f} s  {commissioning.confirmed_fraction:4.0%} of the background is confirmed")
        except SourceEnded:
            pass
        except SourceTorn as torn:
            say(str(torn))


def _next_due(video: VideoSource, clock: StampClock, start_ns: int, due_ns: int) -> tuple[int, int, Image]:
    """Read on until a frame is due; return when the next one will be, and its stamp and picture.

    A recording counts in its own time. What is live counts in time that has passed, so that frames which came while
    the last one was handled are skipped.
    """
    while True:
        frame = video.read()
        time_ns = frame.time_ns if video.ends else None
        passed_ns = clock.now() - start_ns if time_ns is None else time_ns
        if passed_ns >= due_ns:
            return passed_ns + ns_from_seconds(1 / RATE_HZ), start_ns + passed_ns, frame.image
