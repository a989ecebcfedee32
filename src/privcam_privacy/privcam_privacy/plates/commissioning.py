"""Makes the plate of mode `locked` from a recording of the empty room, and says what it is not sure of.

Two engines look at the same frames. One is that of mode `adaptive`: what it proves is the plate. The other is told of
no people and goes by motion alone: it remembers what stands still where something looked like a person. Of that
nothing is shown until an operator has said that this region is nobody; then a coat stand is shown, and whatever moved
still is not.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import FILL, encode_environment
from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.engine import EngineResult, EngineSettings, PrivacyEngine
from privcam_privacy.background.exclusion_masks import BoolArray
from privcam_privacy.background.snapshot import NS
from privcam_privacy.plates.pending import Candidate
from privcam_privacy.plates.plate_records import Reason
from privcam_privacy.plates.review_regions import describe, number_regions

Image = npt.NDArray[np.uint8]
Inspect = Callable[[Image, BoolArray], Iterable[Box]]

# The engine renews its picture in steps; here nobody pays for a step.
_STEP_S = 0.5
# A box that lies in a declared region by this share of its area is about what was declared.
_INSIDE_SHARE = 0.8
# What the inspection finds is blanked, and the rest is looked at again, this many times. From the second look on a box
# counts only when this share of it is still shown: detectors take the outline of what was just blanked for somebody.
_LOOKS, _UNTOUCHED_SHARE = 4, 0.9

# The engine keeps more distance to people than their regions here: what is blank within this share of the picture's
# height around one belongs to it, so that the operator is asked once.
_RIM_SHARE = 0.04


@dataclass(frozen=True)
class CommissionSettings:
    """seconds: length of the recording. enough, least_s: it ends early when this share of the picture is shown and
    least_s passed. look_score: a detection from here on is pointed out to the operator; three empty rooms had a
    highest score of 0.14, 0.17 and 0.24. From the engine's own blocking score on it is blanked.
    """

    seconds: float = 20.0
    enough: float = 0.995
    least_s: float = 10.0
    look_score: float = 0.15

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"CommissionSettings: seconds is {self.seconds}, needs to be above 0")


class Commissioning:
    """One recording of the empty room.

    declared: (H, W), regions of an earlier candidate that the operator declared to be nobody.
    """

    def __init__(
        self, camera_id: str, settings: CommissionSettings | None = None, declared: BoolArray | None = None
    ) -> None:
        self._camera_id = camera_id
        self._settings = settings or CommissionSettings()
        self._engine_settings = replace(EngineSettings(), step_s=_STEP_S)
        self._engine = PrivacyEngine(self._engine_settings)
        self._still = PrivacyEngine(self._engine_settings)
        self._declared = declared
        self._result: EngineResult | None = None
        self._still_result: EngineResult | None = None
        self._stamps_ns: list[int] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds of video so far."""
        return (self._stamps_ns[-1] - self._stamps_ns[0]) / NS if self._stamps_ns else 0.0

    @property
    def shown(self) -> float:
        """Share of the picture that would be shown if the recording ended now."""
        return float(self._valid().mean()) if self._result is not None else 0.0

    @property
    def done(self) -> bool:
        """Whether the recording is long enough."""
        limits = self._settings
        enough = self.elapsed_s >= limits.least_s and self.shown >= limits.enough
        return enough or self.elapsed_s >= limits.seconds

    def add(
        self,
        image: Image,
        detections: Detections,
        tracks: Sequence[Track],
        person_mask: BoolArray,
        stamp_ns: int,
    ) -> None:
        """Take in one frame. Arguments as for `PrivacyEngine.update`. Raises ValueError for another size."""
        if self._result is None:
            self._start(image.shape[:2])
        elif image.shape[:2] != self._followed.shape:
            height, width = self._followed.shape
            raise ValueError(f"frame: has shape {image.shape}, the recording began with {height}x{width}")
        self._result = self._engine.update(image, detections, tracks, person_mask, stamp_ns)
        nobody = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        self._still_result = self._still.update(image, nobody, [], np.zeros_like(person_mask), stamp_ns)
        self._stamps_ns.append(stamp_ns)
        self._note(detections, tracks, person_mask)

    def candidate(self, inspect: Inspect, taken_ns: int) -> Candidate:
        """Return the plate as it would be stored, with what is asked about it.

        inspect: returns the boxes (px) in a picture (H, W, 3) with validity (H, W) that look like a person or a face.
        taken_ns: ns since the epoch. Raises ValueError without any frame.
        """
        if self._result is None or self._still_result is None:
            raise ValueError("Commissioning: there was no frame")
        picture, valid = self._result.environment_plate.copy(), self._valid()
        if self._declared is not None:
            undisputed = self._declared & ~self._followed & ~self._taken_for
            picture, valid = self._with_still(picture, valid, undisputed)
        found = self._inspected(picture, valid, inspect)
        valid &= ~found
        evidence = [
            (Reason.PERSON, _with_rim(self._followed, ~valid)),
            (Reason.LIKENESS, _with_rim(self._taken_for & ~valid, ~valid)),
            (Reason.FINDING, _with_rim(found, ~valid)),
            (Reason.DECLARED, self._declared if self._declared is not None else np.zeros_like(valid)),
            (Reason.UNPROVEN, ~valid),
            (Reason.WEAK, self._weak),
        ]
        labels, regions = number_regions(evidence, valid)
        decided = [replace(region, decision="shown" if region.reason is Reason.DECLARED else "") for region in regions]
        settings = {
            **asdict(self._settings),
            "recorded_s": round(self.elapsed_s, 3),
            "frames": len(self._stamps_ns),
            "blocking_score": self._engine_settings.blocking_score,
        }
        png = encode_environment(picture, valid)
        return Candidate(png, labels, decided, self._camera_id, taken_ns, _software(), settings)

    def opened(self, candidate: Candidate, picture: Image, valid: BoolArray, numbers: Collection[int]) -> Candidate:
        """Return the candidate with the regions `numbers` shown where they stood still: the operator said, nobody.

        picture, valid: those of the candidate's PNG. Raises ValueError for a region that does not exist.
        """
        unknown = set(numbers) - {region.number for region in candidate.regions}
        if unknown:
            raise ValueError(f"region {min(unknown)}: there is none")
        picture, valid = self._with_still(picture, valid, np.isin(candidate.labels, sorted(numbers)))
        regions = [
            describe(region.number, region.reason, candidate.labels, valid, "shown")
            if region.number in numbers
            else region
            for region in candidate.regions
        ]
        return replace(candidate, png=encode_environment(picture, valid), regions=regions)

    def _start(self, shape: tuple[int, ...]) -> None:
        if self._declared is not None and self._declared.shape != shape:
            height, width = self._declared.shape
            raise ValueError(f"frame: has shape {shape}, the regions are of a {height}x{width} plate; make a new one")
        self._followed, self._taken_for, self._weak = (np.zeros(shape, np.bool_) for _ in range(3))

    def _valid(self) -> BoolArray:
        assert self._result is not None
        valid: BoolArray = self._result.validity & ~self._followed & ~self._taken_for
        return valid

    def _with_still(self, picture: Image, valid: BoolArray, where: BoolArray) -> tuple[Image, BoolArray]:
        """Return picture and validity with what stood still in `where` added."""
        assert self._still_result is not None
        added = where & self._still_result.validity & ~valid
        picture = np.where(added[..., None], self._still_result.environment_plate, picture)
        return picture, valid | added

    def _note(self, detections: Detections, tracks: Sequence[Track], person_mask: BoolArray) -> None:
        """Remember where anything looked like a person, except where the operator declared it to be nobody."""
        undeclared = np.bool_(True) if self._declared is None else ~self._declared
        self._followed |= person_mask & undeclared
        for track in tracks:
            if track.state == TrackState.CONFIRMED:
                self._mark(self._followed, track.box, widened=True)
        for box, score in zip(detections.boxes.tolist(), detections.scores, strict=True):
            if score >= self._engine_settings.blocking_score:
                self._mark(self._taken_for, box, widened=True)
            elif score >= self._settings.look_score:
                self._mark(self._weak, box, widened=False)

    def _mark(self, mask: BoolArray, box: Box, *, widened: bool) -> None:
        if self._declared is not None:
            part = self._declared[_pixels(box, mask.shape)]
            if part.size and part.mean() >= _INSIDE_SHARE:
                return
        if widened:
            box = self._engine_settings.margins.widen(box, mask.shape[0])
        mask[_pixels(box, mask.shape)] = True

    def _inspected(self, picture: Image, valid: BoolArray, inspect: Inspect) -> BoolArray:
        """Return where the inspection still finds somebody in what would be sent."""
        found = np.zeros_like(valid)
        for look in range(_LOOKS):
            left = valid & ~found
            boxes = inspect(np.where(left[..., None], picture, np.uint8(FILL)), left)
            new = [box for box in boxes if look == 0 or left[_pixels(box, left.shape)].mean() >= _UNTOUCHED_SHARE]
            for box in new:
                self._mark(found, box, widened=True)
            if not new:
                break
        return found


def _pixels(box: Box, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of a picture that `box` (px) touches; all if it is not finite."""
    if not np.isfinite(box).all():
        return slice(0, shape[0]), slice(0, shape[1])
    x0, y0 = (int(np.floor(side)) for side in box[:2])
    x1, y1 = (int(np.ceil(side)) for side in box[2:])
    return slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0))


def _with_rim(mask: BoolArray, blank: BoolArray) -> BoolArray:
    """Return `mask` (H, W) with what is blank only because it is close to it."""
    reach = max(1, round(_RIM_SHARE * mask.shape[0]))
    near = cv2.dilate(mask.view(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)).view(np.bool_)
    rim: BoolArray = mask | (near & blank)
    return rim


def _software() -> str:
    try:
        return f"privcam {version('privcam_edge')}"
    except PackageNotFoundError:
        return "privcam, version unknown"
