"""Estimates the poses of tracked subjects: keypoints, head orientation and layer in the drawing order."""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.arrays import Float32Array, Image
from privcam_core.types.omega import MAX_SUBJECTS, SubjectPose
from privcam_core.types.perception import Track, TrackState
from privcam_edge.perception.body_turns import BodyTurns
from privcam_edge.perception.head_orientation import head_orientation
from privcam_edge.perception.pose_estimator import PoseEstimator
from privcam_edge.tracking.layers import LayerOrder


class SubjectPoser:
    """Estimates the poses of all subjects whose track is confirmed in a frame. fast, threads: as `PoseEstimator`."""

    def __init__(self, *, fast: bool | None = None, threads: int = 1) -> None:
        self._estimator = PoseEstimator(fast=fast, threads=threads)
        self._turns = BodyTurns()
        self._layers = LayerOrder()

    def estimate(self, image: Image, tracks: Sequence[Track], stamp_ns: int) -> list[SubjectPose]:
        """Return the poses, farthest subject first.

        image: (H, W, 3) uint8 BGR. tracks: all live ones. stamp_ns: capture time. Raises ValueError for a stamp that
        is not later than the last one.
        """
        layers = self._layers.update(tracks, stamp_ns, picture_height=image.shape[0])
        # The layers of the confirmed subjects are numbered without gaps: a lost subject in between has no pose.
        confirmed = sorted(
            (track for track in tracks if track.state == TrackState.CONFIRMED), key=lambda t: layers[t.subject_id]
        )[:MAX_SUBJECTS]
        self._turns.keep(track.subject_id for track in tracks)
        return [
            SubjectPose(track.subject_id, track.box, keypoints, head_orientation(keypoints), layer)
            for layer, (track, keypoints) in enumerate(
                zip(confirmed, self._estimate_keypoints(image, confirmed), strict=True)
            )
        ]

    def _estimate_keypoints(self, image: Image, tracks: Sequence[Track]) -> Float32Array:
        """Return (N, 17, 3) keypoints. Of a subject who is not upright a second turn is tried if the first is bad."""
        turns = [self._turns.choose(track) for track in tracks]
        boxes = np.array([self._turns.crop_box(track) for track in tracks], np.float32).reshape(-1, 4)
        poses = self._estimator.estimate(image, boxes, turns)
        for pose, box, track in zip(poses, boxes, tracks, strict=True):
            other = self._turns.choose_other(track, pose)
            if other is not None:
                (second,) = self._estimator.estimate(image, box[None], [other])
                if self._turns.is_better(track, other, second):
                    pose[:] = second
        return poses
