"""Settings of the privacy engine in mode `adaptive`."""

from dataclasses import dataclass, field

from privcam_core.detection.thresholds import REPORT
from privcam_privacy.background.clean_plate import PlateTimes
from privcam_privacy.background.exclusion_masks import Margins

# A detection with at least this score excludes its region. At 0.25 the detector finds 87 of 100 persons, at 0.35 only
# 77 (COCO, above 8 % of the picture's height): ten persons in a hundred are worth more than a sofa that is withheld.
BLOCKING_THRESHOLD = 0.25


@dataclass(frozen=True)
class EngineSettings:
    """Settings of the adaptive mode.

    blocking_threshold: a detection with at least this score excludes its region.
    low_confidence_threshold: a detection between this score and blocking_threshold excludes its region if it overlaps a
    person. Elsewhere its background needs longer evidence, and anything that moves in the region excludes all of it.
    person_hold_s, motion_hold_s: a region stays excluded this long after its last evidence. In any 3 s, each of 24
    tracks of people (tracked from boxes above 0.40) had a box of 0.40 or more, and three empty rooms had none above
    0.35. A person who never scores as much is left to low-confidence boxes, motion and masks.
    step_s: shortest time between two renewals of the environment. It is withdrawn at once.
    """

    blocking_threshold: float = BLOCKING_THRESHOLD
    low_confidence_threshold: float = REPORT
    person_hold_s: float = 3.0
    motion_hold_s: float = 1.0
    step_s: float = 2.0
    times: PlateTimes = field(default_factory=PlateTimes)
    margins: Margins = field(default_factory=Margins)

    def __post_init__(self) -> None:
        if not 0 <= self.low_confidence_threshold <= self.blocking_threshold <= 1:
            raise ValueError(
                f"EngineSettings: needs 0 <= low_confidence_threshold <= blocking_threshold <= 1, "
                f"got {self.low_confidence_threshold} and {self.blocking_threshold}"
            )
        if min(self.person_hold_s, self.motion_hold_s, self.step_s) <= 0:
            raise ValueError("EngineSettings: person_hold_s, motion_hold_s and step_s must be above 0 s")
