"""Feeds a source through the edge's perception into a commissioning. Raw frames stay in memory."""

import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import numpy.typing as npt

from privcam_core.detection.person_detector import Detector
from privcam_core.detection.person_masks import PersonMasks
from privcam_edge.frames.source import SourceEnded, SourceTorn, Spec, VideoSource
from privcam_edge.perception.subject_poser import SubjectPoser
from privcam_edge.tracking.person_tracker import Follower
from privcam_privacy.background.snapshot import NS
from privcam_privacy.plates.commissioning import Commissioning

# An empty room needs no more frames a second than this.
RATE_HZ = 10.0
PROGRESS_S = 2.0


class Perception:
    """Detector, tracker, poses and masks of one camera, as the nodes of the graph use them."""

    def __init__(self) -> None:
        self._detect = Detector()
        self._follow = Follower()
        self._pose = SubjectPoser()
        self._masks = PersonMasks()

    def feed(self, commissioning: Commissioning, image: npt.NDArray[np.uint8], stamp_ns: int) -> None:
        """Hand one frame, (H, W, 3) uint8 BGR, and all that is found of people in it to the commissioning."""
        detections = self._detect(image)
        tracks = self._follow(image, detections, stamp_ns)
        poses = self._pose(image, tracks, stamp_ns)
        commissioning.add(image, detections, tracks, self._masks.of(image, poses), stamp_ns)


def record(spec: Spec, commissioning: Commissioning, delay_s: float, say: Callable[[str], None]) -> None:
    """Watch the source, after `delay_s` of it went by unseen, until the commissioning has enough or the file ends.

    Raises SourceError or SourceLost, and ValueError for a frame that does not fit.
    """
    perception = Perception()
    with closing(VideoSource(spec)) as video:
        start_ns = time.time_ns()
        try:
            _let_pass(video, round(delay_s * video.rate_hz))
            said_s = 0.0
            while not commissioning.done:
                image = video.read()
                began = time.monotonic()
                stamp_ns = time.time_ns() if spec.live else start_ns + round(video.index * NS / video.rate_hz)
                perception.feed(commissioning, image, stamp_ns)
                if commissioning.elapsed_s - said_s >= PROGRESS_S:
                    said_s = commissioning.elapsed_s
                    say(f"{said_s:4.0f} s  {commissioning.shown:4.0%} of the picture is proven to be background")
                took = time.monotonic() - began if spec.live else 1 / RATE_HZ
                _let_pass(video, int(max(took, 1 / RATE_HZ) * video.rate_hz) - 1)
        except SourceEnded:
            pass
        except SourceTorn as torn:
            say(str(torn))


def _let_pass(video: VideoSource, frames: int) -> None:
    for _ in range(frames):
        video.skip()
