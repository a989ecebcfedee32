"""inference_node: Ω in, scene reports out."""

import functools
import sys
import time
from dataclasses import dataclass
from typing import Any

from privcam_msgs.msg import Omega, SceneReport

from privcam_cloud.nodes.messages import report_to_msg
from privcam_cloud.nodes.record import RECORD
from privcam_cloud.recognition.rule_model import RuleModel
from privcam_core.omega import SyncKey
from privcam_ros.convert import from_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the inference node."""

    recorded: bool = param(False, "say what happens in the complete stream too, for the recorder")


class InferenceNode(PrivcamNode[Parameters]):
    """Says what happens: at once in the live stream, and without gaps in the complete one, which may come late."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("inference", Parameters, namespace)
        streams = [("omega", "report", STREAM)]
        if self.parameters.recorded:
            streams.append(("record/omega", "record/report", RECORD))
        for source, result, qos in streams:
            out = self.create_publisher(SceneReport, result, qos)
            self.on(source, Omega, functools.partial(self._infer, RuleModel(), out), qos)

    def _infer(self, recognizer: RuleModel, out: Any, _key: SyncKey, omega: Omega) -> None:
        arrived = time.perf_counter()
        report = recognizer.update(from_msg(omega))
        out.publish(report_to_msg(report, time.perf_counter() - arrived))


def main() -> None:
    """Run the node."""
    sys.exit(run(InferenceNode))
