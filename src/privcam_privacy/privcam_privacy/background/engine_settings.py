"""Settings of the privacy engine in mode `adaptive`."""

from dataclasses import dataclass, field, replace
from typing import get_args

from privcam_core.detection.thresholds import REPORT
from privcam_core.types.sight import Sight
from privcam_privacy.background.exclusion_masks import Margins
from privcam_privacy.evidence.cell_evidence import Evidence, PlateTimes
from privcam_privacy.evidence.zones import Polygon

# A detection with at least this score excludes its region. At 0.25 the detector finds 87 of 100 persons, at 0.35 only
# 77 (COCO, above 8 % of the picture's height): ten persons in a hundred are worth more than a sofa that is withheld.
BLOCKING_THRESHOLD = 0.25
# A cell is confirmed when it agrees with the approved picture for this long, s. Its value is that of the picture.
_AGREE_S = 1.0
# Under a low-confidence box it takes this much longer.
_LOW_CONFIDENCE_FACTOR = 1.25
# Where the background was another one before it takes this much longer.
_CHANGED_FACTOR = 3.0

# How a camera sees by night, with little light or an infrared lamp.
_NIGHT = (Sight.DARK, Sight.LOW_CONTRAST, Sight.NOISY)


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the adaptive mode.

    evidence: what may confirm background. stillness_s: seconds without any motion, for `stillness`: a sleeper turns
    over more often. times: for `transit`; of the others only change_s counts. reviewed: an operator looks at the
    picture before it is published, so it may also be learnt by night.
    blocking_threshold: a detection with at least this score excludes its region.
    low_confidence_threshold: a detection between this score and blocking_threshold excludes its region if it overlaps a
    person. Elsewhere its background needs longer evidence, and anything that moves in the region excludes all of it.
    person_hold_s, motion_hold_s: a region stays excluded this long after its last evidence. In any 3 s, each of 24
    tracks of people (tracked from boxes above 0.40) had a box of 0.40 or more, and three empty rooms had none above
    0.35. A person who never scores as much is left to low-confidence boxes, motion and masks.
    step_s: shortest time between two renewals of the environment. It is withdrawn at once.
    mask_zones: nothing in them is ever read or shown, and nothing that moves there is a presence. door_zones: who was
    last seen upright in one of them has left.
    """

    evidence: Evidence = "commissioned"
    reviewed: bool = False
    stillness_s: float = 1800.0
    blocking_threshold: float = BLOCKING_THRESHOLD
    low_confidence_threshold: float = REPORT
    person_hold_s: float = 3.0
    motion_hold_s: float = 1.0
    step_s: float = 2.0
    times: PlateTimes = field(default_factory=PlateTimes)
    margins: Margins = field(default_factory=Margins)
    mask_zones: tuple[Polygon, ...] = ()
    door_zones: tuple[Polygon, ...] = ()

    def __post_init__(self) -> None:
        if self.evidence not in get_args(Evidence):
            raise ValueError(f"evidence: {self.evidence!r} is not one of {', '.join(get_args(Evidence))}")
        if not self.stillness_s > 0:
            raise ValueError(f"stillness_s: {self.stillness_s} has to be above 0 s")
        if not 0 <= self.low_confidence_threshold <= self.blocking_threshold <= 1:
            raise ValueError(
                f"EngineSettings: needs 0 <= low_confidence_threshold <= blocking_threshold <= 1, "
                f"got {self.low_confidence_threshold} and {self.blocking_threshold}"
            )
        if min(self.person_hold_s, self.motion_hold_s, self.step_s) <= 0:
            raise ValueError("EngineSettings: person_hold_s, motion_hold_s and step_s must be above 0 s")

    @property
    def sights(self) -> frozenset[Sight]:
        """How well the camera has to see for a frame to confirm background.

        Evidence `commissioned` shows pixels of the approved picture alone, so it also holds by night: otherwise an
        approved night state could never be shown. The other kinds show what nobody approved, and rely on the detectors.
        """
        by_night = self.reviewed or self.evidence == "commissioned"
        return frozenset({Sight.CLEAR, *(_NIGHT if by_night else ())})

    @property
    def plate_times(self) -> PlateTimes:
        """How long evidence of the chosen kind has to last."""
        if self.evidence == "transit":
            return self.times
        if self.evidence == "stillness":
            long = self.stillness_s
            return replace(self.times, confirm_s=long, low_confidence_s=long, relearn_s=long)
        return replace(
            self.times,
            confirm_s=_AGREE_S,
            low_confidence_s=_LOW_CONFIDENCE_FACTOR * _AGREE_S,
            relearn_s=_CHANGED_FACTOR * _AGREE_S,
        )
