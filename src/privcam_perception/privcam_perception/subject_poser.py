"""Estimates the poses of tracked subjects: keypoints, head orientation and layer in the drawing order."""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.omega import MAX_SUBJECTS, HeadOrientation, SubjectPose
from privcam_core.types.perception import Track, TrackState
from privcam_perception.body_turns import (
    MIN_CONFIDENCE,
    UPRIGHT,
    BodyTurns,
    View,
    confidence,
    crop_box,
    is_seen,
    may_lie,
)
from privcam_perception.head_orientation import head_orientation
from privcam_perception.pose_estimator import PoseEstimator
from privcam_perception.scheduling.mean_time import MeanTime
from privcam_perception.scheduling.pose_schedule import PoseSchedule
from privcam_perception.scheduling.track_motion import is_quick, is_touching
from privcam_perception.tracking.layers import LayerOrder

# Of more subjects than this, the lost ones have no pose, and nobody is looked at in a second view.
MAX_CLOSELY = 3
# Seconds of one network call on the machine that the schedule was made for. A slower one estimates fewer poses.
_USUAL_CALL_S = 0.012


class SubjectPoser:
    """Gives the poses of all subjects whose track is confirmed in a frame, and of lost ones who are seen to lie.

    The detector blinks where people lie; the pose network often sees them all the same. Poses are estimated by need;
    between two of them a pose moves along with its box. fast, threads: as `PoseEstimator`. every_frame: estimate every
    pose in every frame. adaptive: estimate fewer where the network is slow; the result then depends on the machine.
    calls: of the network. estimated: the subjects of the newest frame whose pose was estimated in it.
    """

    def __init__(
        self, *, fast: bool | None = None, threads: int = 1, every_frame: bool = False, adaptive: bool = False
    ) -> None:
        self._estimator = PoseEstimator(fast=fast, threads=threads)
        self._turns = BodyTurns()
        self._layers = LayerOrder()
        self._schedule = None if every_frame else PoseSchedule()
        self._call = MeanTime(_USUAL_CALL_S, measured=adaptive)
        self.calls = 0
        self.estimated: frozenset[int] = frozenset()

    def estimate(self, image: Image, tracks: Sequence[Track], stamp_ns: int) -> list[SubjectPose]:
        """Return the poses, farthest subject first.

        image: (H, W, 3) uint8 BGR. tracks: all live ones. stamp_ns: capture time. Raises ValueError for a stamp that
        is not later than the last one.
        """
        layers = self._layers.update(tracks, stamp_ns, picture_height=image.shape[0])
        farthest_first = sorted(tracks, key=lambda track: layers[track.subject_id])
        confirmed = [track for track in farthest_first if track.state == TrackState.CONFIRMED][:MAX_SUBJECTS]
        lost = [track for track in tracks if may_lie(track)][: max(0, MAX_CLOSELY - len(confirmed))]
        self._turns.keep(track.subject_id for track in tracks)
        self.estimated = frozenset()
        found = [
            (track, keypoints, head)
            for track, keypoints, head in self._poses_of(image, [*confirmed, *lost], stamp_ns)
            if track.state == TrackState.CONFIRMED or is_seen(keypoints)
        ]
        self.estimated &= {track.subject_id for track, _, _ in found}
        # The layers of the subjects with a pose are numbered without gaps: a lost subject in between has none.
        found.sort(key=lambda one: layers[one[0].subject_id])
        return [
            SubjectPose(track.subject_id, track.box, keypoints, head, layer)
            for layer, (track, keypoints, head) in enumerate(found)
        ]

    def _poses_of(
        self, image: Image, tracks: Sequence[Track], stamp_ns: int
    ) -> list[tuple[Track, Float32Array, HeadOrientation | None]]:
        """Return the tracks with their keypoints (17, 3) and heads. One that never had its turn yet is left out."""
        closely = len(tracks) <= MAX_CLOSELY
        if self._schedule is None:
            estimated = [(track, self._estimate_one(image, track, tracks, closely=closely)) for track in tracks]
            self.estimated = frozenset(track.subject_id for track in tracks)
            return [(track, keypoints, head_orientation(keypoints)) for track, keypoints in estimated]
        self._schedule.keep(track.subject_id for track in tracks)
        chosen = self._schedule.choose(image, tracks, stamp_ns, self._call.seconds)
        self.estimated = frozenset(tracks[at].subject_id for at in chosen)
        for at in chosen:
            before = self.calls
            keypoints = self._estimate_one(image, tracks[at], tracks, closely=closely)
            head, calls = head_orientation(keypoints), self.calls - before
            self._schedule.note(tracks[at], keypoints, head, calls, self._call.seconds)
        carried = [(track, self._schedule.carried(track)) for track in tracks]
        return [(track, *pose) for track, pose in carried if pose is not None]

    def _estimate_one(self, image: Image, track: Track, tracks: Sequence[Track], *, closely: bool) -> Float32Array:
        """Return (17, 3) keypoints. closely: with the accurate model where it matters, and bad views a second time.

        The lighter model is as good for somebody who is upright and walks or stands alone, if it is confident.
        """
        view = self._turns.choose(track)
        accurate = closely and (view != UPRIGHT or is_quick(track) or is_touching(track, tracks))
        keypoints = self._run(image, track, view, accurate=accurate)
        if closely and not accurate and confidence(keypoints) < MIN_CONFIDENCE:
            keypoints = self._run(image, track, view, accurate=True)
        other = self._turns.choose_other(track, keypoints) if closely else None
        if other is not None:
            second = self._run(image, track, other, accurate=True)
            if self._turns.is_better(track, other, second):
                return second
        return keypoints

    def _run(self, image: Image, track: Track, view: View, *, accurate: bool) -> Float32Array:
        box = np.array(crop_box(track.box, view), np.float32)
        with self._call.take():
            keypoints = self._estimator.estimate(image, box[None], [view.turn], accurate=accurate)[0]
        self.calls += 1
        return np.asarray(keypoints)
