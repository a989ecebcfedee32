"""The engine of mode `locked`: the environment is the approved plate, whatever the camera sees.

No byte of the environment depends on a frame. So a camera that was moved gives the old view with poses that do not fit:
this is wrong, but shows nobody. The plate is kept, and the diagnostics report it.
"""

from collections.abc import Sequence

import numpy as np

from privcam_core.images.environment import FILL
from privcam_core.images.png import require_bgr8, require_mask
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.boxes import pixel_slices
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.time import ns_from_seconds
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.engine_settings import BLOCKING_THRESHOLD
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.view_check import ViewCheck
from privcam_privacy.sight.sight_monitor import SightMonitor

# The view is compared this often.
_CHECK_PERIOD_S = 1.0
# The result changes when it was the same this many times: a person who walks by close to the camera is not a camera
# that was moved.
_SAME_RESULTS = 5


class LockedEngine:
    """As `PrivacyEngine`, with an approved plate.

    matches: whether the camera still sees the view of the plate; None while that is not known. note: a sentence for the
    diagnostics when something is wrong, else "". Neither changes the published picture.
    """

    def __init__(self, plate: ApprovedPlate) -> None:
        self._plate = plate
        self._view = ViewCheck(plate.picture, plate.confirmed)
        self._sight = SightMonitor()
        self._checked_ns: int | None = None
        self._results: list[bool] = []
        self._shape: tuple[int, int] | None = None
        self._epoch = 0
        self.matches: bool | None = None

    def update(
        self, image: Image, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> EngineResult:
        """Return the plate for one frame. Arguments as for `PrivacyEngine.update`.

        For a frame of another size than the plate, the result is a picture of that size in which everything is
        withheld. Raises ValueError on wrong shapes.
        """
        require_bgr8(image)
        shape = (image.shape[0], image.shape[1])
        require_mask(person_mask, image, "person_mask")
        changed = shape != self._shape
        if changed:
            # An epoch is never used twice, so that no receiver takes one picture for another.
            self._shape, self._epoch = shape, self._epoch + 1
        if shape == self._plate.shape:
            self._check_view(image, detections, tracks, person_mask, stamp_ns)
            picture, confirmed = self._plate.picture.copy(), self._plate.confirmed.copy()
        else:
            self.matches = False
            picture, confirmed = np.full((*shape, 3), FILL, np.uint8), np.zeros(shape, np.bool_)
        return EngineResult(
            environment_plate=picture,
            confirmed=confirmed,
            changed=changed,
            epoch=self._epoch,
            excluded_fraction=float(person_mask.mean()),
            withheld_fraction=1.0 - float(confirmed.mean()),
            quarantined_fraction=0.0,
            sight=self._sight.update(image, stamp_ns),
        )

    @property
    def note(self) -> str:
        """A note for the operator, or ""."""
        if self._shape is not None and self._shape != self._plate.shape:
            (height, width), (rows, columns) = self._shape, self._plate.shape
            return (
                f"the camera gives {width}x{height} px, the approved plate has {columns}x{rows}: nothing of the room "
                "is published; set the camera back, or commission it again"
            )
        if self.matches is False:
            return (
                "the camera does not see what the approved plate shows: it was moved, covered, or the room or its "
                "illumination is very different; the plate is still published, poses may not fit it; "
                "commission it again"
            )
        return ""

    def _check_view(
        self, image: Image, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> None:
        """Update `matches`, at most once per _CHECK_PERIOD_S."""
        if self._checked_ns is not None and 0 <= stamp_ns - self._checked_ns < ns_from_seconds(_CHECK_PERIOD_S):
            return
        self._checked_ns = stamp_ns
        people = person_mask.copy()
        height, width = people.shape
        boxes = [
            *detections.with_min_score(BLOCKING_THRESHOLD).boxes.tolist(),
            *(track.box for track in tracks if track.state != TrackState.LOST),
        ]
        for box in boxes:
            people[pixel_slices(box, height, width)] = True
        result = self._view.check(image, people)
        if result is None:
            return
        self._results = [*self._results, result][-_SAME_RESULTS:]
        if len(self._results) == _SAME_RESULTS and len(set(self._results)) == 1:
            self.matches = result
