"""Another user of the host, without the key: reads and forges what the nodes of an edge send each other.

    python -m harness.forger CAMERA_ID FOREIGN

FOREIGN: folder with messages that were sealed for others, each in a file `<topic>.<any>`. As root it becomes another
user first. It works in rounds until its stdin is closed, and prints its counts as one JSON line a round.
"""

import json
import os
import select
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import rclpy
from privcam_msgs.msg import (
    Detection,
    DetectionArray,
    FrameRef,
    PresenceRegionArray,
    RawPoseArray,
    SealedMessage,
    SyncKey,
    TrackArray,
)
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from harness.other_user import become_nobody

TOPICS = {
    "frames": FrameRef,
    "detections": DetectionArray,
    "tracks": TrackArray,
    "raw_poses": RawPoseArray,
    "presences": PresenceRegionArray,
}
# Forged frames have numbers that the camera does not reach in a test.
FIRST_FORGED = 10**6
# Messages on each topic in a round, at random; their first bytes tell them from those of the edge.
FLOOD = 200
FLOOD_MARK = bytes(8)
# Recorded messages of each topic that are sent again in a round.
KEPT = 30
RELIABLE = QoSProfile(depth=64, reliability=QoSReliabilityPolicy.RELIABLE)


class Forger:
    """Attacks every raw topic of a camera. Two nodes: one of a process has one type for a topic."""

    def __init__(self, camera_id: str, foreign: Path) -> None:
        self.counts: Counter[str] = Counter()
        self._camera_id = camera_id
        self._frame_id = FIRST_FORGED
        self._heard: dict[str, deque[bytes]] = {topic: deque(maxlen=KEPT) for topic in TOPICS}
        self._forged: set[bytes] = set()
        self._foreign = {topic: [file.read_bytes() for file in foreign.glob(f"{topic}.*")] for topic in TOPICS}
        self._executors: list[SingleThreadedExecutor] = []
        sealed, plain = (self._node(name) for name in ("sealed", "plain"))
        self._sealed = {topic: sealed.create_publisher(SealedMessage, topic, RELIABLE) for topic in TOPICS}
        self._plain = {topic: plain.create_publisher(kind, topic, RELIABLE) for topic, kind in TOPICS.items()}
        for topic, kind in TOPICS.items():
            sealed.create_subscription(SealedMessage, topic, self._keeper(topic), RELIABLE)
            plain.create_subscription(kind, topic, self._note_plain, RELIABLE)

    def _node(self, name: str) -> Node:
        context = Context()
        rclpy.init(context=context)
        node = Node(name, namespace=self._camera_id, context=context, start_parameter_services=False)
        self._executors.append(SingleThreadedExecutor(context=context))
        self._executors[-1].add_node(node)
        return node

    def _keeper(self, topic: str) -> Any:
        def keep(message: SealedMessage) -> None:
            data = bytes(message.data)
            heard = self._heard[topic]
            if not data.startswith(FLOOD_MARK) and data not in self._forged and data not in heard:
                heard.append(data)
                self.counts["sealed_heard"] += 1

        return keep

    def _note_plain(self, message: Any) -> None:
        self.counts["plain_heard"] += message.key.frame_id < FIRST_FORGED

    def listen(self, seconds: float) -> None:
        """Hear what is published."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for executor in self._executors:
                executor.spin_once(timeout_sec=0.01)

    def attack(self) -> None:
        """Send every kind of forged message on every topic."""
        for topic, publisher in self._sealed.items():
            for kind, messages in self._messages(topic).items():
                for data in messages:
                    publisher.publish(SealedMessage(data=data))
                self.counts[kind] += len(messages)
            for payload in (b"\0\1\0\0", b"\0\1\0\0\xff\xff\xff\x7f", os.urandom(64)):
                publisher.publish(payload)
                self.counts["no_message"] += 1
        self._publish_plain()

    def _messages(self, topic: str) -> dict[str, list[bytes]]:
        heard = list(self._heard[topic])
        damaged = [_flip(data, number) for data in heard[-8:] for number in (0, 100, 8 * len(data) - 1)]
        cut = [data[: len(data) // 2] for data in heard[-8:]]
        self._forged.update(damaged, cut, self._foreign[topic])
        return {
            "replayed": heard,
            "damaged": damaged + cut,
            "foreign": self._foreign[topic],
            "flood": [FLOOD_MARK + os.urandom(100) for _ in range(FLOOD)],
        }

    def _publish_plain(self) -> None:
        """Send one whole frame as it went before there was a key: nobody in it, in a ring whose name is guessed."""
        self._frame_id += 1
        key = SyncKey(camera_id=self._camera_id, frame_id=self._frame_id)
        key.stamp.sec = int(time.time())
        whole = Detection(box=[0.0, 0.0, 6.0, 400.0], score=0.9)
        frame = FrameRef(key=key, ring=f"privcam_0_{self._camera_id}", height=240, width=320, encoding="bgr8")
        self._plain["frames"].publish(frame)
        self._plain["detections"].publish(DetectionArray(key=key, detections=[whole]))
        self._plain["tracks"].publish(TrackArray(key=key))
        self._plain["raw_poses"].publish(RawPoseArray(key=key))
        self._plain["presences"].publish(PresenceRegionArray(key=key))
        self.counts["plain"] += len(TOPICS)

    def report(self) -> None:
        """Print what was done, and which files of the middleware this user could read."""
        readable = [file.name for file in Path("/dev/shm").glob("fastrtps_*") if _is_foreign(file) and _opens(file)]
        print(json.dumps({"uid": os.getuid(), "readable": readable, **self.counts}), flush=True)


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


def _is_foreign(file: Path) -> bool:
    try:
        return file.stat().st_uid != os.getuid()
    except FileNotFoundError:
        return False


def _opens(file: Path) -> bool:
    try:
        file.open("rb").close()
    except OSError:
        return False
    return True


def main() -> None:
    """Run the attack until stdin is closed."""
    camera_id, foreign = sys.argv[1:]
    become_nobody()
    forger = Forger(camera_id, Path(foreign))
    while not select.select([sys.stdin], [], [], 0)[0]:
        forger.listen(1.0)
        forger.attack()
        forger.report()


if __name__ == "__main__":
    main()
