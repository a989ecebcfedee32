"""Chooses how the crop of each subject is cut out and turned, so that the pose network sees all of an upright body."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from privcam_core.detection import thresholds
from privcam_core.types.arrays import Box, Float32Array
from privcam_core.types.perception import TURNED, DetectionSource, Track, TrackState

# A box that is wider than this factor of its height shows a body that is not upright.
_LYING_ASPECT = 1.0
# Below this mean confidence of the keypoints, another view is tried beside the best one of before.
MIN_CONFIDENCE = 0.4
# A lost subject is seen by the pose network if the keypoints have this mean confidence.
_SEEN_CONFIDENCE = 0.35
# After all other views were tried, one of them is tried again in one of so many frames with a bad pose.
_FRAMES_PER_TRIAL = 4


class View(NamedTuple):
    """A crop. turn: how it is turned. margin: fraction of the box that is added on each side."""

    turn: DetectionSource
    margin: float


# The box of a body that is not upright often shows a part of it. Its crop is larger; measured on people on the floor,
# the network then finds twice as many keypoints. A box with a low score may show a small part only.
_NEAR, _FAR = 0.25, 0.75
UPRIGHT = View(DetectionSource.WHOLE, 0.0)
# The views that are tried, the likeliest first.
_TRIED = (
    View(DetectionSource.TURNED_LEFT, _NEAR),
    View(DetectionSource.TURNED_RIGHT, _NEAR),
    View(DetectionSource.WHOLE, _NEAR),
    View(DetectionSource.WHOLE, _FAR),
    View(DetectionSource.TURNED_LEFT, _FAR),
    View(DetectionSource.TURNED_RIGHT, _FAR),
    View(DetectionSource.UPSIDE_DOWN, _NEAR),
)


@dataclass
class _Search:
    """What is known of a subject that is not upright, or whose box is weak.

    best: the view of its most confident pose. tried: how many views were tried since then. bad: how many poses with the
    best view were bad since then.
    """

    best: View
    confidence: float = 0.0
    tried: int = 0
    bad: int = 0


class BodyTurns:
    """Remembers for every subject who lies, or whose box is weak, which view gives the most confident pose."""

    def __init__(self) -> None:
        self._searches: dict[int, _Search] = {}

    def choose(self, track: Track) -> View:
        """Return the view of the subject: the one of the best pose before, or that of the detection."""
        turned, wide = track.source in TURNED, _is_wide(track.box)
        weak = track.score < thresholds.TRACK_ACTIVATION
        if not (turned or wide or weak):
            self._searches.pop(track.subject_id, None)
            return UPRIGHT
        turn = track.source if turned else DetectionSource.WHOLE
        first = View(turn, _NEAR if turned or wide else 0.0)
        return self._searches.setdefault(track.subject_id, _Search(first)).best

    def choose_other(self, track: Track, keypoints: Float32Array) -> View | None:
        """Return another view to try in this frame, None without one.

        keypoints: (17, 3), the pose with the view of `choose`. None is tried if it is good, if the subject is upright,
        or if all views were tried a few frames ago.
        """
        search = self._searches.get(track.subject_id)
        if search is None:
            return None
        search.confidence = confidence(keypoints)
        if search.confidence >= MIN_CONFIDENCE:
            return None
        others = [view for view in _TRIED if view != search.best]
        search.bad += 1
        if search.tried >= len(others) and search.bad % _FRAMES_PER_TRIAL:
            return None
        search.tried += 1
        return others[(search.tried - 1) % len(others)]

    def is_better(self, track: Track, view: View, keypoints: Float32Array) -> bool:
        """Return whether the pose with another view is more confident. Then this view is the best one from now on."""
        search = self._searches[track.subject_id]
        better = confidence(keypoints) > search.confidence
        if better:
            search.best, search.confidence, search.tried, search.bad = view, confidence(keypoints), 0, 0
        return better

    def keep(self, subjects: Iterable[int]) -> None:
        """Forget all subjects but these."""
        kept = set(subjects)
        self._searches = {subject: search for subject, search in self._searches.items() if subject in kept}


def crop_box(box: Box, view: View) -> Box:
    """Return the box, px, around which the crop of a view is taken."""
    x0, y0, x1, y1 = box
    x_margin, y_margin = view.margin * (x1 - x0), view.margin * (y1 - y0)
    return x0 - x_margin, y0 - y_margin, x1 + x_margin, y1 + y_margin


def may_lie(track: Track) -> bool:
    """Return whether a lost subject was last seen lying: then it is still there."""
    return track.state is TrackState.LOST and (track.source in TURNED or _is_wide(track.box))


def is_seen(keypoints: Float32Array) -> bool:
    """Return whether the keypoints (17, 3) of a lost subject show somebody."""
    return confidence(keypoints) >= _SEEN_CONFIDENCE


def confidence(keypoints: Float32Array) -> float:
    """Return the mean confidence of keypoints (17, 3)."""
    return float(keypoints[:, 2].mean())


def _is_wide(box: Box) -> bool:
    return box[2] - box[0] > _LYING_ASPECT * (box[3] - box[1])
