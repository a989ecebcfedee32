"""Passes on which optical frame and which calibration the pictures of a driver have.

The camera node tells it on `frame_info`, once for each change; it has no pixels. The composer gives its pictures, which
have the same geometry, that frame, and publishes the calibration beside them.
"""

from copy import deepcopy

from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

FRAME_INFO = "frame_info"
LATCHED = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
# Frame of pictures whose source names none.
DEFAULT_FRAME = "camera"


def info_topic(image_topic: str) -> str:
    """Return the topic of the calibration that belongs to a topic of pictures, by the rule of image_transport."""
    space, separator, _ = image_topic.removesuffix("/compressed").rpartition("/")
    return f"{space}{separator}camera_info"


class FrameInfoPublisher:
    """Tells the optical frame and the calibration of the pictures of a topic."""

    def __init__(self, node: Node, image_topic: str) -> None:
        self._publisher = node.create_publisher(CameraInfo, FRAME_INFO, LATCHED)
        self._info = CameraInfo()
        self._told: CameraInfo | None = None
        # Best effort is matched by every publisher, and calibration comes with every picture.
        node.create_subscription(CameraInfo, info_topic(image_topic), self._take_info, qos_profile_sensor_data)

    def _take_info(self, info: CameraInfo) -> None:
        # The stamp is that of one picture; without it equal ones are equal.
        info.header = Header(frame_id=info.header.frame_id)
        self._info = info

    def note(self, header: Header) -> None:
        """Take note of a picture; tell its frame, and the newest calibration, if either is new."""
        self._info.header.frame_id = header.frame_id or self._info.header.frame_id or DEFAULT_FRAME
        if self._told != self._info:
            self._told = deepcopy(self._info)
            self._publisher.publish(self._info)


class FrameInfo:
    """What the camera node told: the frame of its pictures, and their calibration once there is one."""

    def __init__(self, node: Node, topic: str) -> None:
        self.frame_id = DEFAULT_FRAME
        self._info: CameraInfo | None = None
        self._publisher = node.create_publisher(CameraInfo, topic, qos_profile_sensor_data)
        node.create_subscription(CameraInfo, FRAME_INFO, self._take, LATCHED)

    def _take(self, info: CameraInfo) -> None:
        self.frame_id = info.header.frame_id or DEFAULT_FRAME
        self._info = info if info.width and info.height else None

    def publish(self, header: Header) -> None:
        """Publish the calibration for a picture with this header, if there is one."""
        if self._info is not None:
            self._info.header = header
            self._publisher.publish(self._info)
