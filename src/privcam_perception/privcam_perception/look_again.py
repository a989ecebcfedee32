"""Looks again where somebody must be and no box is: enlarged, and turned by 90 and 180 degrees.

The detector hardly detects people who lie, are bent over or are seen from above. The presences of the privacy engine
and the tracks that are lost or go on with weak boxes say where to look. The looks are few: at most so many network
calls in a frame, and none without a region that has no box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from privcam_core.detection import thresholds
from privcam_core.detection.tiling import PictureDetector
from privcam_core.detection.turned_detection import detect_in_region, merge_detections
from privcam_core.types.arrays import BoolArray, Box, Image, Region
from privcam_core.types.boxes import pixel_region
from privcam_core.types.perception import Detections, DetectionSource, PresenceRegion, Track

# Pixels of the network's input for a look (160×192), a third of the time of the whole picture with its 320×416. The
# crop shows one person large: people on the floor are detected as well as with the larger input, and furniture less
# often.
LOOK_INPUT_PIXELS = 160 * 192
# A crop is larger than its region by one of these factors, so that the whole body is in it. After a look without a box
# the next factor follows: the network finds a body that lies in one size of the picture and not in another.
_CROP_FACTORS = (1.5, 2.0, 1.2)
# Somebody who falls comes to lie within so many times the larger side of their last good box.
_FALL_FACTOR = 1.5
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
# Of so many looks where the best turn gives a box that is not good, the last one tries another turn.
_MISSES_PER_TRIAL = 4
# After each so many looks without a box, the time to the next look doubles: in most regions in which nobody is found
# once in every turn, there is an object or a shadow.
_MISSES_PER_DOUBLING = 4
# Most frames between two looks into one region.
_MAX_INTERVAL = 8
# A region in which somebody was found is looked at first, but after so many such looks another region has its turn.
# With fewer, a track that a look began ends before the next look confirms it.
_FOUND_IN_ROW = 3
# Somebody who was found lying stays there: the place is forgotten after so many looks without a box.
_MISSES_PER_PLACE = 4
# Looks where nobody was found until now: so many a frame, and at most all four turns of three regions at once. One
# region never needs more; in a crowd somebody is always lost, and without this it would cost a look in every frame.
_TRIALS_PER_FRAME = 1 / 3
_SAVED_TRIALS = 12.0
# The place where a track ended is forgotten after so many looks without a good box.
_MISSES_PER_TRACK = 24


@dataclass
class _Search:
    """What is known of the looks into one region.

    misses: looks without a good box since the last one. empty: looks without any box since the last one. best: the turn
    that gave the last box, with best_score. place: that box, px. last: number of the frame of the last look.
    """

    misses: int = 0
    empty: int = 0
    best: DetectionSource | None = None
    best_score: float = 0.0
    place: Box | None = None
    last: int = -_MAX_INTERVAL

    @property
    def interval(self) -> int:
        """Frames from one look to the next. A region in which somebody was found is looked at in every frame."""
        if self.best is not None:
            return 1
        return min(1 << (self.misses // _MISSES_PER_DOUBLING), _MAX_INTERVAL)

    def note(self, turn: DetectionSource, found: Detections) -> None:
        """Take what a look found, best first."""
        score = float(found.scores[0]) if len(found) else 0.0
        self.empty = 0 if score >= thresholds.MATCH else self.empty + 1
        self.misses = 0 if score >= thresholds.TRACK_ACTIVATION else self.misses + 1
        if self.empty >= _MISSES_PER_PLACE:
            self.best, self.best_score, self.place = None, 0.0, None
        elif score >= thresholds.MATCH and (turn is self.best or score >= self.best_score):
            x0, y0, x1, y1 = found.boxes[0].tolist()
            self.best, self.best_score, self.place = turn, score, (x0, y0, x1, y1)


@dataclass(frozen=True)
class _Region:
    """A region to look at. key: identifies it from frame to frame. animate: perhaps a person, not just an object."""

    key: tuple[str, int]
    box: Box
    animate: bool


@dataclass
class LookAgain:
    """Looks again for the people of one camera.

    detector: of persons in crops, with LOOK_INPUT_PIXELS. per_frame: most network calls in one frame. calls: how many
    there were. found: how many gave a box. Raises ValueError for a negative budget.
    """

    detector: PictureDetector
    per_frame: int = 1
    calls: int = 0
    found: int = 0
    _searches: dict[tuple[str, int], _Search] = field(default_factory=dict)
    # Of every subject: the last good box, px.
    _places: dict[int, Box] = field(default_factory=dict)
    _frame: int = 0
    _found_in_row: int = 0
    _trials: float = _SAVED_TRIALS

    def __post_init__(self) -> None:
        if self.per_frame < 0:
            raise ValueError(f"per_frame: {self.per_frame} is negative, needs 0 or more network calls")

    @property
    def is_searching(self) -> bool:
        """Whether there is a region in which somebody may be found soon: a box was found there, or few looks failed."""
        return any(search.best is not None or search.misses < _MISSES_PER_TRACK for search in self._searches.values())

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
        self._trials = min(_SAVED_TRIALS, self._trials + _TRIALS_PER_FRAME)
        regions = [_Region(("presence", one.number), one.box, one.animate) for one in presences]
        regions = [one for one in regions if _is_inside(one.box, image)] + self._weakly_tracked(tracks, image)
        self._searches = {region.key: self._searches.get(region.key, _Search()) for region in regions}
        due = [region for region in regions if self._lateness(region) >= 1 and not _has_box(region.box, detections)]
        for _ in range(self.per_frame):
            affordable = [region for region in due if self._trials >= 1 or self._was_found(region)]
            if not affordable:
                break
            region = max(affordable, key=self._urgency)
            due.remove(region)
            self._trials -= not self._was_found(region)
            self._found_in_row = self._found_in_row + 1 if self._was_found(region) else 0
            detections = merge_detections(detections, self._look(image, region))
        return detections

    def _weakly_tracked(self, tracks: Sequence[Track], image: Image) -> list[_Region]:
        """Return regions around the last good boxes of the tracks that have none now, also of those that ended."""
        good = {one.subject_id for one in tracks if one.score >= thresholds.TRACK_ACTIVATION}
        for track in tracks:
            if track.subject_id in good or track.subject_id not in self._places:
                self._places[track.subject_id] = track.box
        live = {one.subject_id for one in tracks}
        for subject in [one for one in self._places if one not in live]:
            search = self._searches.get(("track", subject))
            if search is None or search.misses >= _MISSES_PER_TRACK:
                del self._places[subject]
        return [
            _Region(("track", subject), _reach_around(box), animate=True)
            for subject, box in self._places.items()
            if subject not in good and _is_inside(box, image)
        ]

    def _lateness(self, region: _Region) -> float:
        search = self._searches[region.key]
        return (self._frame - search.last) / search.interval

    def _was_found(self, region: _Region) -> bool:
        return self._searches[region.key].best is not None

    def _urgency(self, region: _Region) -> tuple[bool, float]:
        first = self._was_found(region) == (self._found_in_row < _FOUND_IN_ROW)
        return first, self._lateness(region)

    def _look(self, image: Image, region: _Region) -> Detections:
        search = self._searches[region.key]
        turn = _next_turn(search, region.box)
        # Somebody who lies stays in one place, and the presence around may be much larger.
        factor = _CROP_FACTORS[search.empty % len(_CROP_FACTORS)]
        crop = _crop_around(search.place or region.box, factor, image)
        found = detect_in_region(self.detector, image, crop, turn)
        # An object that was moved is no person because it resembles one when it is turned.
        min_score = thresholds.LOW_CONFIDENCE if region.animate else thresholds.LOOK_ACTIVATION
        keep = (found.scores >= min_score) & _middles_inside(found, region.box)
        found = Detections(found.boxes[keep], found.scores[keep], found.sources[keep])
        self.calls += 1
        search.last = self._frame
        self.found += len(found.with_min_score(thresholds.MATCH)) > 0
        search.note(turn, found)
        return found


def _reach_around(box: Box) -> Box:
    """Return the square in which somebody lies who fell out of this box."""
    x, y = _middle(box)
    half = _FALL_FACTOR * max(box[2] - box[0], box[3] - box[1]) / 2
    return x - half, y - half, x + half, y + half


def _next_turn(search: _Search, box: Box) -> DetectionSource:
    """Return the turn that gave the last box, and after every third look without a good box one of the others."""
    turns = _WIDE_TURNS if box[2] - box[0] > box[3] - box[1] else _HIGH_TURNS
    if search.best is None:
        return turns[search.misses % len(turns)]
    if search.misses % _MISSES_PER_TRIAL < _MISSES_PER_TRIAL - 1:
        return search.best
    others = [turn for turn in turns if turn is not search.best]
    return others[search.misses // _MISSES_PER_TRIAL % len(others)]


def _has_box(region: Box, detections: Detections) -> bool:
    """Return whether a person was found in the region: a good box with its middle there, or around its middle."""
    known = detections.with_min_score(thresholds.TRACK_ACTIVATION)
    x, y = _middle(region)
    low, high = known.boxes[:, :2], known.boxes[:, 2:]
    around = ((low <= (x, y)) & (high >= (x, y))).all(axis=1)
    return bool((around | _middles_inside(known, region)).any())


def _middles_inside(detections: Detections, region: Box) -> BoolArray:
    middles = (detections.boxes[:, :2] + detections.boxes[:, 2:]) / 2
    return np.asarray(((middles >= region[:2]) & (middles <= region[2:])).all(axis=1))


def _crop_around(box: Box, factor: float, image: Image) -> Region:
    height, width = image.shape[:2]
    x, y = _middle(box)
    min_side = _MIN_CROP_FRACTION * height
    half_width, half_height = (max(factor * side, min_side) / 2 for side in (box[2] - box[0], box[3] - box[1]))
    return pixel_region((x - half_width, y - half_height, x + half_width, y + half_height), height, width)


def _is_inside(box: Box, image: Image) -> bool:
    """Return whether a part of the box is in the picture. The box of a lost track is predicted."""
    x0, y0, x1, y1 = pixel_region(box, image.shape[0], image.shape[1])
    return x0 < x1 and y0 < y1


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
