"""Subscribes to the pictures of an ordinary ROS 2 camera driver, as that driver publishes them."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMsg
from std_msgs.msg import Header

from privcam_core.types.arrays import Image
from privcam_core.types.time import stamp_ns_of
from privcam_ros.image_topics.compressed_pictures import decode
from privcam_ros.image_topics.encodings import FULL_16_BIT, RawPicture, require_range, to_bgr
from privcam_ros.image_topics.stamp_gaps import StampGaps

KINDS: dict[str, type] = {
    "sensor_msgs/msg/Image": ImageMsg,
    "sensor_msgs/msg/CompressedImage": CompressedImage,
}
# Suffix of image_transport, used where the topic itself has no publisher.
COMPRESSED = "/compressed"
# How often it is looked whether the driver publishes otherwise than before, in s.
LOOK_PERIOD_S = 0.5
# Pictures that wait, e.g. while one is repaired: a second of a usual camera.
DEPTH = 16
# More lost pictures than this fraction are told.
MAX_LOST_FRACTION = 0.03
REMEDY = (
    "publish it reliably, or start the driver with FASTRTPS_DEFAULT_PROFILES_FILE set to our config/fastdds_shm.xml "
    "(see docs/cameras.md)"
)


@dataclass(frozen=True)
class Offer:
    """How a topic is published. reliable: by all of its publishers."""

    topic: str
    type_name: str
    reliable: bool

    @property
    def qos(self) -> QoSProfile:
        """The QoS that receives the most: reliable where that is offered, because lost parts are sent again then."""
        reliable, best_effort = QoSReliabilityPolicy.RELIABLE, QoSReliabilityPolicy.BEST_EFFORT
        return QoSProfile(
            history=QoSHistoryPolicy.KEEP_LAST,
            depth=DEPTH,
            reliability=reliable if self.reliable else best_effort,
            durability=QoSDurabilityPolicy.VOLATILE,
        )


def find_offer(topic: str, publishers: Callable[[str], Sequence[TopicEndpointInfo]]) -> Offer | None:
    """Return how a topic, or its compressed sibling where it has no publisher, is published; None if neither is.

    publishers: gives those of a topic.
    """
    for name in (topic, topic + COMPRESSED):
        found = publishers(name)
        if found:
            reliable = all(one.qos_profile.reliability == QoSReliabilityPolicy.RELIABLE for one in found)
            return Offer(name, found[0].topic_type, reliable)
    return None


class ImageTopic:
    """Gives the pictures of a topic to `take(picture, header)`, with the header of the driver.

    picture: a function that converts it, (H, W, 3) uint8 BGR; it raises UnsupportedPicture. Called only for pictures
    that are used: a camera of 60 Hz costs little where 10 are processed. `counts` has `received`, `over_rate` and
    `lost_on_topic`, by the middleware or by the stamps. `problem` says what is wrong, empty for nothing. range_16: of
    16-bit encodings. max_rate_hz: pictures that come earlier are left out, 0: no limit. Raises UnsupportedPicture for a
    range that does not rise.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        take: Callable[[Callable[[], Image], Header], None],
        range_16: tuple[int, int] = FULL_16_BIT,
        max_rate_hz: float = 0.0,
    ) -> None:
        require_range(range_16)
        self.topic = node.resolve_topic_name(topic)
        self.counts: Counter[str] = Counter(received=0, over_rate=0, lost_on_topic=0)
        self._period_s = 1.0 / max_rate_hz if max_rate_hz else 0.0
        self._next_due = time.monotonic()
        self._node = node
        self._take = take
        self._range_16 = range_16
        self._offer: Offer | None = None
        self._subscription: Subscription | None = None
        self._lost_before = 0
        self._gaps = StampGaps()
        node.create_timer(LOOK_PERIOD_S, self._look)
        self._look()

    @property
    def problem(self) -> str:
        """What is wrong with the topic, and what to do."""
        if self._offer is None:
            return f"nobody publishes {self.topic} or {self.topic}{COMPRESSED}: start the driver, compare the name"
        if self._offer.type_name not in KINDS:
            return f"{self._offer.topic} carries {self._offer.type_name}; privcam takes {', '.join(KINDS)}"
        lost = self.counts["lost_on_topic"]
        total = self.counts["received"] + lost
        if lost <= MAX_LOST_FRACTION * total:
            return ""
        return f"{self._offer.topic}: {lost} of {total} pictures were lost between driver and camera node; {REMEDY}"

    def describe(self) -> str:
        """Return how the topic is received, for the diagnostics."""
        if self._offer is None:
            return "nobody publishes it"
        return f"{self._offer.topic}, {self._offer.type_name}, {'reliable' if self._offer.reliable else 'best effort'}"

    def _look(self) -> None:
        """Subscribe as the driver publishes now; one that was started again may do so otherwise."""
        offer = find_offer(self.topic, self._node.get_publishers_info_by_topic)
        if offer == self._offer or offer is None:
            return  # a driver that has gone comes back as it was, mostly
        self._offer = offer
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            self._lost_before = self.counts["lost_on_topic"]
        if offer.type_name not in KINDS:
            self._node.get_logger().error(self.problem)
            return
        self._node.get_logger().info(f"receives {self.describe()}")
        events = SubscriptionEventCallbacks(message_lost=self._note_lost)
        handler = self._take_raw if offer.type_name == "sensor_msgs/msg/Image" else self._take_compressed
        self._subscription = self._node.create_subscription(
            KINDS[offer.type_name], offer.topic, handler, offer.qos, event_callbacks=events
        )

    def _note_lost(self, event: Any) -> None:
        told = self._lost_before + int(event.total_count)
        self.counts["lost_on_topic"] = max(self.counts["lost_on_topic"], told)

    def _is_over_rate(self, header: Header) -> bool:
        """Count a picture; return whether it comes too early, give or take half a period for its jitter."""
        self.counts["received"] += 1
        self._gaps.note(stamp_ns_of(header.stamp.sec, header.stamp.nanosec))
        self.counts["lost_on_topic"] = max(self.counts["lost_on_topic"], self._gaps.missing)
        now = time.monotonic()
        if now < self._next_due - 0.5 * self._period_s:
            self.counts["over_rate"] += 1
            return True
        self._next_due = max(self._next_due + self._period_s, now)
        return False

    def _take_raw(self, message: ImageMsg) -> None:
        if self._is_over_rate(message.header):
            return
        picture = RawPicture(
            encoding=message.encoding,
            height=message.height,
            width=message.width,
            step=message.step,
            data=memoryview(message.data),
            big_endian=bool(message.is_bigendian),
        )
        self._take(lambda: to_bgr(picture, self._range_16), message.header)

    def _take_compressed(self, message: CompressedImage) -> None:
        if not self._is_over_rate(message.header):
            self._take(lambda: decode(bytes(message.data), message.format, self._range_16), message.header)
