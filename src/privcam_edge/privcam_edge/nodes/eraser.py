"""eraser_node: FrameRef and everything known of people in, environment and privacy report out."""

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from privcam_msgs.msg import DetectionArray, Environment, PrivacyReport, SubjectPoseArray, TrackArray

from privcam_core.omega import SyncKey
from privcam_edge.nodes.base import FrameNode
from privcam_edge.privacy.eraser import Eraser
from privcam_ros.convert import from_msg, to_msg
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the eraser node."""

    mode: str = param(
        "adaptive", "adaptive: the clean plate; paper: frame minus mask, which leaks and is there to compare",
        choices=("adaptive", "paper"),
    )  # fmt: skip
    threads: int = param(1, "CPU threads of the mask model", low=1, high=64)


class EraserNode(FrameNode[Parameters]):
    """The last node that sees raw pixels. What it publishes holds none of a person."""

    def __init__(self) -> None:
        super().__init__("eraser", Parameters)
        self._erase = Eraser(self.parameters.mode, threads=self.parameters.threads)
        self._environments = self.create_publisher(Environment, "environment", STREAM)
        self._reports = self.create_publisher(PrivacyReport, "privacy", STREAM)
        parts = ("detections", DetectionArray), ("tracks", TrackArray), ("poses", SubjectPoseArray)
        self.on_frame(self._clean, *parts)

    def _clean(
        self,
        key: SyncKey,
        image: npt.NDArray[np.uint8],
        found: DetectionArray,
        tracks: TrackArray,
        poses: SubjectPoseArray,
    ) -> None:
        environment, report = self._erase(key, image, from_msg(found), from_msg(tracks), from_msg(poses))
        self.facts["validity"] = f"{environment.validity:.3f}"
        self.facts["epoch"] = environment.epoch
        self._reports.publish(to_msg(report, key))
        self._environments.publish(to_msg(environment))


def main() -> None:
    """Run the node."""
    sys.exit(run(EraserNode))
