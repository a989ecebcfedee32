"""camera_node: frames from a camera, stream, file or image topic into the frame memory; FrameRef out."""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cv_bridge import CvBridge
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import FrameRef
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage, Image

from privcam_core.images.environment import require_bgr8
from privcam_core.types.omega import SyncKey
from privcam_edge.frames.feed import Credit, Feed, FrameStore
from privcam_edge.frames.ring import FrameSlot
from privcam_edge.frames.source import parse
from privcam_edge.nodes.frame_node import slot_to_msg
from privcam_ros.conversions import key_to_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param

# CvBridge converts these soundly; it fails in odd ways on 16-bit and alpha pictures.
ENCODINGS = ("bgr8", "rgb8", "mono8")


# Detector, tracker, pose and eraser.
FRAME_READERS = 4
READY_PERIOD_S, READY_TIMEOUT_S = 0.1, 30.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the camera node."""

    camera_id: str = param("camera", "name of the camera in κ, 1 to 64 of a-z, 0-9 and _")
    source: str = param("0", "V4L2 index or device, rtsp:// or http:// URL, video file, or `topic`")
    pace: str = param(
        "realtime", "realtime: the source's own rate, newest frame wins; graph: a file as fast as the graph goes",
        choices=("realtime", "graph"),
    )  # fmt: skip
    loop: bool = param(False, "begin a video file anew at its end")
    max_rate_hz: float = param(0.0, "frames per second at most, 0: no limit", low=0.0, high=240.0)
    slots: int = param(8, "frames in the frame memory", low=2, high=64)
    retention_s: float = param(1.0, "seconds after capture in which every raw frame is overwritten", low=0.2, high=10.0)
    in_flight: int = param(3, "frames that may be on their way through the graph at once", low=1, high=32)


class CameraNode(PrivcamNode[Parameters]):
    """Owns the frame memory. Publishes where a frame lies, never what it shows."""

    def __init__(self) -> None:
        super().__init__("camera", Parameters)
        given = self.parameters
        self._out = self.create_publisher(FrameRef, "frames", STREAM)
        self._credit = Credit(min(given.in_flight, given.slots - 1), timeout_s=given.retention_s)
        self._store = FrameStore(given.camera_id, slots=given.slots, retention_s=given.retention_s)
        if self._store.wiped_at_start:
            self.get_logger().warning(f"overwrote {self._store.wiped_at_start} frame memories of a crashed camera node")
        self._feed: Feed | None = None
        self._frame_id = 0
        self.create_subscription(SyncKeyMsg, "done", lambda m: self._credit.give_back(m.frame_id), STREAM)
        if given.source == "topic":
            self._bridge = CvBridge()
            self.create_subscription(Image, "image_raw", self._take_image, qos_profile_sensor_data)
            compressed = functools.partial(self._take, self._bridge.compressed_imgmsg_to_cv2)
            self.create_subscription(CompressedImage, "image_raw/compressed", compressed, qos_profile_sensor_data)
            return
        try:
            self._feed = Feed(
                parse(given.source),
                self._store,
                self._credit,
                self._publish,
                self.fail,
                self.end,
                pace=given.pace,
                loop=given.loop,
                max_rate_hz=given.max_rate_hz,
            )
        except Exception:
            self._store.close()
            raise
        if given.pace == "realtime":
            self._feed.start()
        else:
            self._asked = time.monotonic()
            self._waiting = self.create_timer(READY_PERIOD_S, self._start_when_ready)

    def _start_when_ready(self) -> None:
        """Start a file that is to be seen from its first frame: not before the nodes that read frames are there."""
        readers = self.count_subscribers(self.resolve_topic_name("frames"))
        answered = self.count_publishers(self.resolve_topic_name("done"))
        late = time.monotonic() - self._asked > READY_TIMEOUT_S
        if (readers < FRAME_READERS or not answered) and not late:
            return
        if late:
            self.get_logger().warning(f"starting with {readers} of {FRAME_READERS} nodes that read frames")
        self._waiting.cancel()
        if self._feed is not None:
            self._feed.start()

    def _publish(self, key: SyncKey, slot: FrameSlot) -> None:
        reference = slot_to_msg(slot)
        reference.key = key_to_msg(key)
        self._out.publish(reference)
        self.counts["frames"] += 1

    def _take_image(self, message: Image) -> None:
        if message.encoding not in ENCODINGS:
            topic = self.resolve_topic_name("image_raw")
            self.fail(f"{topic}: encoding {message.encoding!r} is not one of {', '.join(ENCODINGS)}; convert it first")
            return
        self._take(self._bridge.imgmsg_to_cv2, message)

    def _take(self, decode: Callable[..., Any], message: Image | CompressedImage) -> None:
        self._frame_id += 1
        self.counts["captured"] += 1
        if not self._credit.take(self._frame_id):
            self.counts["skipped"] += 1
            return
        try:
            image = decode(message, "bgr8")
            require_bgr8(image, "image_raw")
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            self._publish(*self._store.put(image, self._frame_id, stamp_ns or time.time_ns()))
        except Exception as error:
            self._credit.give_back(self._frame_id)
            self.fail(f"image_raw: frame {self._frame_id} dropped: {error}")

    def status(self) -> tuple[bytes, str]:
        """Tell how the source is."""
        if self._feed is None:
            return super().status()
        self.counts.update({name: value - self.counts[name] for name, value in self._feed.counts.items()})
        self.facts["state"] = state = self._feed.state
        if state == "opening":
            return DiagnosticStatus.WARN, "opening the source, or waiting for the nodes that read frames"
        return (DiagnosticStatus.OK if state in ("capturing", "ended") else DiagnosticStatus.ERROR), state

    def stop(self) -> None:
        """End the capture and overwrite all frames."""
        if self._feed is not None:
            self._feed.close()
        self._store.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(CameraNode))
