"""Publishes Ω into one end of the link, or observes what comes out of the other end; prints events as lines of JSON.

    python -m link_testbed.probe --camera-id room --feed 10
    python -m link_testbed.probe --camera-id room --watch cloud

Each line of stdout is an `Event`. `--feed` publishes synthetic Ω from a line `go` on stdin to a line `rest`; both end
with stdin. The process runs inside the network namespace of its end, because DDS does not reach from one namespace to
another.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from privcam_msgs.msg import EmbeddingSeal as EmbeddingSealMsg
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SceneReport
from privcam_msgs.msg import Seal as SealMsg
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from link_testbed.feed_scene import Scene
from privcam_core.types.omega import InvalidOmega
from privcam_edge.link.sealing import OmegaSealer, SealKeys
from privcam_link import cdr
from privcam_ros.conversions import omega_to_msg, stamp_from_msg
from privcam_ros.node import FINISHED
from privcam_ros.seal_conversions import embedding_seal_to_msg, seal_to_msg
from privcam_ros.start_key import StartKey

MANY = QoSProfile(depth=4096, reliability=QoSReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Event:
    """One event. what: see `FEEDS` and `TOPICS`. at_s: since the epoch. stamp_ns: of κ, if it has one."""

    what: str
    at_s: float
    space: str = ""
    frame_id: int = 0
    stamp_ns: int = 0
    diagnostics: dict[str, str] = field(default_factory=dict)

    @property
    def age_s(self) -> float:
        """Time from the capture."""
        return self.at_s - self.stamp_ns / 1e9


def tell(event: Event) -> None:
    """Print an event."""
    print(json.dumps(asdict(event)), flush=True)


class Feed:
    """Publishes Ω on `/<camera_id>/omega` while it may; tells of each with `sent`, and `matched` when one listens."""

    def __init__(self, node: Node, camera_id: str, rate_hz: float) -> None:
        self._scene = Scene(camera_id)
        self._sealer = OmegaSealer(SealKeys.derived(StartKey.inherited().derive))
        self._seals = node.create_publisher(SealMsg, f"/{camera_id}/seals", FINISHED)
        self._embedding_seals = node.create_publisher(EmbeddingSealMsg, f"/{camera_id}/embedding_seals", FINISHED)
        self._publisher = node.create_publisher(OmegaMsg, f"/{camera_id}/omega", FINISHED)
        self._frame_id = 0
        self._listeners = 0
        self.going = False
        node.create_timer(1 / rate_hz, self._next)

    def _next(self) -> None:
        publishers = self._publisher, self._seals, self._embedding_seals
        listeners = min(publisher.get_subscription_count() for publisher in publishers)
        if listeners != self._listeners:
            self._listeners = listeners
            tell(Event("matched", time.time(), diagnostics={"listeners": str(listeners)}))
        if not self.going:
            return
        self._frame_id += 1
        stamp_ns = time.time_ns()
        omega = self._scene.omega(self._frame_id, stamp_ns)
        seals = self._sealer.seal(omega, sha256(omega.environment.png).digest())
        self._seals.publish(seal_to_msg(seals.published))
        self._embedding_seals.publish(embedding_seal_to_msg(seals.embedded))
        self._publisher.publish(omega_to_msg(omega))
        tell(Event("sent", time.time(), "", self._frame_id, stamp_ns))


def _observe_cloud(node: Node, camera_id: str, space: str) -> None:
    """Tell of everything that comes out of one cloud, as `live`, `record`, `report` and `kept`."""

    def raw(what: str, schema: bool) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            try:
                key = cdr.peek_key(data, schema=schema)
            except InvalidOmega:
                return
            tell(Event(what, time.time(), space, key.frame_id, key.stamp_ns))

        return take

    def kept(key: SyncKeyMsg) -> None:
        tell(Event("kept", time.time(), space, 0, stamp_from_msg(key.stamp) if key.stamp.sec else 0))

    at = f"/{camera_id}/{space}"
    node.create_subscription(OmegaMsg, f"{at}/omega", raw("live", True), MANY, raw=True)
    node.create_subscription(OmegaMsg, f"{at}/recording/omega", raw("record", True), MANY, raw=True)
    node.create_subscription(SceneReport, f"{at}/recording/report", raw("report", False), MANY, raw=True)
    node.create_subscription(SyncKeyMsg, f"{at}/recording/kept", kept, MANY)


def _tell_status(message: DiagnosticArray) -> None:
    for status in message.status:
        diagnostics = {item.key: item.value for item in status.values}
        tell(Event("status", time.time(), status.name, diagnostics={**diagnostics, "message": status.message}))


def main(argv: Sequence[str]) -> int:
    """Feed or watch until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m link_testbed.probe", description=__doc__)
    parser.add_argument("--camera-id", required=True)
    parser.add_argument("--feed", type=float, metavar="HZ", help="publish Ω at this rate")
    parser.add_argument("--watch", action="append", default=[], metavar="SPACE", help="namespace of a cloud")
    options = parser.parse_args(argv)
    rclpy.init()
    node = Node("link_probe", enable_rosout=False, start_parameter_services=False)
    feed = Feed(node, options.camera_id, options.feed) if options.feed else None
    for space in options.watch:
        _observe_cloud(node, options.camera_id, space)
    node.create_subscription(DiagnosticArray, "/diagnostics", _tell_status, MANY)
    executor: Any = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = threading.Thread(target=executor.spin, name="probe", daemon=True)
    spinning.start()
    tell(Event("ready", time.time()))
    for line in sys.stdin:
        if feed is not None:
            feed.going = line.strip() == "go"
    executor.shutdown()
    spinning.join()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
