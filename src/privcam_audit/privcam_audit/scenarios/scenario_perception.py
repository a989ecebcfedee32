"""The perception of a scenario: recorded detections where the pixels are the clip's own, else the real models."""

from typing import Protocol

import numpy as np

from privcam_audit.perception_recording import CAMERA_ID, START_NS, FramePerception
from privcam_audit.scenarios.scene import Event, Scene, Step
from privcam_core.types.omega import SubjectPose, SyncKey
from privcam_core.types.perception import Detections
from privcam_core.types.time import ns_from_seconds
from privcam_evaluation.shared_models import SharedModels
from privcam_perception.subject_poser import SubjectPoser
from privcam_perception.tracking.person_tracker import PersonTracker

# So many frames of a held scene are perceived: new tracks are confirmed by then.
_HELD_FRAMES = 10


class KeyClock:
    """Gives each step its κ: every film starts at the moment at which recordings of clips start."""

    def __init__(self) -> None:
        self._number = 0
        self._stamp_ns = START_NS

    def next_key(self, step: Step) -> SyncKey:
        """Return κ of the next step."""
        if self._number:
            self._stamp_ns += ns_from_seconds(step.elapsed_s)
        self._number += 1
        return SyncKey(CAMERA_ID, self._number, self._stamp_ns)


class ScenarioPerception(Protocol):
    """Finds people in the steps of one film, in their order. It starts again with every film, and with the edge."""

    def restart(self) -> None:
        """Forget everything: another film begins."""

    def perceive(self, key: SyncKey, step: Step) -> FramePerception:
        """Return detections, tracks and poses of a step."""


class ModelPerception:
    """Detector, tracker and pose estimator as the edge has them. They are started again with the edge.

    Of a scene that is held, the first frames are perceived, and then their boxes and poses come again in turn: only the
    noise of the camera is another one, and the models take most of the time of an audit.
    The edge looks again where it expects somebody whom the detector does not find; here it does not, so these
    detections are no better than the edge's.
    """

    def __init__(self, models: SharedModels, threads: int = 1) -> None:
        self._models = models
        self._threads = threads
        self.restart()

    def restart(self) -> None:
        """Forget everything: another film begins."""
        self._tracker = PersonTracker()
        self._poser = SubjectPoser(threads=self._threads)
        self._as_recorded = True
        self._scene: Scene | None = None
        self._held: list[tuple[Detections, list[SubjectPose]]] = []

    def perceive(self, key: SyncKey, step: Step) -> FramePerception:
        """Return detections, tracks and poses of a step."""
        if step.event is not Event.NONE:
            self.restart()
            self._as_recorded = False
        if step.scene is not self._scene:
            self._scene, self._held = step.scene, []
        repeated = self._held[key.frame_id % _HELD_FRAMES] if step.held and len(self._held) >= _HELD_FRAMES else None
        if step.blind:
            detections = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        elif repeated is not None:
            detections = repeated[0]
        else:
            detections = step.recorded.detections if step.recorded else self._models.detect(step.image)
        tracks = self._tracker.track(step.image, detections, key.stamp_ns)
        if repeated is not None:
            poses = repeated[1]
        elif step.recorded and self._as_recorded:
            poses = step.recorded.poses
        else:
            poses = self._models.poses(
                step.image, tracks, lambda: self._poser.estimate(step.image, tracks, key.stamp_ns)
            )
        if step.held:
            self._held.append((detections, poses))
        return FramePerception(key, detections, tracks, poses)
