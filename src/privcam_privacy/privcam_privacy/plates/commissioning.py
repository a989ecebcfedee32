"""Makes the plate of mode `locked` from a recording of the empty room, with the regions that an operator must review.

Two engines process the same frames. The first is the engine of mode `adaptive`: the background that it confirms is the
plate. The second gets no people and works only by motion: it keeps every object that stands still where something
looked like a person. Nothing of that is in the plate until an operator decides that the region is no person. Then a
coat stand is in the plate, and everything that moved still is not.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from privcam_core.images.environment import FILL, encode_environment
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.boxes import pixel_slices
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.time import seconds_from_ns
from privcam_privacy.background.engine import EngineResult, PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.grid import dilate
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_records import Reason
from privcam_privacy.plates.review_regions import describe_region, number_regions

FindPeople = Callable[[Image, BoolArray], Iterable[Box]]

# The engine renews its picture in steps. During commissioning, a step costs nothing.
_STEP_S = 0.5
# A box belongs to a declared region when at least this fraction of its area is in it.
INSIDE_FRACTION = 0.8
# Findings of the inspection are blanked, and the rest is inspected again, this many times.
_MAX_ROUNDS = 4
# From the second round on, a box counts only when at least this fraction of it is still confirmed: detectors take the
# outline of a region that was just blanked for a person.
MIN_CONFIRMED_FRACTION = 0.9
# The engine keeps a larger distance to people than their regions here. Pixels that are blank within this fraction of
# the picture's height around a region belong to it, so that the operator is asked once.
_RIM_FRACTION = 0.04


@dataclass(frozen=True)
class CommissionSettings:
    """Settings of a recording.

    max_s: length of the recording. target_fraction, min_s: the recording ends early when this fraction of the picture
    is confirmed and min_s have passed. review_threshold: a detection with at least this score is pointed out to the
    operator; three empty rooms had a highest score of 0.14, 0.17 and 0.24. A detection with at least the blocking
    threshold of the engine is blanked.
    """

    max_s: float = 20.0
    target_fraction: float = 0.995
    min_s: float = 10.0
    review_threshold: float = 0.15

    def __post_init__(self) -> None:
        if not self.max_s > 0:
            raise ValueError(f"CommissionSettings: max_s is {self.max_s}, needs to be above 0")


class Commissioning:
    """One recording of the empty room.

    declared: (H, W), regions of an earlier pending plate that the operator declared to be no person.
    """

    def __init__(
        self, camera_id: str, settings: CommissionSettings | None = None, declared: BoolArray | None = None
    ) -> None:
        self._camera_id = camera_id
        self._settings = settings or CommissionSettings()
        self._engine_settings = EngineSettings(evidence="transit", reviewed=True, step_s=_STEP_S)
        self._engine = PrivacyEngine(self._engine_settings)
        self._motion_engine = PrivacyEngine(self._engine_settings)
        self._declared = declared
        self._result: EngineResult | None = None
        self._motion_result: EngineResult | None = None
        self._stamps_ns: list[int] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds of video so far."""
        return seconds_from_ns(self._stamps_ns[-1] - self._stamps_ns[0]) if self._stamps_ns else 0.0

    @property
    def confirmed_fraction(self) -> float:
        """Fraction of the picture that would be in the plate if the recording ended now."""
        return float(self._confirmed().mean()) if self._result is not None else 0.0

    @property
    def done(self) -> bool:
        """Whether the recording is long enough."""
        limits = self._settings
        enough = self.elapsed_s >= limits.min_s and self.confirmed_fraction >= limits.target_fraction
        return enough or self.elapsed_s >= limits.max_s

    def add(
        self, image: Image, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray, stamp_ns: int
    ) -> None:
        """Process one frame. Arguments as for `PrivacyEngine.update`. Raises ValueError for another size."""
        if self._result is None:
            self._start(image.shape[:2])
        elif image.shape[:2] != self._tracked.shape:
            height, width = self._tracked.shape
            raise ValueError(f"frame: has shape {image.shape}, the recording began with {height}x{width}")
        self._result = self._engine.update(image, detections, tracks, person_mask, stamp_ns)
        nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        self._motion_result = self._motion_engine.update(image, nobody, [], np.zeros_like(person_mask), stamp_ns)
        self._stamps_ns.append(stamp_ns)
        self._mark_people(detections, tracks, person_mask)

    def make_pending(self, find_people: FindPeople, taken_ns: int) -> PendingPlate:
        """Return the plate as it would be stored, with the regions to review.

        find_people: returns the boxes (px) in a picture (H, W, 3), with its confirmed mask (H, W), that look like a
        person or a face. taken_ns: ns since the epoch. Raises ValueError without any frame.
        """
        if self._result is None or self._motion_result is None:
            raise ValueError("Commissioning: there was no frame")
        picture, confirmed = self._result.environment_plate.copy(), self._confirmed()
        if self._declared is not None:
            undisputed = self._declared & ~self._tracked & ~self._detected
            picture, confirmed = self._add_motionless(picture, confirmed, undisputed)
        found = self._inspect(picture, confirmed, find_people)
        confirmed &= ~found
        evidence = [
            (Reason.PERSON, _with_rim(self._tracked, ~confirmed)),
            (Reason.LIKENESS, _with_rim(self._detected & ~confirmed, ~confirmed)),
            (Reason.INSPECTION, _with_rim(found, ~confirmed)),
            (Reason.DECLARED, self._declared if self._declared is not None else np.zeros_like(confirmed)),
            (Reason.UNCONFIRMED, ~confirmed),
            (Reason.LOW_CONFIDENCE, self._low_confidence),
        ]
        labels, regions = number_regions(evidence, confirmed)
        decided = [replace(region, decision="shown" if region.reason is Reason.DECLARED else "") for region in regions]
        settings = {
            **asdict(self._settings),
            "recorded_s": round(self.elapsed_s, 3),
            "frames": len(self._stamps_ns),
            "blocking_threshold": self._engine_settings.blocking_threshold,
        }
        png = encode_environment(picture, confirmed)
        return PendingPlate(png, labels, decided, self._camera_id, taken_ns, _software(), settings)

    def open_regions(
        self, pending: PendingPlate, picture: Image, confirmed: BoolArray, numbers: Collection[int]
    ) -> PendingPlate:
        """Return the pending plate with the motionless parts of the regions `numbers`: the operator saw no person.

        picture, confirmed: those of the PNG of `pending`. Raises ValueError for a region that does not exist.
        """
        unknown = set(numbers) - {region.number for region in pending.regions}
        if unknown:
            raise ValueError(f"region {min(unknown)}: there is none")
        picture, confirmed = self._add_motionless(picture, confirmed, np.isin(pending.labels, sorted(numbers)))
        regions = [
            describe_region(region.number, region.reason, pending.labels, confirmed, "shown")
            if region.number in numbers
            else region
            for region in pending.regions
        ]
        return replace(pending, png=encode_environment(picture, confirmed), regions=regions)

    def _start(self, shape: tuple[int, ...]) -> None:
        if self._declared is not None and self._declared.shape != shape:
            height, width = self._declared.shape
            raise ValueError(f"frame: has shape {shape}, the regions are of a {height}x{width} plate; make a new one")
        self._tracked, self._detected, self._low_confidence = (np.zeros(shape, np.bool_) for _ in range(3))

    def _confirmed(self) -> BoolArray:
        assert self._result is not None
        confirmed: BoolArray = self._result.confirmed & ~self._tracked & ~self._detected
        return confirmed

    def _add_motionless(self, picture: Image, confirmed: BoolArray, where: BoolArray) -> tuple[Image, BoolArray]:
        """Return picture and confirmed mask, with everything added that stood still in `where`."""
        assert self._motion_result is not None
        added = where & self._motion_result.confirmed & ~confirmed
        picture = np.where(added[..., None], self._motion_result.environment_plate, picture)
        return picture, confirmed | added

    def _mark_people(self, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray) -> None:
        """Mark where anything looked like a person, except where the operator declared that it is none."""
        undeclared = np.bool_(True) if self._declared is None else ~self._declared
        self._tracked |= person_mask & undeclared
        for track in tracks:
            if track.state == TrackState.CONFIRMED:
                self._mark(self._tracked, track.box, widened=True)
        for box, score in zip(detections.boxes.tolist(), detections.scores, strict=True):
            if score >= self._engine_settings.blocking_threshold:
                self._mark(self._detected, box, widened=True)
            elif score >= self._settings.review_threshold:
                self._mark(self._low_confidence, box, widened=False)

    def _mark(self, mask: BoolArray, box: Box, *, widened: bool) -> None:
        """Set the pixels of `box` in `mask` (H, W), unless the box belongs to a declared region."""
        height, width = mask.shape
        if self._declared is not None:
            part = self._declared[pixel_slices(box, height, width)]
            if part.size and part.mean() >= INSIDE_FRACTION:
                return
        if widened:
            box = self._engine_settings.margins.widen(box, height)
        mask[pixel_slices(box, height, width)] = True

    def _inspect(self, picture: Image, confirmed: BoolArray, find_people: FindPeople) -> BoolArray:
        """Return where the inspection finds a person or a face in the picture that would be sent, (H, W)."""
        height, width = confirmed.shape
        found = np.zeros_like(confirmed)
        for number in range(_MAX_ROUNDS):
            left = confirmed & ~found
            boxes = find_people(np.where(left[..., None], picture, np.uint8(FILL)), left)
            new = [
                box
                for box in boxes
                if number == 0 or left[pixel_slices(box, height, width)].mean() >= MIN_CONFIRMED_FRACTION
            ]
            for box in new:
                self._mark(found, box, widened=True)
            if not new:
                break
        return found


def _with_rim(mask: BoolArray, blank: BoolArray) -> BoolArray:
    """Return `mask` (H, W) with the blank pixels close to it."""
    reach = max(1, round(_RIM_FRACTION * mask.shape[0]))
    near = dilate(mask.view(np.uint8), reach).view(np.bool_)
    rim: BoolArray = mask | (near & blank)
    return rim


def _software() -> str:
    try:
        return f"privcam {version('privcam_edge')}"
    except PackageNotFoundError:
        return "privcam, version unknown"
