"""Reports why a node could not start where its operators look: on /rosout, not only on the terminal of its host."""

import time

from rcl_interfaces.msg import Log
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy

# The process ends after the report: so long it waits for a listener to be discovered, and for it to have the report, s.
DISCOVERY_S = 1.5
DELIVERY_S = 1.0
POLL_S = 0.02
# As the loggers of ROS 2 publish on /rosout.
ROSOUT = QoSProfile(depth=10, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def report_start_error(node: Node, name: str, text: str) -> None:
    """Publish an error on /rosout and wait until those who listen there have it, for at most 2.5 s.

    node: any of the process, to publish it. name: of the node that failed. Its own logger would only queue the message,
    and lose it when the process ends at once.
    """
    publisher = node.create_publisher(Log, "/rosout", ROSOUT)
    deadline = time.monotonic() + DISCOVERY_S
    while not publisher.get_subscription_count() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    stamp = node.get_clock().now().to_msg()
    publisher.publish(Log(stamp=stamp, level=Log.FATAL, name=name, msg=text))
    publisher.wait_for_all_acked(Duration(seconds=DELIVERY_S))
