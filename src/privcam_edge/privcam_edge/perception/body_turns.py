"""Chooses how the crop of each subject is turned, so that the body is upright for the pose network."""

from collections.abc import Iterable
from dataclasses import dataclass

from privcam_core.types.arrays import Box, Float32Array
from privcam_core.types.perception import TURNED, DetectionSource, Track

# A box that is wider than this factor of its height shows a body that is not upright.
_LYING_ASPECT = 1.0
# The box of a body that is not upright often shows a part of it. Its crop is larger by this fraction of the box on each
# side; measured on people on the floor, the network then finds twice as many keypoints.
_MARGIN_FRACTION = 0.25
# Below this mean confidence of the keypoints, another turn is tried beside the best one of before.
_MIN_CONFIDENCE = 0.4
# After all other turns were tried, one of them is tried again in one of so many frames with a bad pose. A turn helps
# one in ten bad poses of people on the floor; the others stay bad in every turn.
_FRAMES_PER_TRIAL = 4
# The turns that are tried, the likeliest first.
_TRIED = (
    DetectionSource.TURNED_LEFT,
    DetectionSource.TURNED_RIGHT,
    DetectionSource.WHOLE,
    DetectionSource.UPSIDE_DOWN,
)


@dataclass
class _Lying:
    """A subject that is not upright. best: the turn of its most confident pose. tried: how many turns were since then.
    bad: how many poses with the best turn were bad since then.
    """

    best: DetectionSource
    confidence: float = 0.0
    tried: int = 0
    bad: int = 0


class BodyTurns:
    """Remembers for every subject that is not upright which turn gives the most confident pose."""

    def __init__(self) -> None:
        self._lying: dict[int, _Lying] = {}

    def choose(self, track: Track) -> DetectionSource:
        """Return the turn for the subject's crop: the one of the best pose before, or that of the detection."""
        turned = track.source in TURNED
        x0, y0, x1, y1 = track.box
        if not turned and x1 - x0 <= _LYING_ASPECT * (y1 - y0):
            self._lying.pop(track.subject_id, None)
            return DetectionSource.WHOLE
        lying = self._lying.setdefault(track.subject_id, _Lying(track.source if turned else DetectionSource.WHOLE))
        return lying.best

    def crop_box(self, track: Track) -> Box:
        """Return the box, px, around which the subject's crop is taken."""
        x0, y0, x1, y1 = track.box
        if track.subject_id not in self._lying:
            return track.box
        x_margin, y_margin = _MARGIN_FRACTION * (x1 - x0), _MARGIN_FRACTION * (y1 - y0)
        return x0 - x_margin, y0 - y_margin, x1 + x_margin, y1 + y_margin

    def choose_other(self, track: Track, keypoints: Float32Array) -> DetectionSource | None:
        """Return another turn to try in this frame, None without one.

        keypoints: (17, 3), the pose with the turn of `choose`. None is tried if it is good, if the subject is upright,
        or if all turns were tried a few frames ago.
        """
        lying = self._lying.get(track.subject_id)
        if lying is None:
            return None
        lying.confidence = _confidence(keypoints)
        if lying.confidence >= _MIN_CONFIDENCE:
            return None
        others = [turn for turn in _TRIED if turn is not lying.best]
        lying.bad += 1
        if lying.tried >= len(others) and lying.bad % _FRAMES_PER_TRIAL:
            return None
        lying.tried += 1
        return others[(lying.tried - 1) % len(others)]

    def is_better(self, track: Track, turn: DetectionSource, keypoints: Float32Array) -> bool:
        """Return whether the pose with another turn is more confident. Then this turn is the best one from now on."""
        lying = self._lying[track.subject_id]
        better = _confidence(keypoints) > lying.confidence
        if better:
            lying.best, lying.tried, lying.bad = turn, 0, 0
        return better

    def keep(self, subjects: Iterable[int]) -> None:
        """Forget all subjects but these."""
        kept = set(subjects)
        self._lying = {subject: lying for subject, lying in self._lying.items() if subject in kept}


def _confidence(keypoints: Float32Array) -> float:
    return float(keypoints[:, 2].mean())
