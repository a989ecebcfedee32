"""inference_node: Ω in, scene reports out."""

import sys
import time
from collections import OrderedDict
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega, SceneReport

from privcam_cloud.nodes.live_node import LiveNode
from privcam_cloud.nodes.recording_topics import RECORDING
from privcam_cloud.nodes.report_messages import report_to_msg
from privcam_core.events import scene_report as core
from privcam_core.events.scene_streams import SceneStreams
from privcam_core.types import omega as core_omega
from privcam_core.types.omega import SyncKey
from privcam_recognition.models import MODELS
from privcam_ros.conversions import omega_from_msg
from privcam_ros.live_topics import LIVE_REPORT
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param
from privcam_vlm.vlm_settings import KINDS, OFF, Settings
from privcam_vlm.worker import Worker

# Ω whose reports the vision-language model may still owe.
MAX_OFFERED = 256


@dataclass(frozen=True)
class Parameters:
    """Parameters of the inference node."""

    model: str = param("temporal", "recognition model: the trained network, or readable rules", choices=tuple(MODELS))
    recording: bool = param(False, "report also on the recording, for the recorder")
    replay_events: bool = param(
        False, "report events of replays too; their reports say that they are of a replay, and are no alarms"
    )
    vlm: str = param(OFF, "a vision-language model beside the alarms, and where it runs; empty: none", choices=KINDS)
    vlm_model: str = param("", "its folder or hub id, or its name at the server")
    vlm_url: str = param("", "of the server, as http://127.0.0.1:8000/v1; https where it is another host")
    vlm_period_s: float = param(2.0, "time between two queries to it at least, in s", low=0.1, high=3600.0)
    vlm_budget_s: float = param(10.0, "a reply that takes longer is dropped, in s", low=0.1, high=600.0)
    vlm_adapter: str = param("", "npz file that maps z to its embeddings; empty: it works without z")


class InferenceNode(LiveNode[Parameters]):
    """Recognises events: at once in the live stream, and without gaps in the recording, which may come late.

    A replay is recognised apart from what is live, and only where nothing is live; its reports say that it is one.
    Reports of a vision-language model on the live stream have a topic of their own.
    """

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("inference", Parameters, namespace, self._infer_live)
        parameters = self.parameters
        make = MODELS[parameters.model]
        self._live = SceneStreams(make, time.monotonic, with_replayed_events=parameters.replay_events)
        self._reports = self.create_publisher(SceneReport, "report", STREAM)
        self._sealed_reports = self.create_sealed_publisher(SceneReport, LIVE_REPORT)
        self._offered: OrderedDict[SyncKey, bool] = OrderedDict()
        self._worker = self._start_worker() if parameters.vlm != OFF else None
        self.start_live()
        if parameters.recording:
            self._recording = SceneStreams(make, time.monotonic, with_replayed_events=parameters.replay_events)
            self._recording_reports = self.create_publisher(SceneReport, "recording/report", RECORDING)
            self.on("recording/omega", Omega, self._infer_recording, RECORDING)

    def deliver(self, report: core.SceneReport, latency_s: float) -> None:
        """Publish a report of the vision-language model. Called on the worker's thread."""
        replay = self._offered.get(report.key, True)
        self._vlm_reports.publish(report_to_msg(report, latency_s, replay=replay, clock_epoch=self._live.epoch))

    def end_with(self, text: str) -> None:
        """End the process, because the vision-language model cannot work with these parameters."""
        self.get_logger().fatal(text)
        self.end(1)

    def warn(self, text: str) -> None:
        """Log a failure of the vision-language model."""
        self.get_logger().warning(f"vlm: {text}", throttle_duration_sec=1.0)

    def _start_worker(self) -> Worker:
        given = self.parameters
        settings = Settings(
            given.vlm, given.vlm_model, given.vlm_url, given.vlm_period_s, given.vlm_budget_s, given.vlm_adapter
        )
        self._vlm_reports = self.create_publisher(SceneReport, "vlm_report", STREAM)
        return Worker(settings, self)

    def _infer_live(self, omega: core_omega.Omega) -> None:
        started = time.perf_counter()
        report = self._infer(self._live, omega, started)
        self._reports.publish(report)
        self._sealed_reports.publish(report)
        if self._worker is not None:
            self._offered[omega.key] = omega.privacy.replay
            if len(self._offered) > MAX_OFFERED:
                self._offered.popitem(last=False)
            self._worker.offer(omega)

    def _infer_recording(self, _key: SyncKey, message: Omega) -> None:
        started = time.perf_counter()
        self._recording_reports.publish(self._infer(self._recording, omega_from_msg(message), started))

    def _infer(self, streams: SceneStreams, omega: core_omega.Omega, started_s: float) -> SceneReport:
        epochs = streams.epochs
        report = streams.update(omega)
        if streams.epochs != epochs:
            kind = "the replay began anew" if omega.privacy.replay else "the camera's clock was set, or jumped"
            self.get_logger().info(f"{kind}: epoch {streams.epoch} of recognition begins at {omega.key}")
        latency_s = time.perf_counter() - started_s
        return report_to_msg(report, latency_s, replay=omega.privacy.replay, clock_epoch=streams.epoch)

    def collect_diagnostics(self) -> None:
        """Count how often recognition began anew, and the results of the vision-language model."""
        super().collect_diagnostics()
        self.diagnostics["restarts"] = self._live.epochs
        self.diagnostics["clock_epoch"] = self._live.epoch
        if self._worker is not None:
            self.diagnostics.update(self._worker.diagnostics())

    def status(self) -> tuple[bytes, str]:
        """Return a warning after a failure of the vision-language model; it is no error of this node."""
        level, text = super().status()
        trouble = "" if self._worker is None else self._worker.trouble
        return (DiagnosticStatus.WARN, f"vlm: {trouble}") if level == DiagnosticStatus.OK and trouble else (level, text)

    def stop(self) -> None:
        """End the vision-language model."""
        if self._worker is not None:
            self._worker.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(InferenceNode))
