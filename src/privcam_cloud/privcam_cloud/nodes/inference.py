"""inference_node: Ω in, scene reports out."""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega, SceneReport

from privcam_cloud.nodes.recording_topics import RECORD
from privcam_cloud.nodes.report_messages import report_to_msg
from privcam_cloud.recognition.temporal.temporal_model import MODELS
from privcam_core.events.scene_report import Recognizer
from privcam_core.types import omega as core
from privcam_core.types.omega import SyncKey
from privcam_ros.conversions import from_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param
from privcam_vlm.vlm_settings import KINDS, OFF, Settings
from privcam_vlm.worker import Worker


@dataclass(frozen=True)
class Parameters:
    """Parameters of the inference node."""

    model: str = param("temporal", "what recognises: the trained network, or rules that a person can read",
                       choices=tuple(MODELS))  # fmt: skip
    recorded: bool = param(False, "say what happens in the complete stream too, for the recorder")
    vlm: str = param(OFF, "a vision-language model beside the alarms, and where it runs; empty: none", choices=KINDS)
    vlm_model: str = param("", "its folder or hub id, or its name at the server")
    vlm_url: str = param("", "of the server, as http://127.0.0.1:8000/v1; https where it is another host")
    vlm_period_s: float = param(2.0, "it is asked at most once in this, in s", low=0.1, high=3600.0)
    vlm_budget_s: float = param(10.0, "an answer that takes longer is dropped, in s", low=0.1, high=600.0)
    vlm_adapter: str = param("", "npz file that maps z to its embeddings; empty: it works without z")


class InferenceNode(PrivcamNode[Parameters]):
    """Says what happens: at once in the live stream, and without gaps in the complete one, which may come late.

    What a vision-language model says of the live stream comes when it comes, on a topic of its own.
    """

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("inference", Parameters, namespace)
        streams = [("omega", "report", STREAM)]
        if self.parameters.recorded:
            streams.append(("record/omega", "record/report", RECORD))
        self._worker = self._start_worker() if self.parameters.vlm != OFF else None
        for source, result, qos in streams:
            out = self.create_publisher(SceneReport, result, qos)
            then = self._worker.offer if self._worker is not None and source == "omega" else None
            self.on(source, Omega, functools.partial(self._infer, MODELS[self.parameters.model](), out, then), qos)

    def _start_worker(self) -> Worker:
        given = self.parameters
        settings = Settings(
            given.vlm, given.vlm_model, given.vlm_url, given.vlm_period_s, given.vlm_budget_s, given.vlm_adapter
        )
        out = self.create_publisher(SceneReport, "vlm_report", STREAM)

        def end(text: str) -> None:
            self.get_logger().fatal(text)
            self.end(1)

        def warn(text: str) -> None:
            self.get_logger().warning(f"vlm: {text}", throttle_duration_sec=1.0)

        return Worker(
            settings,
            deliver=lambda report, latency_s: out.publish(report_to_msg(report, latency_s)),
            unusable=end,
            complain=warn,
        )

    def _infer(
        self, recognizer: Recognizer, out: Any, then: Callable[[core.Omega], None] | None, _key: SyncKey, omega: Omega
    ) -> None:
        arrived = time.perf_counter()
        taken = from_msg(omega)
        out.publish(report_to_msg(recognizer.update(taken), time.perf_counter() - arrived))
        if then is not None:
            then(taken)

    def status(self) -> tuple[bytes, str]:
        """Tell also how the vision-language model does; its troubles are no error of this node."""
        level, text = super().status()
        if self._worker is None:
            return level, text
        self.facts.update(self._worker.facts())
        trouble = self._worker.trouble
        return (DiagnosticStatus.WARN, f"vlm: {trouble}") if level == DiagnosticStatus.OK and trouble else (level, text)

    def stop(self) -> None:
        """Ask the model nothing more."""
        if self._worker is not None:
            self._worker.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(InferenceNode))
