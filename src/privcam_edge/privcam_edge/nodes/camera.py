"""camera_node: puts frames of a camera, stream, file or image topic into the frame memory, publishes FrameRef."""

import sys
import time
from dataclasses import dataclass

import numpy as np
from cv_bridge import CvBridge
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import FrameRef
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMsg

from privcam_core.images.png import require_bgr8
from privcam_core.process_protection import protect_process
from privcam_core.source_credentials import read_credentials
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import DriverStamps, StampClock
from privcam_core.types.time import stamp_ns_of
from privcam_edge.frames.feed import Credit, Feed, FrameListener
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.ring import FrameSlot
from privcam_edge.frames.source import parse
from privcam_edge.nodes.frame_node import slot_to_msg
from privcam_ros.conversions import key_to_msg
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param
from privcam_ros.sealed_node import SealedNode

# CvBridge converts these encodings correctly; it fails on 16-bit and alpha pictures.
ENCODINGS = ("bgr8", "rgb8", "mono8")
# How often a lossless camera checks whether the rest of the graph is running.
READY_PERIOD_S = 0.1
# After this long a lossless camera starts without the rest of the graph.
READY_TIMEOUT_S = 30.0
# The wall clock of the host was set, or is wrong, when it is this many seconds away from the clock of κ.
CLOCK_WARN_S = 5.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the camera node."""

    camera_id: str = param("camera", "name of the camera in κ, 1 to 64 of a-z, 0-9 and _")
    source: str = param("0", "V4L2 index or device, rtsp:// or http:// URL, video file, or `topic`")
    source_credentials: str = param(
        "",
        "file of mode 600 with user:password of a stream, whose source has neither; a relative name is a credential "
        "of the systemd unit; empty: none",
    )
    lossless: bool = param(
        False,
        "false: the rate of the source, newest frame wins; true: a video file as fast as the graph processes it",
    )
    frame_readers: int = param(
        1, "lossless only: nodes that have to subscribe to `frames` before the first frame is sent", low=1, high=64
    )
    loop: bool = param(False, "begin a video file anew at its end")
    max_rate_hz: float = param(0.0, "frames per second at most, 0: no limit", low=0.0, high=240.0)
    slots: int = param(8, "frames in the frame memory", low=2, high=64)
    retention_s: float = param(1.0, "seconds after capture in which every raw frame is overwritten", low=0.2, high=10.0)
    in_flight: int = param(3, "frames that may be on their way through the graph at once", low=1, high=32)


class CameraNode(SealedNode[Parameters], FrameListener):
    """Owns the frame memory. Publishes the place of a frame in it, never pixels."""

    def __init__(self) -> None:
        protect_process()
        super().__init__("camera", Parameters)
        given = self.parameters
        self._stamp_clock = StampClock()
        self._driver_stamps = DriverStamps()
        self._out = self.create_sealed_publisher(FrameRef, "frames")
        self._credit = Credit(min(given.in_flight, given.slots - 1), timeout_s=given.retention_s)
        self._store = FrameStore(given.camera_id, slots=given.slots, retention_s=given.retention_s)
        leftovers = self._store.leftovers
        if leftovers.wiped:
            self.get_logger().warning(f"overwrote {leftovers.wiped} frame memories of a crashed camera node")
        for reason in leftovers.refused:
            self.get_logger().warning(reason)
        self._feed: Feed | None = None
        self._frame_id = 0
        self.create_subscription(SyncKeyMsg, "done", self._release_credit, STREAM)
        if given.source == "topic":
            self._bridge = CvBridge()
            self.create_subscription(ImageMsg, "image_raw", self._take_image, qos_profile_sensor_data)
            self.create_subscription(CompressedImage, "image_raw/compressed", self._take, qos_profile_sensor_data)
            return
        try:
            self._feed = Feed(
                parse(given.source, read_credentials(given.source_credentials) if given.source_credentials else None),
                self._store,
                self._credit,
                self,
                self._stamp_clock,
                lossless=given.lossless,
                loop=given.loop,
                max_rate_hz=given.max_rate_hz,
            )
        except Exception:
            self._store.close()
            raise
        if given.lossless:
            self._waiting_since = time.monotonic()
            self._ready_timer = self.create_timer(READY_PERIOD_S, self._start_when_ready)
        else:
            self._feed.start()

    def _start_when_ready(self) -> None:
        """Start a lossless feed when the nodes that read frames, and the one that reports them done, are there."""
        readers, wanted = self.count_subscribers(self.resolve_topic_name("frames")), self.parameters.frame_readers
        reports_done = self.count_publishers(self.resolve_topic_name("done"))
        late = time.monotonic() - self._waiting_since > READY_TIMEOUT_S
        if (readers < wanted or not reports_done) and not late:
            return
        if late:
            self.get_logger().warning(f"starting with {readers} of {wanted} nodes that read frames")
        self._ready_timer.cancel()
        if self._feed is not None:
            self._feed.start()

    def _release_credit(self, done: SyncKeyMsg) -> None:
        """Let another frame into the graph: this one has left it."""
        self._credit.release(done.frame_id)

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        """Publish the place of a stored frame to detector_node, tracker_node, pose_node and eraser_node."""
        reference = slot_to_msg(slot)
        reference.key = key_to_msg(key)
        self._out.publish(reference)
        self.counts["frames"] += 1

    def _take_image(self, message: ImageMsg) -> None:
        if message.encoding not in ENCODINGS:
            topic = self.resolve_topic_name("image_raw")
            self.fail(f"{topic}: encoding {message.encoding!r} is not one of {', '.join(ENCODINGS)}; convert it first")
            return
        self._take(message)

    def _take(self, message: ImageMsg | CompressedImage) -> None:
        self._frame_id += 1
        self.counts["captured"] += 1
        if not self._credit.acquire(self._frame_id):
            self.counts["skipped"] += 1
            return
        try:
            image = self._decode(message)
            require_bgr8(image, "image_raw")
            given_ns = stamp_ns_of(message.header.stamp.sec, message.header.stamp.nanosec)
            stamp_ns = self._driver_stamps.follow(given_ns) if given_ns else self._stamp_clock.now()
            key, slot = self._store.put(image, self._frame_id, stamp_ns)
            self.publish_frame(key, slot)
        except Exception as error:
            self._credit.release(self._frame_id)
            self.fail(f"image_raw: frame {self._frame_id} dropped: {error}")

    def _decode(self, message: ImageMsg | CompressedImage) -> Image:
        compressed = isinstance(message, CompressedImage)
        decode = self._bridge.compressed_imgmsg_to_cv2 if compressed else self._bridge.imgmsg_to_cv2
        return np.asarray(decode(message, "bgr8"))

    def collect_diagnostics(self) -> None:
        """Copy the counters and the state of the source, the clock and the frame memory."""
        self.diagnostics["clock_offset_s"] = f"{self._stamp_clock.offset_s():+.3f}"
        self.diagnostics["frame_memory"] = self._store.describe_lock()
        self.counts["rings_revoked"] = self._store.revoked
        self.counts["guards_lost"] = self._store.guards_lost
        if self._driver_stamps.steps:
            self.counts["driver_clock_steps"] = self._driver_stamps.steps
        if self._feed is not None:
            self.counts.update({name: value - self.counts[name] for name, value in self._feed.counts.items()})
            self.diagnostics["state"] = self._feed.state

    def status(self) -> tuple[bytes, str]:
        """Return the state of the source."""
        if self._feed is None:
            return super().status()
        state = self._feed.state
        if state == "opening":
            return DiagnosticStatus.WARN, "opening the source, or waiting for the nodes that read frames"
        return (DiagnosticStatus.OK if state in ("capturing", "ended") else DiagnosticStatus.ERROR), state

    def warning(self) -> str:
        """Return that the wall clock is far from the clock of κ, or what any node warns of."""
        offset_s = self._stamp_clock.offset_s()
        if abs(offset_s) <= CLOCK_WARN_S:
            return super().warning()
        return (
            f"the clock of this host was set by {offset_s:+.0f} s; frames keep their order and the old time. "
            "Restart the edge to take the new time over"
        )

    def stop(self) -> None:
        """End the capture and overwrite all frames with zeros."""
        if self._feed is not None:
            self._feed.close()
        self._store.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(CameraNode))
