"""recorder_node: Ω, reports and contour into an MCAP bag."""

import functools
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega, SceneReport
from sensor_msgs.msg import CompressedImage

from privcam_cloud.evidence.recorder import BagRecorder, RecordingStopped
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param

TOPICS = (
    ("omega", Omega, "privcam_msgs/msg/Omega"),
    ("report", SceneReport, "privcam_msgs/msg/SceneReport"),
    ("contour_image/compressed", CompressedImage, "sensor_msgs/msg/CompressedImage"),
)


@dataclass(frozen=True)
class Parameters:
    """Parameters of the recorder node."""

    path: str = param("privcam_bag", "folder of the bag; an existing one is never overwritten")
    flush_s: float = param(1.0, "at most this much is lost when the recorder is killed, in s", low=0.1, high=60.0)


class RecorderNode(PrivcamNode[Parameters]):
    """Writes what the cloud knows, byte for byte as it came."""

    def __init__(self) -> None:
        super().__init__("recorder", Parameters)
        self._recorder = BagRecorder(Path(self.parameters.path), flush_s=self.parameters.flush_s)
        self.facts["bag"] = str(self._recorder.path)
        self.create_timer(self.parameters.flush_s, self._flush)
        for topic, kind, name in TOPICS:
            absolute = self.resolve_topic_name(topic)
            self.create_subscription(kind, topic, functools.partial(self._write, absolute, name), STREAM, raw=True)

    def _write(self, topic: str, name: str, cdr: bytes) -> None:
        try:
            self._recorder.write(topic, name, cdr, time.time_ns())
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)
        except Exception as error:
            self.fail(f"{topic}: not recorded: {error}")
        else:
            self.counts["recorded"] += 1

    def _flush(self) -> None:
        # Also when nothing comes any more: the last seconds before a stall are the ones that matter.
        try:
            self._recorder.flush()
        except RecordingStopped as error:
            self.fail(str(error))
            self.end(1)

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
