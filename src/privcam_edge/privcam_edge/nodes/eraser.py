"""eraser_node: FrameRef and everything known of people in; environment, anonymous poses and privacy report out."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from privcam_msgs.msg import DetectionArray, Environment, PrivacyReport, SubjectPoseArray, TrackArray

from privcam_core.storage import plates_folder, state_folder
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_edge.nodes.frame_node import FrameNode
from privcam_privacy.eraser import Eraser
from privcam_privacy.plates.approved import CommissionedPlate
from privcam_privacy.poses.anonymizer import PoseSettings
from privcam_privacy.state.background_state import PlateMemory
from privcam_ros.conversions import from_msg, poses_to_msg, to_msg
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the eraser node."""

    mode: str = param(
        "adaptive", "adaptive: the clean plate; locked: the plate that was approved with `privcam commission`; paper: "
        "frame minus mask, which leaks and is there to compare",
        choices=("adaptive", "locked", "paper"),
    )  # fmt: skip
    i_accept_leaks: bool = param(False, "paper only: without it the node does not start in that mode")
    pose_privacy: str = param(
        "canonical", "canonical: a standard body in the same posture; raw: as estimated, people can be told apart",
        choices=("canonical", "raw"),
    )  # fmt: skip
    remember: bool = param(True, "adaptive only: keep the picture of the room and the quarantine over a restart")
    threads: int = param(1, "CPU threads of each model", low=1, high=64)


class EraserNode(FrameNode[Parameters]):
    """The last node that sees raw pixels and raw poses. What it publishes holds nothing of them."""

    def __init__(self) -> None:
        super().__init__("eraser", Parameters)
        chosen, camera_id = self.parameters, self.get_namespace().strip("/")
        if chosen.mode == "paper" and not chosen.i_accept_leaks:
            raise ValueError("mode: paper leaks persons; set i_accept_leaks to true if that is what you want to see")
        self._executor = ThreadPoolExecutor(1, "inspection")
        self._erase = Eraser(
            chosen.mode,
            poses=PoseSettings(mode=chosen.pose_privacy),
            plate=CommissionedPlate.load(plates_folder(), camera_id) if chosen.mode == "locked" else None,
            memory=PlateMemory(state_folder() / "rooms" / camera_id, self._executor) if chosen.remember else None,
            executor=self._executor,
            threads=chosen.threads,
        )
        self._environments = self.create_publisher(Environment, "environment", STREAM)
        self._reports = self.create_publisher(PrivacyReport, "privacy", STREAM)
        self._poses = self.create_publisher(SubjectPoseArray, "poses", STREAM)
        parts = ("detections", DetectionArray), ("tracks", TrackArray), ("raw_poses", SubjectPoseArray)
        self.on_frame(self._clean, *parts)

    def _clean(
        self,
        key: SyncKey,
        image: Image,
        found: DetectionArray,
        tracks: TrackArray,
        raw_poses: SubjectPoseArray,
    ) -> None:
        environment, report, poses = self._erase(key, image, from_msg(found), from_msg(tracks), from_msg(raw_poses))
        self.facts["confirmed_fraction"] = f"{environment.confirmed_fraction:.3f}"
        self.facts["epoch"] = environment.epoch
        self.facts.update(self._erase.facts)
        if self._erase.memory_error:
            self.fail(self._erase.memory_error)
            self._erase.memory_error = ""
        self._reports.publish(to_msg(report, key))
        self._poses.publish(poses_to_msg(poses, key))
        self._environments.publish(to_msg(environment))

    def stop(self) -> None:
        """Let a picture that is being inspected go."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        super().stop()


def main() -> None:
    """Run the node."""
    sys.exit(run(EraserNode))
