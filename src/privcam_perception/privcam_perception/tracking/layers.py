"""Estimates the drawing order π of the subjects in one picture, far to near, from the history of their tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from privcam_core.types.arrays import Box
from privcam_core.types.perception import Track, TrackState
from privcam_core.types.time import NS_PER_S
from privcam_perception.tracking.ground import Ground

# Ground lines that differ by this fraction of the smaller person's height are full evidence of the nearer one. It is
# three times the jitter of a detector's box.
_CLEAR = 0.1
# Weight of the evidence where the feet are hidden and the ground line is estimated.
_ESTIMATED = 0.5
# Most evidence, in seconds of full evidence, that a pair accumulates while apart. The evidence from before an overlap
# has to be outweighed during it: subjects who only cross keep their order, and subjects who circle each other change it
# about as fast as they do.
_APART_S = 0.25
# The same while the pair overlaps.
_OVERLAPPING_S = 0.75
# The order of a pair turns when the evidence for the other order reaches this fraction of the most evidence.
_TURN = 0.5
# Boxes overlap when their common area is more than this fraction of the smaller one.
_OVERLAP = 0.05
# A lost subject is behind a visible one that covers more than this fraction of its box.
_COVERED = 0.5


@dataclass
class _Pair:
    """The order of a first and a second subject. evidence: s of full evidence, > 0 if the first is in front."""

    evidence: float
    first_in_front: bool
    overlapping: bool = False


class LayerOrder:
    """Keeps the layers of all live tracks of one camera.

    The nearer subject of a pair is the one with the lower ground-contact line in the picture (`Ground` estimates the
    line while the feet are hidden, from the height and the growth that the track had before). Evidence accumulates
    over time and stays during an overlap; the order turns only when enough evidence is against it.
    """

    def __init__(self) -> None:
        self._grounds: dict[int, Ground] = {}
        self._pairs: dict[tuple[int, int], _Pair] = {}
        self._layers: dict[int, int] = {}
        self._stamp: int | None = None

    def update(self, tracks: Sequence[Track], stamp_ns: int, *, picture_height: float | None = None) -> dict[int, int]:
        """Return the layer of each track by SubjectID: 0 is drawn first (farthest), each layer is given once.

        tracks: all live tracks, as DeepSort returns them. stamp_ns: of κ. picture_height: px; with it, subjects
        whose feet are below the picture are placed by their height. Raises ValueError for a stamp that is not later
        than the last one, and for two tracks with one SubjectID.
        """
        if self._stamp is not None and stamp_ns <= self._stamp:
            raise ValueError(f"stamp_ns: {stamp_ns} is not later than the last frame's {self._stamp}; sort the frames")
        by_id = {track.subject_id: track for track in sorted(tracks, key=lambda track: track.subject_id)}
        if len(by_id) != len(tracks):
            raise ValueError("tracks: two of them have the same subject_id; give each live track once")
        dt = 0.0 if self._stamp is None else (stamp_ns - self._stamp) / NS_PER_S
        self._stamp = stamp_ns

        self._drop_ended(by_id)
        for subject_id, track in by_id.items():
            ground = self._grounds.get(subject_id)
            if ground is None:
                self._grounds[subject_id] = Ground(track.box, picture_height)
            elif track.state is TrackState.LOST:
                ground.coast(track.box)
            else:
                ground.update(track.box, dt, picture_height)
        for first, second in combinations(by_id, 2):
            self._update_pair(by_id[first], by_id[second], dt)
        self._layers = {subject_id: layer for layer, subject_id in enumerate(self._far_to_near(list(by_id)))}
        return dict(self._layers)

    def _drop_ended(self, live: dict[int, Track]) -> None:
        self._grounds = {key: ground for key, ground in self._grounds.items() if key in live}
        self._pairs = {key: pair for key, pair in self._pairs.items() if key[0] in live and key[1] in live}

    def _update_pair(self, first: Track, second: Track, dt: float) -> None:
        key = first.subject_id, second.subject_id
        overlap = _common_area(first.box, second.box) / min(_area(first.box), _area(second.box))
        evidence = self._evidence(first, second)
        pair = self._pairs.get(key)
        if pair is None:
            # The first frame decides the order, with evidence that later frames can outweigh.
            self._pairs[key] = _Pair(_TURN * _APART_S * evidence, evidence > 0, overlap > _OVERLAP)
            return
        pair.overlapping = overlap > _OVERLAP
        max_evidence = _OVERLAPPING_S if pair.overlapping else _APART_S
        pair.evidence = min(max(pair.evidence + evidence * dt, -max_evidence), max_evidence)
        if pair.evidence * (1 if pair.first_in_front else -1) < -_TURN * max_evidence:
            pair.first_in_front = not pair.first_in_front

    def _evidence(self, first: Track, second: Track) -> float:
        """Return the evidence of this frame that `first` is in front, in [-1, 1]."""
        lost = [track.state is TrackState.LOST for track in (first, second)]
        if lost[0] != lost[1]:
            hidden, visible = (first, second) if lost[0] else (second, first)
            if _common_area(hidden.box, visible.box) > _COVERED * _area(hidden.box):
                return 1.0 if visible is first else -1.0
        a, b = self._grounds[first.subject_id], self._grounds[second.subject_id]
        clear = (a.line - b.line) / (_CLEAR * min(a.height, b.height))
        return min(max(clear, -1.0), 1.0) * (_ESTIMATED if a.hidden or b.hidden else 1.0)

    def _far_to_near(self, ids: list[int]) -> list[int]:
        """Return the ids from the farthest to the nearest.

        Pairs may contradict each other in a circle. Then the overlapping pairs count first, because only their order is
        visible, then the other pairs, then the order of the last frame.
        """
        # Of each id: how many of those that are left are behind it, of them the overlapping ones first.
        behind = {subject_id: [0, 0] for subject_id in ids}
        in_front: dict[int, list[tuple[int, bool]]] = {subject_id: [] for subject_id in ids}
        for (first, second), pair in self._pairs.items():
            nearer, farther = (first, second) if pair.first_in_front else (second, first)
            in_front[farther].append((nearer, pair.overlapping))
            _count(behind[nearer], pair.overlapping, 1)
        order: list[int] = []
        left = set(ids)
        while left:
            farthest = min(left, key=lambda one: (*behind[one], self._layers.get(one, len(self._layers)), one))
            left.remove(farthest)
            order.append(farthest)
            for nearer, overlapping in in_front[farthest]:
                _count(behind[nearer], overlapping, -1)
        return order


def _count(counts: list[int], overlapping: bool, step: int) -> None:
    counts[0] += step if overlapping else 0
    counts[1] += step


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _common_area(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0
