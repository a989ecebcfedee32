"""camera_node: puts frames of a camera, stream, file or image topic into the frame memory, publishes FrameRef."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from privcam_msgs.msg import FrameRef
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from std_msgs.msg import Header

from privcam_core.images.png import require_bgr8
from privcam_core.process_protection import protect_process
from privcam_core.source_credentials import read_credentials
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import DriverStamps, SimulatedStampClock, StampClock, is_of_now
from privcam_core.types.time import stamp_ns_of
from privcam_edge.frames.credit import Credit
from privcam_edge.frames.feed import Feed, FrameListener
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.loss_explanation import LossExplainer
from privcam_edge.frames.ring import FrameSlot
from privcam_edge.nodes.frame_node import slot_to_msg
from privcam_ros.conversions import key_to_msg
from privcam_ros.image_topics.camera_info import FrameInfoPublisher
from privcam_ros.image_topics.image_topic import ImageTopic
from privcam_ros.node import StartError, run
from privcam_ros.parameters import param
from privcam_ros.sealed_node import SealedNode
from privcam_sources.open_options import TRANSPORTS, OpenOptions
from privcam_sources.source_spec import parse

# How often a lossless camera checks whether the rest of the graph is running.
READY_PERIOD_S = 0.1
# After this long a lossless camera starts without the rest of the graph.
READY_TIMEOUT_S = 30.0
# The wall clock of the host was set, or is wrong, when it is this many seconds away from the clock of κ.
CLOCK_WARN_S = 5.0
REPLAY_TEXT = (
    "the pictures are taken for a replay: Ω says so, and nobody is alarmed by it. For a live camera set its clock, or "
    "live_within_s to 0"
)


@dataclass(frozen=True)
class Parameters:
    """Parameters of the camera node."""

    camera_id: str = param("camera", "name of the camera in κ, 1 to 64 of a-z, 0-9 and _")
    source: str = param("0", "V4L2 index or device, URL of a stream or a recording, video file, or `topic`")
    image_topic: str = param(
        "image_raw",
        "source topic only: pictures of a camera driver, sensor_msgs Image or CompressedImage; where nobody publishes "
        "it, `/compressed` is tried behind it",
    )
    black_16: int = param(0, "source topic only: value of a 16-bit picture that is black", low=0, high=65534)
    white_16: int = param(65535, "source topic only: value that is white; 4095 for 12 bits", low=1, high=65535)
    source_credentials: str = param(
        "",
        "file of mode 600 with user:password of a stream, whose source has neither; a relative name is a credential "
        "of the systemd unit; empty: none",
    )
    transport: str = param("tcp", "how an RTSP stream is carried", choices=TRANSPORTS)
    hardware_decoding: bool = param(False, "decode streams with a device of the host, where there is one")
    lossless: bool = param(
        False,
        "false: the rate of the source, newest frame wins; true: every frame of a recording, as fast as the graph "
        "processes it, and an error where the graph loses one",
    )
    frame_readers: int = param(
        1, "lossless only: nodes that have to subscribe to `frames` before the first frame is sent", low=1, high=64
    )
    loop: bool = param(False, "begin a recording anew at its end")
    end_with_recording: bool = param(
        True,
        "end the process at the end of a recording, or where it breaks off; false: it stays and shows the state, so "
        "that whoever starts ended nodes again does not play it again",
    )
    replay: bool = param(
        False,
        "the pictures are a replay or a simulation: Ω says so, and nobody is alarmed by it. A recording, and "
        "use_sim_time, do this by themselves",
    )
    live_within_s: float = param(
        60.0,
        "source topic only: pictures whose stamps are further than this many s from the clock of this host are a "
        "replay; 0: they never are, for a driver whose clock is wrong",
        low=0.0,
        high=1e9,
    )
    max_rate_hz: float = param(0.0, "frames per second at most, 0: no limit", low=0.0, high=240.0)
    slots: int = param(8, "frames in the frame memory", low=2, high=64)
    retention_s: float = param(1.0, "seconds after capture in which every raw frame is overwritten", low=0.2, high=10.0)
    in_flight: int = param(3, "frames that may be on their way through the graph at once", low=1, high=32)


class CameraNode(SealedNode[Parameters], FrameListener):
    """Owns the frame memory. Publishes the place of a frame in it, never pixels."""

    def __init__(self, namespace: str | None = None) -> None:
        protect_process()
        super().__init__("camera", Parameters, namespace)
        given = self.parameters
        # In a process with several cameras, a namespace is that of one.
        camera_id = namespace or given.camera_id
        self._simulated = bool(self.get_parameter("use_sim_time").value)
        self._stamp_clock = SimulatedStampClock(self._simulated_ns) if self._simulated else StampClock()
        self._driver_stamps = DriverStamps()
        self._is_replay = given.replay or self._simulated
        self._tell_replay(self._is_replay)
        self._losses = LossExplainer()
        self._out = self.create_sealed_publisher(FrameRef, "frames")
        self._credit = Credit(
            min(given.in_flight, given.slots - 1), timeout_s=given.retention_s, lossless=given.lossless
        )
        self._store = FrameStore(camera_id, slots=given.slots, retention_s=given.retention_s)
        leftovers = self._store.leftovers
        if leftovers.wiped:
            self.get_logger().warning(f"overwrote {leftovers.wiped} frame memories of a crashed camera node")
        for reason in leftovers.refused:
            self.get_logger().warning(reason)
        self._feed: Feed | None = None
        self._frame_id = 0
        self.on_sealed("done", SyncKeyMsg, self._release_credit, timed=False)
        self._topic: ImageTopic | None = None
        if given.source == "topic":
            self._listen(camera_id)
            return
        try:
            spec = parse(given.source, read_credentials(given.source_credentials) if given.source_credentials else None)
            self.hardware_id = f"{camera_id}: {spec.name}"
            self._feed = Feed(
                spec,
                self._store,
                self._credit,
                self,
                self._stamp_clock,
                lossless=given.lossless,
                loop=given.loop,
                max_rate_hz=given.max_rate_hz,
                options=OpenOptions(transport=given.transport, hardware=given.hardware_decoding),
            )
        except Exception:
            self._store.close()
            raise
        if self._simulated:
            self._time_timer = self.create_timer(READY_PERIOD_S, self._start_when_timed)
        else:
            self._start_feed(self._feed)

    def _listen(self, camera_id: str) -> None:
        """Take the pictures of a camera driver. Raises StartError for parameters that do not go with them."""
        given = self.parameters
        useless = {
            "source_credentials": bool(given.source_credentials),
            "lossless": given.lossless,
            "loop": given.loop,
        }
        wrong = [name for name, is_set in useless.items() if is_set]
        range_16 = given.black_16, given.white_16
        try:
            if wrong:
                raise StartError(f"source topic: a topic has no {', '.join(wrong)}; leave it out")
            self._topic = ImageTopic(self, given.image_topic, self._take, range_16, given.max_rate_hz)
        except Exception:
            self._store.close()
            raise
        self.hardware_id = f"{camera_id}: topic {self._topic.topic}"
        self._frame_info = FrameInfoPublisher(self, self._topic.topic)

    def _start_when_timed(self) -> None:
        """Start the feed when there is simulated time."""
        if self._simulated_ns() and self._feed is not None:
            self._time_timer.cancel()
            self._start_feed(self._feed)

    def _start_feed(self, feed: Feed) -> None:
        if self.parameters.lossless:
            self.create_subscription(DiagnosticArray, "/diagnostics", self._note_report, 10)
            self._waiting_since = time.monotonic()
            self._ready_timer = self.create_timer(READY_PERIOD_S, self._start_when_ready)
        else:
            feed.start()

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

    def _release_credit(self, key: SyncKey, _done: SyncKeyMsg) -> None:
        """Let another frame into the graph: this one has left it."""
        self._credit.release(key.frame_id)

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        """Publish the place of a stored frame to detector_node, tracker_node, pose_node and eraser_node."""
        reference = slot_to_msg(slot)
        reference.key = key_to_msg(key)
        reference.replay = self._is_replay or (self._feed is not None and self._feed.is_recording)
        self._out.publish(reference)
        self.counts["frames"] += 1

    def end(self, code: int) -> None:
        """End the process: the recording has ended (0), or cannot be read any more (1). See `end_with_recording`."""
        if self.parameters.end_with_recording:
            super().end(code)
        else:
            self.get_logger().info("the recording is over; nothing is captured any more")

    def explain_loss(self) -> str:
        """Return which node lost a frame, by the diagnostics of all."""
        return self._losses.explain()

    def _note_report(self, message: DiagnosticArray) -> None:
        own = self.get_namespace().rstrip("/") + "/"
        for status in message.status:
            if status.name.startswith(own):
                counts = {value.key: value.value for value in status.values}
                self._losses.note(status.name.removeprefix(own), status.message, counts)

    def _take(self, picture: Callable[[], Image], header: Header) -> None:
        self._frame_id += 1
        self.counts["captured"] += 1
        if not self._credit.acquire(self._frame_id):
            self.counts["skipped"] += 1
            return
        try:
            image = picture()
            require_bgr8(image, self.parameters.image_topic)
            stamp_ns = self._stamp_of_driver(stamp_ns_of(header.stamp.sec, header.stamp.nanosec))
            self._frame_info.note(header)
            key, slot = self._store.put(image, self._frame_id, stamp_ns)
            self.publish_frame(key, slot)
        except Exception as error:
            self._credit.cancel(self._frame_id)
            self.fail(f"{self.parameters.image_topic}: frame {self._frame_id} dropped: {error}")

    def _stamp_of_driver(self, given_ns: int) -> int:
        """Return the stamp of a picture that its driver stamped `given_ns`, 0: not at all. Notes whether it is live."""
        given = self.parameters
        if not (given.replay or self._simulated):
            is_replay = bool(given_ns) and not is_of_now(given_ns, time.time_ns(), given.live_within_s)
            if is_replay != self._is_replay:
                self._is_replay = is_replay
                self._tell_replay(is_replay)
        steps = self._driver_stamps.steps
        stamp_ns = self._driver_stamps.follow(given_ns or self._stamp_clock.now())
        if self._driver_stamps.steps != steps:
            self.get_logger().warning(
                f"the stamps of {given.image_topic} went back or jumped ahead, as of a clock that was set or a "
                f"recording that began anew: epoch {self._driver_stamps.steps + 1} begins; those of Ω go on from before"
            )
        return stamp_ns

    def _simulated_ns(self) -> int:
        return int(self.get_clock().now().nanoseconds)

    def _tell_replay(self, is_replay: bool) -> None:
        """Log once what the stamps of the pictures say."""
        if is_replay:
            self.get_logger().warning(REPLAY_TEXT)

    def collect_diagnostics(self) -> None:
        """Copy the counters and the state of the source, the clock and the frame memory."""
        self.diagnostics["clock_offset_s"] = f"{self._stamp_clock.offset_s():+.3f}"
        self.diagnostics["frames_at_once"] = self._credit.limit
        self.diagnostics["frame_memory"] = self._store.describe_lock()
        self.counts["rings_revoked"] = self._store.revoked
        self.counts["guards_lost"] = self._store.guards_lost
        self.diagnostics["clock_epoch"] = self._driver_stamps.steps + self._stamp_clock.steps + 1
        self.diagnostics["replay"] = int(self._is_replay or (self._feed is not None and self._feed.is_recording))
        if self._feed is not None:
            self.counts.update({name: value - self.counts[name] for name, value in self._feed.counts.items()})
            self.diagnostics["state"] = self._feed.state
        if self._topic is not None:
            self.diagnostics["image_topic"] = self._topic.describe()
            self.counts.update({n: v - self.counts[n] for n, v in self._topic.counts.items()})

    def status(self) -> tuple[bytes, str]:
        """Return the state of the source."""
        if self._feed is None:
            level, text = super().status()
            problem = self._topic.problem if self._topic is not None else ""
            return (DiagnosticStatus.WARN, problem) if level == DiagnosticStatus.OK and problem else (level, text)
        state = self._feed.state
        if state == "opening":
            return DiagnosticStatus.WARN, "opening the source, or waiting for the nodes that read frames"
        return (DiagnosticStatus.OK if state in ("capturing", "ended") else DiagnosticStatus.ERROR), state

    def warning(self) -> str:
        """Return that the wall clock is far from the clock of κ, or what any node warns of."""
        if self._is_replay:
            return super().warning() or REPLAY_TEXT
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
