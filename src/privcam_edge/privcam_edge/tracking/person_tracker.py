"""The tracker with its appearance descriptors, which never leave this object."""

import numpy as np
import numpy.typing as npt

from privcam_core.types.perception import Detections, Track
from privcam_edge.perception.appearance import AppearanceDescriptor
from privcam_edge.tracking.deepsort import DeepSort


class PersonTracker:
    """Who is who from frame to frame.

    score: a detection below it starts no track. weak_score: one below it is believed only of somebody who is known,
    by looks. faint_score: one below it is not used at all.
    """

    def __init__(self, score: float = 0.35, weak_score: float = 0.2, faint_score: float = 0.12) -> None:
        self._descriptor = AppearanceDescriptor()
        self._sort = DeepSort(score=score, weak_score=weak_score, faint_score=faint_score)
        self._faint_score = faint_score

    def track(self, image: npt.NDArray[np.uint8], detections: Detections, stamp_ns: int) -> list[Track]:
        """Return all live tracks after this frame, (H, W, 3) uint8 BGR."""
        usable = detections.at_least(self._faint_score)
        return self._sort.update(usable, self._descriptor.describe(image, usable.boxes), stamp_ns)
