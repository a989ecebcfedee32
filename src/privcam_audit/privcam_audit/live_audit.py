"""Listens to a running graph: every Ω of one camera, and the topics that the graph offers about it."""

import time
from typing import Any

import rclpy
from privcam_msgs.msg import Omega
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from privcam_audit.audit_part import AuditPart

# The cloud's own contour has this type; a picture of a standard type may hold raw pixels.
_PICTURES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_POLL_S = 0.2


def listen(camera_id: str, seconds: float) -> tuple[list[bytes], AuditPart]:
    """Return the bytes of every Ω that the cloud side of a camera publishes in the ROS domain, and its topics.

    seconds: how long to listen. Raises ValueError where no Ω came.
    """
    heard: list[bytes] = []
    context = Context()
    rclpy.init(context=context)
    try:
        node = Node("privcam_audit", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        many = QoSProfile(depth=64, reliability=QoSReliabilityPolicy.RELIABLE)
        topic = f"/{camera_id}/cloud/omega"
        node.create_subscription(Omega, topic, heard.append, many, raw=True)
        topics: dict[str, list[str]] = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            executor.spin_once(_POLL_S)
            topics.update(node.get_topic_names_and_types())
        executor.shutdown()
        node.destroy_node()
    finally:
        context.try_shutdown()
    if not heard:
        raise ValueError(
            f"{topic}: no Ω came in {seconds:g} s. Is the graph running, with this camera, in the same ROS_DOMAIN_ID?"
        )
    own = {name: types for name, types in sorted(topics.items()) if name.startswith(f"/{camera_id}/")}
    return heard, _topics(own)


def _topics(topics: dict[str, list[str]]) -> AuditPart:
    pictures = [name for name, types in topics.items() if any(kind in _PICTURES for kind in types)]
    values: dict[str, Any] = {"topics": topics, "picture_topics": pictures}
    rows = "\n".join(f"| `{name}` | {', '.join(types)} |" for name, types in topics.items())
    warning = (
        f"**Standard picture topics: {', '.join(pictures)}.** If a camera driver publishes them, raw pictures can be"
        " read by every process in this ROS domain."
        if pictures
        else "No topic of the camera has a standard picture type, so no raw picture is offered to other processes."
    )
    text = (
        f"Topics of the camera that are visible in the ROS domain while the audit listened:\n\n| topic | type |\n"
        "|---|---|\n"
        f"{rows}\n\n{warning} What goes over the network between edge and cloud was not listened to: the audit heard Ω"
        " where the cloud publishes it.\n"
    )
    return AuditPart("Topics of the graph", {"graph": values}, text)
