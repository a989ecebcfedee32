"""Another user of the host, without the key: forges what travels between eraser and gate, as soon as it comes.

    python -m harness.omega_forger CAMERA_ID

As root it becomes another user first. It prints its counts as one JSON line a second until its stdin is closed.
"""

import copy
import json
import os
import select
import sys
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from privcam_msgs.msg import (
    Embedding,
    EmbeddingSeal,
    Environment,
    Omega,
    PrivacyReport,
    ProxyFrame,
    Seal,
    SubjectPoseArray,
    SyncKey,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from harness.other_user import become_nobody
from privcam_core.images.environment import encode_environment, environment_of
from privcam_ros.conversions import environment_to_msg, key_from_msg

TOPICS = {
    "environment": Environment,
    "poses": SubjectPoseArray,
    "privacy": PrivacyReport,
    "embedding": Embedding,
    "seals": Seal,
    "embedding_seals": EmbeddingSeal,
    "proxy": ProxyFrame,
    "omega": Omega,
}
# A forged picture is of this one level everywhere, and shown as a whole.
FORGED_LEVEL = 37
# In forged parts of other kinds.
FORGED_FRACTION = 0.8125
# The future of a forged stamp, s: so long did one stop the true Ω once.
AHEAD_S = 59
RECORDED = 20
RELIABLE = QoSProfile(depth=64, reliability=QoSReliabilityPolicy.RELIABLE)


class OmegaForger:
    """Answers each true part of a camera with forged ones of the same κ."""

    def __init__(self, camera_id: str) -> None:
        self.counts: Counter[str] = Counter()
        self._sent: set[tuple[str, bytes]] = set()
        self._recorded: deque[tuple[str, Any]] = deque(maxlen=RECORDED * len(TOPICS))
        self.node = Node("forger", namespace=camera_id, start_parameter_services=False)
        self._out = {topic: self.node.create_publisher(kind, topic, RELIABLE) for topic, kind in TOPICS.items()}
        for topic, kind in TOPICS.items():
            self.node.create_subscription(kind, topic, self._answer(topic), RELIABLE)
        self.node.create_timer(0.5, self._replay)

    def _answer(self, topic: str) -> Callable[[Any], None]:
        def answer(message: Any) -> None:
            if self._is_own(topic, message):
                return
            self.counts[f"heard_{topic}"] += 1
            self._recorded.append((topic, message))
            # Beside its own kind, whatever else is still on its way with this κ.
            for name in (topic, "poses", "privacy", "embedding", "proxy", "omega"):
                self._publish(name, self._forge(name, message))

        return answer

    def _is_own(self, topic: str, message: Any) -> bool:
        return (topic, _mark(message)) in self._sent

    def _publish(self, topic: str, message: Any) -> None:
        self._sent.add((topic, _mark(message)))
        self._out[topic].publish(message)
        self.counts[f"forged_{topic}"] += 1

    def _forge(self, topic: str, true: Any) -> Any:
        """Return a forged message for a topic, with the κ of a true message."""
        key: SyncKey = true.key
        if topic in ("seals", "embedding_seals"):
            forged = copy.deepcopy(true)
            setattr(forged, "picture" if topic == "seals" else "embedding", np.frombuffer(os.urandom(32), np.uint8))
            return forged
        if topic == "environment":
            return _environment(key, true.height, true.width)
        if topic == "poses":
            return SubjectPoseArray(key=key)
        if topic == "privacy":
            return PrivacyReport(key=key, excluded_fraction=FORGED_FRACTION, verdict=PrivacyReport.PASS)
        if topic == "embedding":
            return _embedding(key)
        if topic == "proxy":
            return _proxy(key)
        return self._forge_omega(key)

    def _forge_omega(self, key: SyncKey) -> Omega:
        if self.counts["forged_omega"] % 2:
            key = copy.deepcopy(key)
            key.stamp.sec += AHEAD_S
            self.counts["ahead"] += 1
        return Omega(
            schema=5,
            key=key,
            environment=_environment(key, 48, 64),
            poses=SubjectPoseArray(key=key),
            embedding=_embedding(key),
            privacy=PrivacyReport(key=key, excluded_fraction=FORGED_FRACTION, verdict=PrivacyReport.PASS),
        )

    def _replay(self) -> None:
        """Send again what was recorded, all kinds."""
        for topic, message in list(self._recorded):
            self._publish(topic, message)
            self.counts["replayed"] += 1


def _mark(message: Any) -> bytes:
    """Return what tells a message that was sent here from true ones; a repetition counts as sent here."""
    key = message.key
    parts = [key.frame_id, key.stamp.sec, key.stamp.nanosec]
    for name in ("excluded_fraction", "confirmed_fraction", "scale"):
        parts.append(round(float(getattr(message, name, 0.0)), 4))
    for name in ("code", "picture", "embedding"):
        parts.append(bytes(value) if isinstance(value := getattr(message, name, b""), np.ndarray) else b"")
    parts.append(len(getattr(message, "poses", ())) if isinstance(message, SubjectPoseArray) else 0)
    parts.append(message.privacy.excluded_fraction == FORGED_FRACTION if isinstance(message, Omega) else False)
    return repr(parts).encode()


def _environment(key: SyncKey, height: int, width: int) -> Environment:
    plate = np.full((height, width, 3), FORGED_LEVEL, np.uint8)
    return environment_to_msg(
        environment_of(key_from_msg(key), encode_environment(plate, np.ones((height, width), np.bool_)), 1)
    )


def _embedding(key: SyncKey) -> Embedding:
    return Embedding(
        key=key,
        encoder_id="ib48-4",
        shape=[48],
        dtype="int8",
        scale=0.25,
        data=bytes(48),
        noise_sigma=0.25,
        clip_norm=20.0,
    )


def _proxy(key: SyncKey) -> ProxyFrame:
    frame = ProxyFrame(key=key, code=np.frombuffer(os.urandom(32), np.uint8))
    frame.image.height, frame.image.width, frame.image.encoding, frame.image.step = 24, 32, "bgr8", 96
    frame.image.data = bytes([FORGED_LEVEL]) * (24 * 96)
    return frame


def main() -> None:
    """Run the attack until stdin is closed."""
    become_nobody()
    rclpy.init()
    forger, executor = OmegaForger(sys.argv[1]), SingleThreadedExecutor()
    executor.add_node(forger.node)
    forger.node.create_timer(1.0, lambda: print(json.dumps({"uid": os.getuid(), **forger.counts}), flush=True))
    while not select.select([sys.stdin], [], [], 0)[0]:
        executor.spin_once(timeout_sec=0.1)


if __name__ == "__main__":
    main()
