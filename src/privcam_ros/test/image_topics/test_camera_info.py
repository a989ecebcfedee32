"""The frame and the calibration of a driver come to the pictures that the composer publishes."""

import os
import time
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from privcam_ros.image_topics.camera_info import FrameInfo, FrameInfoPublisher, info_topic

HANG_LIMIT_S = 300.0


class Nodes:
    """A driver, the camera node, the composer and who reads its pictures, as far as they know of calibration."""

    def __init__(self) -> None:
        rclpy.init(domain_id=1 + os.getpid() % 100)
        self.node = Node("calibrated", namespace="/cam")
        self.camera = FrameInfoPublisher(self.node, "/driver/image_raw")
        self.composer = FrameInfo(self.node, "proxy_camera_info")
        self.driver = self.node.create_publisher(CameraInfo, "/driver/camera_info", 5)
        self.got: list[CameraInfo] = []
        self.node.create_subscription(CameraInfo, "/cam/proxy_camera_info", self.got.append, qos_profile_sensor_data)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)

    def until(self, condition: object) -> None:
        end = time.monotonic() + HANG_LIMIT_S
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < end
            self._executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    nodes = Nodes()
    yield nodes
    nodes.close()


def test_frame_of_a_driver_without_calibration_is_kept_and_no_calibration_is_made_up(nodes: Nodes) -> None:
    assert nodes.composer.frame_id == "camera"
    nodes.camera.note(Header(frame_id="front_optical"))
    nodes.until(lambda: nodes.composer.frame_id == "front_optical")
    nodes.composer.publish(Header(frame_id="front_optical"))
    nodes.camera.note(Header(frame_id="rear_optical"))
    nodes.until(lambda: nodes.composer.frame_id == "rear_optical")
    assert nodes.got == []


def test_calibration_is_published_with_the_stamp_of_the_picture(nodes: Nodes) -> None:
    info = CameraInfo(height=48, width=64, k=[50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0])
    info.header.frame_id = "front_optical"
    picture = Header(frame_id="front_optical")
    picture.stamp.sec = 1_700_000_000

    def published() -> bool:
        nodes.driver.publish(info)
        nodes.camera.note(Header())  # of a driver that names the frame only in the calibration
        nodes.composer.publish(picture)
        return bool(nodes.got)

    nodes.until(published)
    assert nodes.got[0].header == picture
    assert (nodes.got[0].width, nodes.got[0].k[0]) == (64, 50.0)


@pytest.mark.parametrize(("topic", "expected"), [
    ("/cam/image_raw", "/cam/camera_info"), ("image_raw", "camera_info"),
    ("/a/b/image_rect/compressed", "/a/b/camera_info"), ("/image", "/camera_info"),
])  # fmt: skip
def test_calibration_lies_beside_the_pictures(topic: str, expected: str) -> None:
    assert info_topic(topic) == expected
