"""Mode `locked`: the environment is the approved plate, whatever the camera sees.

No byte of it depends on a frame. So a camera that was moved shows the old view with poses that do not fit, which is
wrong but shows nobody; the plate is kept and the diagnostics say so.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import FILL, require_bgr8
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.background.exclusion_masks import BoolArray
from privcam_privacy.background.snapshot import NS
from privcam_privacy.plates.approved import CommissionedPlate
from privcam_privacy.plates.view_check import ViewCheck

# The view is compared this often, and the answer changes when it was the same this many times: a person who walks by
# close to the camera is not a camera that was moved.
_CHECK_S = 1.0
_SAME_ANSWERS = 5
# A box scoring at least this is left out of the comparison.
_PERSON_SCORE = 0.25


class LockedEngine:
    """As `PrivacyEngine`, with an approved plate.

    matches: whether the camera still looks at what the plate shows; None while that is not known. note: a sentence
    for the diagnostics when something is not as it should be, else "". Neither changes what is sent.
    """

    def __init__(self, plate: CommissionedPlate) -> None:
        self._plate = plate
        self._check = ViewCheck(plate.picture, plate.validity)
        self._checked_ns: int | None = None
        self._answers: list[bool] = []
        self._shape: tuple[int, int] | None = None
        self._epoch = 0
        self.matches: bool | None = None

    def update(
        self,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        person_mask: BoolArray,
        stamp_ns: int,
    ) -> EngineResult:
        """Return the plate for one frame. Arguments as for `PrivacyEngine.update`.

        A frame of another size than the plate gets a picture of that size in which everything is withheld. Raises
        ValueError on wrong shapes.
        """
        require_bgr8(image)
        shape = (image.shape[0], image.shape[1])
        if person_mask.shape != shape or person_mask.dtype != np.bool_:
            raise ValueError(f"person_mask: is {person_mask.dtype} {person_mask.shape}, needs bool {shape}")
        changed = shape != self._shape
        if changed:
            # An epoch is never used twice, so that no receiver takes one picture for another.
            self._shape, self._epoch = shape, self._epoch + 1
        fits = shape == self._plate.shape
        if fits:
            self._look(image, detections, tracks, person_mask, stamp_ns)
            picture, validity = self._plate.picture.copy(), self._plate.validity.copy()
        else:
            self.matches = False
            picture, validity = np.full((*shape, 3), FILL, np.uint8), np.zeros(shape, np.bool_)
        return EngineResult(
            environment_plate=picture,
            validity=validity,
            changed=changed,
            epoch=self._epoch,
            excluded_fraction=float(person_mask.mean()),
            withheld_fraction=1.0 - float(validity.mean()),
            quarantined_fraction=0.0,
        )

    @property
    def note(self) -> str:
        """What an operator should know, or ""."""
        if self._shape is not None and self._shape != self._plate.shape:
            (height, width), (rows, columns) = self._shape, self._plate.shape
            return (
                f"the camera gives {width}x{height} px, the approved plate has {columns}x{rows}: nothing of the room "
                "is shown; set the camera back, or commission it again"
            )
        if self.matches is False:
            return (
                "the camera does not see what the approved plate shows: it was moved, covered, or the room or its "
                "light is very different; the plate is still shown, poses may not fit it; commission it again"
            )
        return ""

    def _look(
        self,
        image: npt.NDArray[np.uint8],
        detections: Detections,
        tracks: Sequence[Track],
        person_mask: BoolArray,
        stamp_ns: int,
    ) -> None:
        if self._checked_ns is not None and 0 <= stamp_ns - self._checked_ns < _CHECK_S * NS:
            return
        self._checked_ns = stamp_ns
        people = person_mask.copy()
        for x0, y0, x1, y1 in [
            *detections.at_least(_PERSON_SCORE).boxes.tolist(),
            *(track.box for track in tracks if track.state != TrackState.LOST),
        ]:
            people[max(int(y0), 0) : max(int(y1), 0), max(int(x0), 0) : max(int(x1), 0)] = True
        answer = self._check(image, people)
        if answer is None:
            return
        self._answers = [*self._answers, answer][-_SAME_ANSWERS:]
        if len(self._answers) == _SAME_ANSWERS and len(set(self._answers)) == 1:
            self.matches = answer
