"""Tracks the persons of one camera with their appearance descriptors, which never leave this object."""

from privcam_core.detection import thresholds
from privcam_core.types.arrays import Image
from privcam_core.types.perception import Detections, DetectionSource, Track
from privcam_perception.appearance import AppearanceDescriptor
from privcam_perception.tracking.deepsort import DeepSort


class PersonTracker:
    """Keeps the identity of persons from frame to frame.

    track_activation_threshold: a detection that scores less starts no track. match_threshold: a detection that scores
    less may only extend an existing track, after an appearance match. low_confidence_threshold: a detection that scores
    less is not used at all. The detections arrive with all their scores, from 0 to 1.
    """

    def __init__(
        self,
        track_activation_threshold: float = thresholds.TRACK_ACTIVATION,
        match_threshold: float = thresholds.MATCH,
        low_confidence_threshold: float = thresholds.LOW_CONFIDENCE,
    ) -> None:
        self._descriptor = AppearanceDescriptor()
        self._tracker = DeepSort(
            track_activation_threshold=track_activation_threshold,
            match_threshold=match_threshold,
            low_confidence_threshold=low_confidence_threshold,
        )
        self._low_confidence_threshold = low_confidence_threshold

    def track(self, image: Image, detections: Detections, stamp_ns: int) -> list[Track]:
        """Return all live tracks after this frame.

        image: (H, W, 3) uint8 BGR. detections: where the detector did not look, the tracks are predicted. stamp_ns:
        capture time of κ. Raises ValueError as `DeepSort.update` does.
        """
        if not detections.fresh:
            return self._tracker.predict(stamp_ns)
        usable = detections.with_min_score(self._low_confidence_threshold)
        turns = [DetectionSource(source) for source in usable.sources]
        return self._tracker.update(usable, self._descriptor.describe(image, usable.boxes, turns), stamp_ns)
