"""Looks again where somebody must be and no box is: enlarged, and turned by 90 and 180 degrees.

The detector hardly detects people who lie, are bent over or are seen from above. The presences of the privacy engine
and the lost tracks say where to look. The looks are few: at most so many network calls in a frame, and none without a
region that has no box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from privcam_core.detection import thresholds
from privcam_core.detection.tiling import PictureDetector
from privcam_core.detection.turned_detection import detect_in_region, merge_detections
from privcam_core.types.arrays import BoolArray, Box, Image, Region
from privcam_core.types.boxes import pixel_region
from privcam_core.types.perception import Detections, DetectionSource, PresenceRegion, Track, TrackState

# A crop is larger than its region by this factor, so that the whole body is in it.
_CROP_FACTOR = 1.5
# Smallest side of a crop as a fraction of the picture's height: a smaller one shows a blur.
_MIN_CROP_FRACTION = 0.3
# The turns of a region that is wider than high, the likeliest first, and of one that is not.
_WIDE_TURNS = (
    DetectionSource.TURNED_LEFT,
    DetectionSource.TURNED_RIGHT,
    DetectionSource.ENLARGED,
    DetectionSource.UPSIDE_DOWN,
)
_HIGH_TURNS = (
    DetectionSource.ENLARGED,
    DetectionSource.TURNED_LEFT,
    DetectionSource.TURNED_RIGHT,
    DetectionSource.UPSIDE_DOWN,
)
# After so many looks without a box, a region without motion is looked at less often ...
_PATIENCE_LOOKS = 16
# ... once in so many frames: an object that was moved is looked at forever.
_IDLE_FRAMES = 10


@dataclass
class _Search:
    """What is known of the looks into one region. looks: without a box, since the last box there was.

    best: the turn that gave the last box. last: number of the frame of the last look.
    """

    looks: int = 0
    best: DetectionSource | None = None
    last: int = -_IDLE_FRAMES


@dataclass(frozen=True)
class _Region:
    """A region to look at. key: identifies it from frame to frame. animate: perhaps a person, not just an object."""

    key: tuple[str, int]
    box: Box
    animate: bool


@dataclass
class LookAgain:
    """Looks again for the people of one camera.

    detector: of persons. per_frame: most network calls in one frame. calls: how many there were. found: how many gave
    a box. Raises ValueError for a negative budget.
    """

    detector: PictureDetector
    per_frame: int = 1
    calls: int = 0
    found: int = 0
    _searches: dict[tuple[str, int], _Search] = field(default_factory=dict)
    _frame: int = 0

    def __post_init__(self) -> None:
        if self.per_frame < 0:
            raise ValueError(f"per_frame: {self.per_frame} is negative, needs 0 or more network calls")

    def detect(
        self,
        image: Image,
        detections: Detections,
        presences: Sequence[PresenceRegion],
        tracks: Sequence[Track],
    ) -> Detections:
        """Return the detections of the whole picture with those of the looks, best first.

        image: (H, W, 3) uint8 BGR. detections: of the whole picture. presences, tracks: of an earlier frame.
        """
        self._frame += 1
        regions = _regions_of(presences, tracks)
        self._searches = {region.key: self._searches.get(region.key, _Search()) for region in regions}
        open_regions = [region for region in regions if not _has_box(region.box, detections)]
        due = [region for region in open_regions if self._is_due(self._searches[region.key])]
        due.sort(key=lambda region: self._searches[region.key].last)
        for region in due[: self.per_frame]:
            detections = merge_detections(detections, self._look(image, region))
        return detections

    def _is_due(self, search: _Search) -> bool:
        return search.looks < _PATIENCE_LOOKS or self._frame - search.last >= _IDLE_FRAMES

    def _look(self, image: Image, region: _Region) -> Detections:
        search = self._searches[region.key]
        turn = _next_turn(search, region.box)
        found = detect_in_region(self.detector, image, _crop_around(region.box, image), turn)
        # An object that was moved is no person because it resembles one when it is turned.
        least = thresholds.LOW_CONFIDENCE if region.animate else thresholds.TRACK_ACTIVATION
        keep = (found.scores >= least) & _middles_inside(found, region.box)
        found = Detections(found.boxes[keep], found.scores[keep], found.sources[keep])
        self.calls += 1
        search.last = self._frame
        if len(found) and found.scores[0] >= thresholds.MATCH:
            self.found += 1
            search.looks, search.best = 0, turn
        else:
            search.looks += 1
        return found


def _regions_of(presences: Sequence[PresenceRegion], tracks: Sequence[Track]) -> list[_Region]:
    regions = [_Region(("presence", one.number), one.box, one.animate) for one in presences]
    # The privacy engine has a presence for every track; without that engine the lost tracks are all there is.
    lost = [track for track in tracks if track.state is TrackState.LOST]
    for track in lost:
        x, y = _middle(track.box)
        if not any(one.box[0] <= x <= one.box[2] and one.box[1] <= y <= one.box[3] for one in regions):
            regions.append(_Region(("track", track.subject_id), track.box, animate=True))
    return regions


def _next_turn(search: _Search, box: Box) -> DetectionSource:
    """Return the turn that gave the last box in every second look, and one of the others in between."""
    turns = _WIDE_TURNS if box[2] - box[0] > box[3] - box[1] else _HIGH_TURNS
    if search.best is None:
        return turns[search.looks % len(turns)]
    if search.looks % 2 == 0:
        return search.best
    others = [turn for turn in turns if turn is not search.best]
    return others[search.looks // 2 % len(others)]


def _has_box(region: Box, detections: Detections) -> bool:
    """Return whether a person was found in the region: a box with its middle there, or around the region's middle."""
    known = detections.with_min_score(thresholds.MATCH)
    x, y = _middle(region)
    low, high = known.boxes[:, :2], known.boxes[:, 2:]
    around = ((low <= (x, y)) & (high >= (x, y))).all(axis=1)
    return bool((around | _middles_inside(known, region)).any())


def _middles_inside(detections: Detections, region: Box) -> BoolArray:
    middles = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
    return np.asarray(((middles >= region[:2]) & (middles <= region[2:])).all(axis=1))


def _crop_around(box: Box, image: Image) -> Region:
    height, width = image.shape[:2]
    x, y = _middle(box)
    least = _MIN_CROP_FRACTION * height
    half_width, half_height = (max(_CROP_FACTOR * side, least) / 2 for side in (box[2] - box[0], box[3] - box[1]))
    return pixel_region((x - half_width, y - half_height, x + half_width, y + half_height), height, width)


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
