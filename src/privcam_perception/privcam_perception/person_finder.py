"""Finds the people of one camera: the detector looks at some of the frames, and again where somebody must be."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from privcam_core.detection import thresholds
from privcam_core.detection.person_detector import PersonDetector
from privcam_core.types.arrays import Image
from privcam_core.types.perception import Detections, PresenceRegion, Track
from privcam_perception.look_again import LOOK_INPUT_PIXELS, LookAgain
from privcam_perception.scheduling.detection_schedule import DetectionSchedule
from privcam_perception.scheduling.mean_time import MeanTime


class PersonFinder:
    """Gives the person boxes of every frame: of a look at it, or those of the last look.

    score: boxes that score less are not reported. threads: processor cores of each model. look_again_per_frame: most
    further network calls in a frame. every_frame: look at every frame. adaptive: look more seldom where looks are
    slow; the result then depends on the machine. runs: how many frames the detector saw.
    """

    def __init__(
        self,
        *,
        score: float = thresholds.REPORT,
        threads: int = 1,
        look_again_per_frame: int = 1,
        every_frame: bool = False,
        adaptive: bool = False,
    ) -> None:
        self._detector = PersonDetector(score, threads)
        self.look_again = LookAgain(
            PersonDetector(score, threads, input_pixels=LOOK_INPUT_PIXELS), look_again_per_frame
        )
        self._schedule = None if every_frame else DetectionSchedule()
        self._look = MeanTime(0.0, measured=adaptive)
        self._found = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        self.runs = 0

    def find(
        self, image: Image, stamp_ns: int, presences: Sequence[PresenceRegion], tracks: Sequence[Track]
    ) -> Detections:
        """Return the boxes of one frame, best first.

        image: (H, W, 3) uint8 BGR. stamp_ns: capture time. presences, tracks: of an earlier frame. Raises ValueError
        for another kind of picture.
        """
        if self._schedule is not None and not self._schedule.is_due(
            image, stamp_ns, tracks, searching=self.look_again.is_searching, look_s=self._look.seconds
        ):
            return replace(self._found, fresh=False)
        with self._look.take():
            self._found = self.look_again.detect(image, self._detector.detect(image), presences, tracks)
        self.runs += 1
        return self._found
