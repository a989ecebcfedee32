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

from privcam_cloud.nodes.recording_topics import KEPT, RECORD
from privcam_cloud.recording.bag_recorder import BagRecorder, RecordingStopped
from privcam_cloud.recording.gap_filter import Continuity
from privcam_cloud.recording.newest_stamp import newest_stamp
from privcam_link import cdr
from privcam_ros.conversions import stamp_from_msg, stamp_to_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param

OMEGA, REPORT, PICTURE = "omega", "report", "contour_image/compressed"
KINDS: dict[str, tuple[Any, str]] = {
    OMEGA: (Omega, "privcam_msgs/msg/Omega"),
    REPORT: (SceneReport, "privcam_msgs/msg/SceneReport"),
    PICTURE: (CompressedImage, "sensor_msgs/msg/CompressedImage"),
}


@dataclass(frozen=True)
class Parameters:
    """Parameters of the recorder node."""

    camera_id: str = param("camera", "the camera of this namespace")
    path: str = param("privcam_bag", "folder of the bag; an existing one is never overwritten")
    flush_s: float = param(1.0, "at most this much is lost when the recorder is killed, in s", low=0.1, high=60.0)
    complete: bool = param(True, "what was missed too, from the bridge; false: only what is live, as in a replay")


class RecorderNode(PrivcamNode[Parameters]):
    """Writes what the cloud knows, byte for byte as it came, each κ once and in order.

    The bag has the complete stream under the names of the live one. What was recorded and is safe on disk is said to
    the bridge, which lets the edge forget it; after a restart the recording goes on behind what an earlier bag holds.
    """

    def __init__(self, camera_id: str | None = None, namespace: str | None = None) -> None:
        """Begin a bag. camera_id, namespace: of one of several cameras in this process, in a folder of its own."""
        super().__init__("recorder", Parameters, namespace)
        given = self.parameters
        self._camera_id = camera_id or given.camera_id
        folder = Path(given.path, camera_id) if camera_id else Path(given.path)
        self._recorder = BagRecorder(folder, flush_s=given.flush_s)
        self.facts["bag"] = str(self._recorder.path)
        self._newest = {
            topic: newest_stamp(self._recorder.earlier, self.resolve_topic_name(topic), schema=topic == OMEGA)
            for topic in (OMEGA, REPORT)
        }
        self._continuity: Continuity[Callable[[], None]] = Continuity()
        self.create_subscription(SyncKey, "record/from", self._begin, KEPT)
        for topic, (kind, name) in KINDS.items():
            complete = given.complete and topic != PICTURE
            write = functools.partial(self._write, topic, self.resolve_topic_name(topic), name)
            source = f"record/{topic}" if complete else topic
            take = functools.partial(self._take, write) if complete and topic == OMEGA else write
            self.create_subscription(kind, source, take, RECORD if complete else STREAM, raw=True)
        self._kept = self.create_publisher(SyncKey, "record/kept", STREAM)
        self._started = self.create_publisher(SyncKey, "record/start", KEPT)
        self._started.publish(self._position())
        self.create_timer(given.flush_s, self._flush)

    def _position(self) -> SyncKey:
        stamp_ns = self._newest[OMEGA]
        return SyncKey(camera_id=self._camera_id, stamp=stamp_to_msg(stamp_ns) if stamp_ns else Time())

    def _begin(self, key: SyncKey) -> None:
        if stamp_from_msg(key.stamp) <= self._newest[OMEGA]:
            for write in self._continuity.begin(key.frame_id):
                write()

    def _take(self, write: Callable[[bytes], None], payload: bytes, info: Mapping[str, Any]) -> None:
        for ready in self._continuity.take(info["publication_sequence_number"], functools.partial(write, payload)):
            ready()

    def _write(self, topic: str, absolute: str, name: str, payload: bytes) -> None:
        try:
            stamp_ns = 0 if topic == PICTURE else cdr.peek_key(payload, schema=topic == OMEGA).stamp_ns
            if self.parameters.complete and 0 < stamp_ns <= self._newest[topic]:
                self.counts["again"] += 1
                return
            self._recorder.write(absolute, name, payload, time.time_ns())
            if stamp_ns:
                self._newest[topic] = stamp_ns
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)
        except Exception as error:
            self.fail(f"{absolute}: not recorded: {error}")
        else:
            self.counts["recorded"] += 1

    def _flush(self) -> None:
        # Also when nothing comes any more: the last seconds before a stall are the ones that matter.
        bag = self._recorder.path
        try:
            self._recorder.flush()
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)
            return
        self._kept.publish(self._position())
        if str(bag) != self.facts["bag"] or (self.parameters.complete and not self._continuity.open):
            # Another bag needs the picture of the room, which the bridge sends when somebody starts. Or something was
            # lost between the two: the bridge begins again behind what is here.
            self.facts["bag"] = str(bag)
            self._started.publish(self._position())

    def status(self) -> tuple[bytes, str]:
        """Tell whether anything is being recorded."""
        level, text = super().status()
        return (level, f"recording to {self._recorder.path}") if level == DiagnosticStatus.OK else (level, text)

    def stop(self) -> None:
        """Close the bag."""
        self._recorder.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(RecorderNode))
