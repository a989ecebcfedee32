"""Runs the perception of one camera without ROS: detect persons, look again, track them, estimate their poses."""

from collections.abc import Sequence
from typing import NamedTuple

from privcam_core.types.arrays import Image
from privcam_core.types.omega import SubjectPose
from privcam_core.types.perception import Detections, PresenceRegion, Track
from privcam_perception.person_finder import PersonFinder
from privcam_perception.stage_timer import StageTimer
from privcam_perception.subject_poser import SubjectPoser
from privcam_perception.tracking.person_tracker import PersonTracker


class Perception(NamedTuple):
    """The persons found in one frame.

    detections: boxes and scores. tracks: all live tracks. poses: of the confirmed subjects, as estimated, which is
    before anonymization; farthest subject first.
    """

    detections: Detections
    tracks: list[Track]
    poses: list[SubjectPose]


class PerceptionPipeline:
    """Detector, tracker and pose estimator of one camera, as the nodes of the graph use them.

    fast: True for the lighter pose model always, False for the more accurate one always, None for the lighter one in
    frames with more than three persons. threads: processor cores of each model. timer: collects the times of the stages
    `detector`, `tracker` and `pose`. look_again_per_frame: most further calls of the detector in a frame.
    every_frame: the detector looks at every frame, and every pose is estimated in every frame.
    """

    def __init__(
        self,
        *,
        fast: bool | None = None,
        threads: int = 1,
        timer: StageTimer | None = None,
        look_again_per_frame: int = 1,
        every_frame: bool = False,
    ) -> None:
        self._finder = PersonFinder(threads=threads, look_again_per_frame=look_again_per_frame, every_frame=every_frame)
        self._tracker = PersonTracker()
        self._poser = SubjectPoser(fast=fast, threads=threads, every_frame=every_frame)
        self._timer = timer or StageTimer()
        self._tracks: list[Track] = []

    @property
    def estimated(self) -> frozenset[int]:
        """The subjects whose pose was estimated in the newest frame; the others moved along with their box."""
        return self._poser.estimated

    def perceive(self, image: Image, stamp_ns: int, presences: Sequence[PresenceRegion] = ()) -> Perception:
        """Return the detections, tracks and raw poses of one frame.

        image: (H, W, 3) uint8 BGR. stamp_ns: capture time, later than that of the frame before. presences: of the
        privacy engine, after an earlier frame. Raises ValueError for another kind of picture or an earlier stamp.
        """
        with self._timer.measure("detector"):
            detections = self._finder.find(image, stamp_ns, presences, self._tracks)
        with self._timer.measure("tracker"):
            tracks = self._tracks = self._tracker.track(image, detections, stamp_ns)
        with self._timer.measure("pose"):
            poses = self._poser.estimate(image, tracks, stamp_ns)
        return Perception(detections, tracks, poses)
