"""recorder_node: Ω, reports and contour into an MCAP bag."""

import functools
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega, SceneReport, SyncKey
from sensor_msgs.msg import CompressedImage

from privcam_cloud.nodes.recording_topics import LATCHED, RECORDING
from privcam_cloud.recording.bag_recorder import BagRecorder, RecordingStopped
from privcam_cloud.recording.gap_filter import GapFilter
from privcam_cloud.recording.newest_stamp import newest_stamp
from privcam_cloud.recording.recorded_stamps import RecordedStamps
from privcam_link import cdr
from privcam_ros.conversions import stamp_from_msg, stamp_to_msg
from privcam_ros.node import STREAM, PrivcamNode, StartError, run
from privcam_ros.parameters import param

OMEGA = "omega"
REPORT = "report"
PICTURE = "contour_image/compressed"
MESSAGE_TYPES = {
    OMEGA: "privcam_msgs/msg/Omega",
    REPORT: "privcam_msgs/msg/SceneReport",
    PICTURE: "sensor_msgs/msg/CompressedImage",
}


@dataclass(frozen=True)
class Parameters:
    """Parameters of the recorder node."""

    camera_id: str = param("camera", "the camera of this namespace")
    path: str = param("privcam_bag", "folder of the bag; an existing one is never overwritten")
    flush_s: float = param(1.0, "at most this much is lost when the recorder is killed, in s", low=0.1, high=60.0)
    recording: bool = param(True, "record also missed Ω, from the bridge; false: only live ones, as in a replay")


class RecorderNode(PrivcamNode[Parameters]):
    """Writes Ω, reports and contour pictures into a bag, byte for byte as they came, each κ once and in order.

    The bag has the recording under the topics of the live stream. The recorder reports to the bridge what is on disk,
    and the edge may forget that; after a restart the recording continues behind the end of an earlier bag.
    """

    def __init__(self, camera_id: str | None = None, namespace: str | None = None, *, has_bridge: bool = True) -> None:
        """Begin a bag.

        camera_id, namespace: of one of several cameras in this process, each in a folder of its own. has_bridge: false
        where no bridge sends missed Ω.
        """
        super().__init__("recorder", Parameters, namespace)
        parameters = self.parameters
        self._camera_id = camera_id or parameters.camera_id
        self._with_missed = parameters.recording and has_bridge
        parent = Path(parameters.path).absolute().parent
        if not parent.is_dir():
            raise StartError(
                f"path {parameters.path}: {parent} is no folder; make it, mount its disk, or give another path"
            )
        folder = Path(parameters.path, camera_id) if camera_id else Path(parameters.path)
        self._recorder = BagRecorder(folder, flush_s=parameters.flush_s)
        self.diagnostics["bag"] = str(self._recorder.path)
        self._recorded = RecordedStamps(
            *(
                newest_stamp(self._recorder.earlier, self.resolve_topic_name(topic), schema=topic == OMEGA)
                for topic in (OMEGA, REPORT)
            )
        )
        self._gap_filter: GapFilter[bytes] = GapFilter()
        self.create_subscription(SyncKey, "recording/from", self._begin, LATCHED)
        if self._with_missed:
            # The type of rclpy's raw subscriptions does not know callbacks with message information.
            take: Callable[..., None] = self._take_omega
            self.create_subscription(Omega, "recording/omega", take, RECORDING, raw=True)
            self.create_subscription(
                SceneReport, "recording/report", functools.partial(self._write, REPORT), RECORDING, raw=True
            )
        else:
            self.create_subscription(Omega, OMEGA, functools.partial(self._write, OMEGA), STREAM, raw=True)
            self.create_subscription(SceneReport, REPORT, functools.partial(self._write, REPORT), STREAM, raw=True)
        self.create_subscription(CompressedImage, PICTURE, functools.partial(self._write, PICTURE), STREAM, raw=True)
        self._kept = self.create_publisher(SyncKey, "recording/kept", STREAM)
        self._start = self.create_publisher(SyncKey, "recording/start", LATCHED)
        self._start.publish(self._position())
        self.create_timer(parameters.flush_s, self._flush)

    def _position(self) -> SyncKey:
        stamp_ns = self._recorded.omega_ns
        return SyncKey(camera_id=self._camera_id, stamp=stamp_to_msg(stamp_ns) if stamp_ns else Time())

    def _begin(self, key: SyncKey) -> None:
        stamp_ns = stamp_from_msg(key.stamp)
        if stamp_ns <= self._recorded.omega_ns:
            self._recorded.begin(stamp_ns)
            for payload in self._gap_filter.begin(key.frame_id):
                self._write(OMEGA, payload)

    def _take_omega(self, payload: bytes, info: Mapping[str, Any]) -> None:
        for ready in self._gap_filter.add(info["publication_sequence_number"], payload):
            self._write(OMEGA, ready)

    def _write(self, topic: str, payload: bytes) -> None:
        name = self.resolve_topic_name(topic)
        try:
            stamp_ns = 0 if topic == PICTURE else cdr.peek_key(payload, schema=topic == OMEGA).stamp_ns
            if self._with_missed and self._is_again(topic, stamp_ns):
                self.counts["again"] += 1
                return
            self._recorder.write(name, MESSAGE_TYPES[topic], payload, time.time_ns())
            if topic == OMEGA:
                self._recorded.note_omega(stamp_ns)
            elif topic == REPORT:
                self._recorded.note_report(stamp_ns)
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)
        except Exception as error:
            self.fail(f"{name}: not recorded: {error}")
        else:
            self.counts["recorded"] += 1

    def _is_again(self, topic: str, stamp_ns: int) -> bool:
        if topic == OMEGA:
            return not self._recorded.is_new_omega(stamp_ns)
        return topic == REPORT and not self._recorded.is_new_report(stamp_ns)

    def _flush(self) -> None:
        # Also when no message comes any more: the last seconds before a stall matter most.
        bag = self._recorder.path
        try:
            self._recorder.flush()
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)
            return
        self._kept.publish(self._position())
        if str(bag) != self.diagnostics["bag"] or (self._with_missed and not self._gap_filter.is_open):
            # Either a new bag needs the picture of the environment, which the bridge sends at a start. Or a message was
            # lost between the two nodes: then the bridge begins again behind the end of the recording.
            self.diagnostics["bag"] = str(bag)
            self._start.publish(self._position())

    def status(self) -> tuple[bytes, str]:
        """Return the folder of the bag while all is well."""
        level, text = super().status()
        return (level, f"recording to {self._recorder.path}") if level == DiagnosticStatus.OK else (level, text)

    def stop(self) -> None:
        """Close the bag."""
        self._recorder.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(RecorderNode))
