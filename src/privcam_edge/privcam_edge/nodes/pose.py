"""pose_node: takes FrameRef and tracks, publishes the poses of the confirmed subjects, for the eraser only."""

import sys
from dataclasses import dataclass

from privcam_msgs.msg import RawPoseArray, TrackArray

from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_edge.nodes.frame_node import FrameNode
from privcam_perception.subject_poser import SubjectPoser
from privcam_ros.conversions import raw_poses_to_msg, tracks_from_msg
from privcam_ros.node import DIAGNOSTICS_PERIOD_S, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the pose node."""

    fast: bool = param(False, "true: always the lighter model; false: only with more than three persons")
    every_frame: bool = param(
        False,
        "true: estimate every pose in every frame; false: by need, between every frame and twice a second, and fewer "
        "on a slow machine",
    )
    threads: int = param(1, "CPU threads of the model", low=1, high=64)


class PoseNode(FrameNode[Parameters]):
    """Estimates the poses of the subjects that are visible now, and their drawing order."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("pose", Parameters, namespace)
        given = self.parameters
        self._poser = SubjectPoser(
            fast=given.fast or None, threads=given.threads, every_frame=given.every_frame, adaptive=True
        )
        # Calls of the network until the last report; frames, and subjects in all of them, since then.
        self._reported_calls = self._frames = self._subjects = 0
        self._out = self.create_sealed_publisher(RawPoseArray, "raw_poses")
        self.on_frame(self._estimate, ("tracks", TrackArray))

    def _estimate(self, key: SyncKey, image: Image, tracks: TrackArray) -> None:
        poses = self._poser.estimate(image, tracks_from_msg(tracks), key.stamp_ns)
        self.diagnostics["subjects"] = len(poses)
        self.counts["pose_calls"] = self._poser.calls
        self._subjects, self._frames = self._subjects + len(poses), self._frames + 1
        self._out.publish(raw_poses_to_msg(poses, self._poser.estimated, key))

    def collect_diagnostics(self) -> None:
        """Say how often a second the pose of a subject is estimated; in between it moves along with its box."""
        super().collect_diagnostics()
        calls, self._reported_calls = self._poser.calls - self._reported_calls, self._poser.calls
        mean_subjects = self._subjects / max(1, self._frames)
        self.diagnostics["pose_hz"] = f"{calls / mean_subjects / DIAGNOSTICS_PERIOD_S:.1f}" if mean_subjects else "0.0"
        self._subjects = self._frames = 0


def main() -> None:
    """Run the node."""
    sys.exit(run(PoseNode))
