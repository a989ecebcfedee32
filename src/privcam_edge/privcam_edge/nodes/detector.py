"""detector_node: takes FrameRef, publishes person boxes."""

import sys
from dataclasses import dataclass

from privcam_msgs.msg import DetectionArray

from privcam_core.detection import thresholds
from privcam_core.detection.person_detector import PersonDetector
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_edge.nodes.frame_node import FrameNode
from privcam_ros.conversions import detections_to_msg
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the detector node."""

    report_threshold: float = param(
        thresholds.REPORT,
        "a box that scores less is not reported; low-score boxes protect pixels, the tracker takes only higher ones",
        low=0.01,
        high=thresholds.TRACK_ACTIVATION,
    )
    threads: int = param(1, "CPU threads of the model", low=1, high=64)


class DetectorNode(FrameNode[Parameters]):
    """Detects persons in every frame that the camera publishes."""

    def __init__(self) -> None:
        super().__init__("detector", Parameters)
        self._detector = PersonDetector(score=self.parameters.report_threshold, threads=self.parameters.threads)
        self._out = self.create_publisher(DetectionArray, "detections", STREAM)
        self.on_frame(self._detect)

    def _detect(self, key: SyncKey, image: Image) -> None:
        detections = self._detector.detect(image)
        self.diagnostics["persons"] = len(detections.with_min_score(thresholds.TRACK_ACTIVATION))
        self._out.publish(detections_to_msg(detections, key))


def main() -> None:
    """Run the node."""
    sys.exit(run(DetectorNode))
