"""inference_node: Ω in, scene reports out."""

import sys
import time
from dataclasses import dataclass

from privcam_msgs.msg import Omega, SceneReport

from privcam_cloud.nodes.messages import report_to_msg
from privcam_cloud.recognition.rule_model import RuleModel
from privcam_core.omega import SyncKey
from privcam_ros.convert import from_msg
from privcam_ros.node import STREAM, PrivcamNode, run


@dataclass(frozen=True)
class Parameters:
    """The inference node has no parameters."""


class InferenceNode(PrivcamNode[Parameters]):
    """Says what happens."""

    def __init__(self) -> None:
        super().__init__("inference", Parameters)
        self._recognizer = RuleModel()
        self._out = self.create_publisher(SceneReport, "report", STREAM)
        self.on("omega", Omega, self._infer)

    def _infer(self, _key: SyncKey, omega: Omega) -> None:
        arrived = time.perf_counter()
        report = self._recognizer.update(from_msg(omega))
        self._out.publish(report_to_msg(report, time.perf_counter() - arrived))


def main() -> None:
    """Run the node."""
    sys.exit(run(InferenceNode))
