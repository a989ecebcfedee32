"""The base of the nodes of the edge: they share the key of their start, and seal what carries or refers to raw data."""

import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from privcam_msgs.msg import SealedMessage
from rclpy.publisher import Publisher
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.subscription import Subscription

from privcam_core.types.omega import SyncKey
from privcam_ros.message_sealing import MAX_AGE_S, Opener, Refusal, Sealer, SealRefused
from privcam_ros.middleware.listening_sockets import listening_beyond_loopback
from privcam_ros.node import STREAM, PrivcamNode, StartError
from privcam_ros.parameters import declare, param
from privcam_ros.start_key import StartKey

P = TypeVar("P")

# What reads a sealed topic keeps more messages than its publisher sends at once: a few that somebody else puts between
# them must not push them out before they were read.
OPENED = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=1024,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)
# Between two lines in the log about messages that were refused.
LOG_PERIOD_S = 60.0
# How long the diagnostics show a message that was refused.
WARNING_S = 60.0
EXPLANATION = "no node of this start sealed it, or it was sent before; another process publishes on this topic"
INSECURE = "insecure: every local user can read and forge what this node exchanges with the others of the edge"
DISCOVERY_VARIABLE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
PEERS_VARIABLE = "ROS_STATIC_PEERS"


@dataclass(frozen=True)
class KeyParameters:
    """Parameters of every node that needs the key of its start."""

    insecure: bool = param(
        False,
        "true: a node that no launcher started uses a key that everybody knows, so any local user can read and forge "
        "what it seals; for tests",
    )


class SealedPublisher:
    """Publishes messages sealed."""

    def __init__(self, publisher: Publisher, sealer: Sealer) -> None:
        self._publisher = publisher
        self._sealer = sealer

    def publish(self, message: Any) -> None:
        """Publish a message; only nodes of this start can read it."""
        self._publisher.publish(SealedMessage(data=self._sealer.seal(serialize_message(message))))


class SealedNode(PrivcamNode[P]):
    """A node that has the key of its start. It does not start without one, unless `insecure` is set.

    A message on a sealed topic that was not sealed by a node of this start, or was sent before, is dropped, counted
    (`refused_<reason>`), shown as a warning in the diagnostics and logged once a minute.
    Raises StartKeyError without a key, StartError where an insecure node could be reached from other hosts.
    """

    def __init__(self, name: str, kind: type[P], namespace: str | None = None) -> None:
        super().__init__(name, kind, namespace)
        self._refused: tuple[str, Refusal] | None = None
        self._refused_at = self._logged_at = -LOG_PERIOD_S
        self.start_key = self._public_key() if declare(self, KeyParameters).insecure else StartKey.inherited()

    def _public_key(self) -> StartKey:
        reach, peers = os.environ.get(DISCOVERY_VARIABLE, ""), os.environ.get(PEERS_VARIABLE, "")
        if reach not in ("LOCALHOST", "OFF") or peers:
            raise StartError(
                f"insecure:=true with {DISCOVERY_VARIABLE}={reach or 'SUBNET'} and {PEERS_VARIABLE}={peers!r} would "
                f"let other hosts in; set {DISCOVERY_VARIABLE}=LOCALHOST and unset {PEERS_VARIABLE}"
            )
        # What was set is not what is: without a profile of the middleware it listens on every interface all the same.
        if reached := listening_beyond_loopback():
            raise StartError(
                f"insecure:=true, and the middleware listens on {', '.join(reached)}, where other hosts reach it; set "
                "FASTRTPS_DEFAULT_PROFILES_FILE to share/privcam_bringup/config/fastdds_shm.xml of this installation"
            )
        self.get_logger().warning(INSECURE)
        return StartKey.public()

    def warning(self) -> str:
        """Return that this node is insecure, or what it refused within the last minute."""
        if not self.start_key.is_secret:
            return INSECURE
        if self._refused is None or time.monotonic() - self._refused_at > WARNING_S:
            return ""
        topic, reason = self._refused
        return f"{topic}: refused a message ({reason.value}): {EXPLANATION}"

    def create_sealed_publisher(self, kind: type, topic: str) -> SealedPublisher:
        """Return a publisher of messages of type `kind`, sealed."""
        sealer = Sealer(self.start_key, self.resolve_topic_name(topic), kind.__name__)
        return SealedPublisher(self.create_publisher(SealedMessage, topic, STREAM), sealer)

    def on_sealed(
        self, topic: str, kind: type, callback: Callable[[SyncKey, Any], None], *, timed: bool = True
    ) -> Callable[[], None]:
        """Call `callback(κ, message)` for every message of type `kind` that a node of this start sealed. As `on`.

        Return what does so at once with all messages that wait: the executor takes one after the other, between those
        of other topics, so on a busy host they would come later and later.
        """
        opener = Opener(self.start_key, self.resolve_topic_name(topic), kind.__name__)

        def open_and_deliver(payload: bytes | None) -> None:
            for _ in range(OPENED.depth):
                if payload is None:
                    return
                try:
                    message = deserialize_message(opener.open(_sealed_of(payload)), kind)
                except SealRefused as refusal:
                    self._refuse(topic, refusal.reason)
                else:
                    self._deliver(topic, callback, message, timed=timed)
                    return
                # The next at once: the executor needs nine times as long for a message as this loop, and a flood
                # would keep true ones back.
                payload = _take(subscription)

        # Raw bytes: what somebody else publishes is not parsed by the middleware, which reports no errors.
        subscription = self.create_subscription(SealedMessage, topic, open_and_deliver, OPENED, raw=True)

        def open_waiting() -> None:
            for _ in range(OPENED.depth):
                payload = _take(subscription)
                if payload is None:
                    return
                open_and_deliver(payload)

        return open_waiting

    def on_sealed_joined(self, topics: Sequence[tuple[str, type]], callback: Callable[..., None]) -> None:
        """Call `callback(κ, part, part, ...)` as `on_joined` does, with parts of sealed topics."""
        # For as long as a frame can live: on a slow machine the poses of a frame come seconds after its reference.
        add = self._join([topic for topic, _ in topics], callback, MAX_AGE_S)
        for topic, kind in topics:
            self.on_sealed(topic, kind, functools.partial(add, topic), timed=False)

    def _refuse(self, topic: str, reason: Refusal) -> None:
        self.counts[f"refused_{reason.value}"] += 1
        self._refused, self._refused_at = (topic, reason), time.monotonic()
        # Not by the throttle of the logger: it looks for its caller every time, which a flood would make expensive.
        if self._refused_at - self._logged_at > LOG_PERIOD_S:
            self._logged_at = self._refused_at
            self.get_logger().warning(self.warning())


def _take(subscription: Subscription) -> bytes | None:
    """Return the next message that waits, serialised, or None."""
    with subscription.handle:
        taken = subscription.handle.take_message(SealedMessage, True)
    return None if taken is None else bytes(taken[0])


def _sealed_of(payload: bytes) -> bytes:
    """Return the data of a serialised SealedMessage: a header of 4 bytes, the length, the bytes.

    Read by hand, because the middleware's reader writes a line of its own to stderr for every broken message. What it
    gives for a broken one opens nowhere.
    """
    length = int.from_bytes(payload[4:8], sys.byteorder)
    return payload[8 : 8 + length]
