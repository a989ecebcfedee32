"""Publishes Ω and reports of drawn rooms as the cloud's bridge and inference do, sealed, and so live."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from privcam_msgs.msg import Event, LiveSeal, SceneReport, SealedMessage
from privcam_msgs.msg import Omega as OmegaMsg
from rclpy.serialization import serialize_message

from harness.graph_probe import DOMAIN, KEY_FILE
from harness.rooms.drawn_room import omega_of, room_png
from privcam_bringup.graph_listener import Listener
from privcam_core.types.sight import Sight
from privcam_link.receiving.live_filter import digest_of
from privcam_ros.conversions import key_to_msg, omega_to_msg, stamp_to_msg
from privcam_ros.live_topics import LIVE_OMEGA, LIVE_REPORT
from privcam_ros.message_sealing import Sealer
from privcam_ros.node import STREAM
from privcam_ros.picture_repeater import PictureRepeater

RATE_HZ = 10.0
REPEAT_S = 1.0


class DrawnRoom:
    """One room: what `RoomPublisher` publishes of it next. Every field may be changed at any time."""

    def __init__(self, shade: int, subjects: int = 2) -> None:
        self.png = room_png(shade)
        self.since_ns = time.time_ns()  # start of its events
        self.subjects = subjects
        self.sight = Sight.CLEAR
        self.unseen = 0  # who did not leave, and whom nothing finds
        self.silent = False
        self.is_sealed = True  # a recording that somebody plays is not
        self.seconds: float | None = None  # of everybody's walk, who stands still then
        self.events: Sequence[tuple[str, int, str]] = ()  # label, subject or 0, evidence


class _Publishers:
    def __init__(self, node: Any, camera_id: str) -> None:
        prefix = f"/{camera_id}/cloud/"
        self.omega = PictureRepeater(node.create_publisher(OmegaMsg, f"{prefix}omega", STREAM), REPEAT_S)
        self._out: dict[str, tuple[Any, Sealer]] = {}
        for topic, kind in ((LIVE_OMEGA, LiveSeal), (LIVE_REPORT, SceneReport)):
            sealer = Sealer(KEY_FILE.key, f"{prefix}{topic}", kind.__name__)
            self._out[topic] = node.create_publisher(SealedMessage, f"{prefix}{topic}", STREAM), sealer

    def publish_sealed(self, topic: str, message: Any) -> None:
        publisher, sealer = self._out[topic]
        publisher.publish(SealedMessage(data=sealer.seal(serialize_message(message))))


class RoomPublisher(Listener):
    """Publishes ten Ω per second of each room, and a report of each Ω."""

    def __init__(self, rooms: Mapping[str, DrawnRoom], domain_id: int = DOMAIN) -> None:
        super().__init__("room_publisher", domain_id, enable_rosout=False, start_parameter_services=False)
        self.rooms = dict(rooms)
        self.numbers = dict.fromkeys(rooms, 0)
        self._publishers = {name: _Publishers(self.node, name) for name in rooms}
        self.node.create_timer(1.0 / RATE_HZ, self._publish)

    def _publish(self) -> None:
        for name, room in self.rooms.items():
            if room.silent:
                continue
            self.numbers[name] += 1
            omega = omega_of(
                name,
                self.numbers[name],
                time.time_ns(),
                room.png,
                subjects=room.subjects,
                sight=room.sight,
                unseen=room.unseen,
                seconds=room.seconds,
            )
            publishers = self._publishers[name]
            digest = np.frombuffer(digest_of(omega), np.uint8)
            if room.is_sealed:
                publishers.publish_sealed(LIVE_OMEGA, LiveSeal(key=key_to_msg(omega.key), omega=digest))
            publishers.omega.publish(omega)
            report = SceneReport(key=omega_to_msg(omega).key, model_id="drawn", events=_events(room))
            publishers.publish_sealed(LIVE_REPORT, report)


def _events(room: DrawnRoom) -> list[Event]:
    since = stamp_to_msg(room.since_ns)
    return [
        Event(
            label=label,
            confidence=0.93,
            subject_ids=[subject] if subject else [],
            event_id=place,
            start=since,
            end=since,
            evidence=evidence,
        )
        for place, (label, subject, evidence) in enumerate(room.events, 1)
    ]
