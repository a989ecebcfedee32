"""Pictures of ordinary camera drivers, which know nothing of privcam: what arrives, as what, and what is refused."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import FrameRef, SealedMessage
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from harness.graph_probe import (
    DOMAIN,
    HANG_LIMIT_S,
    GraphProbe,
    diagnostics,
    probe_diagnostics,
    started,
    values,
    wait_for_status,
    wait_until,
)
from privcam_ros.image_topics.camera_info import LATCHED

PUBLISHED = 150
# Of 150 pictures of a driver that knows nothing of us.
MIN_RECEIVED = 145
# A driver as rclpy's tutorials write one: VGA at 15 Hz, in a process of its own, with the middleware's own settings.
# A number on its input is the number of pictures that it publishes from then on.
DRIVER = """
import array, os, sys, threading
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("driver")
qos = QoSProfile(depth=10, reliability=ReliabilityPolicy[sys.argv[2]])
publisher = node.create_publisher(Image, sys.argv[1], qos)
message = Image(height=480, width=640, encoding="bgr8", step=1920, data=array.array("B", os.urandom(640 * 480 * 3)))
message.header.frame_id = "front_optical"
left = float("inf")
def tick():
    global left
    if left > 0:
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        left -= 1
        if left == 0:
            print("published", flush=True)
node.create_timer(1 / 15, tick)
def read_orders():
    global left
    for line in sys.stdin:
        left = int(line)
        if left == 0:
            print("stopped", flush=True)
    os._exit(0)
threading.Thread(target=read_orders).start()
rclpy.spin(node)
"""


@contextmanager
def driver(topic: str, reliability: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {name: value for name, value in os.environ.items() if "DEFAULT_PROFILES_FILE" not in name}
    environment["ROS_DOMAIN_ID"] = str(DOMAIN)
    command = [sys.executable, "-c", DRIVER, topic, reliability]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        yield process
        process.communicate(timeout=HANG_LIMIT_S)


def counted(probe: GraphProbe, camera: str) -> tuple[int, int]:
    """Return the pictures that a camera received, and those that were lost, from the third report after now on.

    The first may have been on its way, and the last pictures too.
    """
    reports = len(diagnostics(probe, camera))
    probe.wait_for(lambda s: len(diagnostics(s, camera)) > reports + 2, "three reports")
    found = values(diagnostics(probe, camera)[-1])
    return int(found["received"]), int(found["lost_on_topic"])


@pytest.mark.parametrize("reliability", ["RELIABLE", "BEST_EFFORT"])
def test_driver_without_our_profile_is_received_or_told_what_to_set(tmp_path: Path, reliability: str) -> None:
    """Every picture is received, or counted as lost, and the remedy is named: on a busy machine some are lost."""
    space = f"/plain_{reliability.lower()}"
    with (
        probe_diagnostics() as probe,
        started("privcam_edge", "camera_node", tmp_path / "log", remap={"__ns": space}, source="topic",
                image_topic=f"{space}/driver/image"),
        driver(f"{space}/driver/image", reliability) as process,
    ):  # fmt: skip
        assert process.stdout is not None and process.stdin is not None
        camera = f"{space}/camera"
        wait_for_status(probe, camera, lambda s: int(values(s).get("received", 0)) > 0, "a first picture")
        process.stdin.write("0\n")
        process.stdin.flush()
        assert process.stdout.readline() == "stopped\n"
        before = counted(probe, camera)
        process.stdin.write(f"{PUBLISHED}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "published\n"
        received, lost = (now - then for now, then in zip(counted(probe, camera), before, strict=True))
        print(f"{reliability}: {received} of {PUBLISHED} received, {lost} counted as lost")
        assert received + lost >= MIN_RECEIVED - 3  # the last ones may be missing without another after them
        status = diagnostics(probe, camera)[-1]
        assert received >= MIN_RECEIVED or "FASTRTPS_DEFAULT_PROFILES_FILE" in status.message, status.message
        assert f"{space}/driver/image" in values(status)["image_topic"]
        assert status.hardware_id == f"camera: topic {space}/driver/image"


def picture(stamp_s: int) -> Image:
    message = Image(height=48, width=64, encoding="mono16", step=130, data=bytes(130 * 48), is_bigendian=1)
    message.header.stamp.sec, message.header.stamp.nanosec = stamp_s, 5
    message.header.frame_id = "front_optical"
    return message


def test_stamp_frame_and_calibration_of_the_driver_are_kept(tmp_path: Path) -> None:
    now_s = int(time.time())
    with (
        probe_diagnostics(("/kept/frames", SealedMessage)) as probe,
        started("privcam_edge", "camera_node", tmp_path / "log", remap={"__ns": "/kept"}, source="topic",
                image_topic="/driver/image_raw", white_16=4095),
    ):  # fmt: skip
        told: list[CameraInfo] = []
        probe.node.create_subscription(CameraInfo, "/kept/frame_info", told.append, LATCHED)
        best_effort = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        pictures = probe.node.create_publisher(Image, "/driver/image_raw", best_effort)
        infos = probe.node.create_publisher(CameraInfo, "/driver/camera_info", 5)
        for publisher in (pictures, infos):
            wait_until(lambda publisher=publisher: publisher.get_subscription_count() > 0, "the camera node to listen")
        pictures.publish(picture(now_s))
        wait_until(lambda: told, "the frame")
        assert (told[-1].header.frame_id, told[-1].width) == ("front_optical", 0)
        first = probe.wait_for(lambda s: s.opened("/kept/frames", FrameRef), "the frame reference")[-1]
        assert (first.key.stamp.sec, first.key.stamp.nanosec) == (now_s, 5)
        assert (first.height, first.width, first.encoding) == (48, 64, "bgr8")
        info = CameraInfo(height=48, width=64, k=[50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0])
        info.header.frame_id = "front_optical"

        def publish_until_told() -> bool:
            infos.publish(info)
            pictures.publish(picture(int(time.time()) + 1))
            return told[-1].width == 64

        wait_until(publish_until_told, "the calibration")
        assert told[-1].k[0] == 50.0 and told[-1].header.frame_id == "front_optical"


def test_driver_that_starts_again_in_another_way_is_received_again(tmp_path: Path) -> None:
    """First compressed and reliable, then raw and best effort; raw pictures are preferred. A torn one is dropped."""
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    with (
        probe_diagnostics(("/again/frames", SealedMessage)) as probe,
        started("privcam_edge", "camera_node", tmp_path / "log", remap={"__ns": "/again"}, source="topic"),
    ):
        compressed = probe.node.create_publisher(CompressedImage, "/again/image_raw/compressed", 10)
        wait_until(lambda: compressed.get_subscription_count() > 0, "the camera node to listen")
        for data in (jpeg[:50], jpeg):
            message = CompressedImage(format="jpeg", data=data)
            message.header.stamp.sec = int(time.time())
            compressed.publish(message)
        probe.wait_for(lambda s: s.counts["/again/frames"] > 0, "the good picture")
        status = wait_for_status(probe, "/again/camera", lambda s: values(s).get("errors") == "1", "the torn one")
        assert "JPEG of 50 bytes without an end: it is torn" in status.message
        assert probe.counts["/again/frames"] == 1
        best_effort = QoSProfile(depth=5, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        raw = probe.node.create_publisher(Image, "/again/image_raw", best_effort)
        wait_until(lambda: raw.get_subscription_count() > 0, "the camera node to listen to the raw pictures")
        wait_until(lambda: compressed.get_subscription_count() == 0, "it to leave the compressed ones")
        raw.publish(picture(int(time.time()) + 1))
        probe.wait_for(lambda s: s.counts["/again/frames"] > 1, "the raw picture")


def test_topic_without_a_driver_or_of_another_type_is_named(tmp_path: Path) -> None:
    with (
        probe_diagnostics() as probe,
        started("privcam_edge", "camera_node", tmp_path / "log", remap={"__ns": "/other"}, source="topic"),
    ):
        text = "nobody publishes /other/image_raw or /other/image_raw/compressed"
        status = wait_for_status(probe, "/other/camera", lambda s: text in s.message, "the missing driver")
        assert status.level == DiagnosticStatus.WARN
        probe.node.create_publisher(String, "/other/image_raw", 1)
        text = "/other/image_raw carries std_msgs/msg/String; privcam takes sensor_msgs/msg/Image"
        wait_for_status(probe, "/other/camera", lambda s: text in s.message, "the wrong type")


@pytest.mark.parametrize(("parameters", "text"), [
    ({"source_credentials": "/tmp/secret"}, "a topic has no source_credentials; leave it out"),
    ({"lossless": True, "loop": True}, "a topic has no lossless, loop; leave it out"),
    ({"black_16": 500, "white_16": 400}, "16-bit range 500 to 400: has to rise"),
])  # fmt: skip
def test_parameter_that_does_not_go_with_a_topic_ends_the_node(
    tmp_path: Path, parameters: dict[str, object], text: str
) -> None:
    with started("privcam_edge", "camera_node", tmp_path / "log", source="topic", **parameters) as camera:
        assert camera.wait() == 1
    assert text in camera.output
