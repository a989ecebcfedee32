"""What the console hears of one camera: its Ω, of each whether it is live, and its reports."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from privcam_msgs.msg import LiveSeal, SceneReport
from privcam_msgs.msg import Omega as OmegaMsg

from privcam_console.live.channel import LiveFrame
from privcam_console.live.environments import MAX_PICTURES
from privcam_console.live.from_omega import NS_PER_MS, hello_of, pose_of
from privcam_console.live.messages import PARTS, Report, ReportedEvent
from privcam_core.events.scene_report import ALARMS, Phase
from privcam_core.types.omega import MAX_SUBJECTS, Omega, SyncKey
from privcam_link.receiving.live_filter import LiveFilter
from privcam_link.validation import open_environment
from privcam_ros.conversions import omega_from_msg, stamp_from_msg
from privcam_ros.live_topics import LIVE_OMEGA, LIVE_REPORT
from privcam_ros.node import STREAM
from privcam_ros.sealed_node import SealedNode

# Events of a report that are shown, and the length of their texts: more is no report of ours.
MAX_EVENTS = 64
MAX_TEXT = 400


class CameraFeed:
    """Subscribes to one camera. Both callbacks get core values, on the thread of the executor."""

    def __init__(
        self,
        node: SealedNode[Any],
        camera_id: str,
        on_frame: Callable[[LiveFrame, bytes], None],
        on_report: Callable[[str, Report], None],
    ) -> None:
        """Subscribe. on_frame: gets each Ω, and its picture where it is a new one."""
        self._node = node
        self._camera_id = camera_id
        self._on_frame = on_frame
        self._on_report = on_report
        self._filter = LiveFilter(self._hand_on, self._has_bridge, time.monotonic)
        # Digests of the pictures that were checked and handed on.
        self._known: deque[bytes] = deque(maxlen=MAX_PICTURES)
        self._is_replay = False
        self._prefix = f"/{camera_id}/cloud/"
        self._open_seals = node.on_sealed(f"{self._prefix}{LIVE_OMEGA}", LiveSeal, self._take_seal, timed=False)
        node.on(f"{self._prefix}omega", OmegaMsg, self._take_omega, STREAM)
        node.on_sealed(f"{self._prefix}{LIVE_REPORT}", SceneReport, self._take_report, timed=False)

    @property
    def dropped_replays(self) -> int:
        """Replays that were not shown, because live Ω came."""
        return self._filter.dropped

    def expire(self) -> None:
        """Give up waiting for seals that are overdue."""
        self._open_seals()
        self._filter.expire()

    def _has_bridge(self) -> bool:
        return self._node.count_publishers(f"{self._prefix}{LIVE_OMEGA}") > 0

    def _take_seal(self, _key: SyncKey, message: LiveSeal) -> None:
        self._filter.add_seal(bytes(message.omega))

    def _take_omega(self, key: SyncKey, message: OmegaMsg) -> None:
        if key.camera_id != self._camera_id:
            raise ValueError(f"Ω of {key.camera_id} came on a topic of {self._camera_id}")
        self._open_seals()
        self._filter.add_omega(omega_from_msg(message))

    def _hand_on(self, omega: Omega) -> None:
        self._is_replay = omega.privacy.replay
        environment = omega.environment
        png = b""
        if environment.png and environment.digest not in self._known:
            # A replay comes from anybody on this host; browsers get only what is a picture, and the one that it names.
            open_environment(environment)
            png = environment.png
            self._known.append(environment.digest)
        self._on_frame(LiveFrame(hello_of(omega), environment.digest, pose_of(omega)), png)

    def _take_report(self, key: SyncKey, message: SceneReport) -> None:
        # Events of a recording must not stand beside what is live.
        if key.camera_id == self._camera_id and message.replay == self._is_replay:
            self._on_report(self._camera_id, report_of(message))


def report_of(message: SceneReport) -> Report:
    """Return what the page needs of a report."""
    events = (
        ReportedEvent(
            event_id=event.event_id,
            label=event.label[:MAX_TEXT],
            phase=Phase(event.phase),
            alarm=event.label in ALARMS,
            confidence=round(event.confidence * PARTS),
            subject_ids=tuple(event.subject_ids[:MAX_SUBJECTS].tolist()),
            start_ms=stamp_from_msg(event.start) // NS_PER_MS,
            evidence=event.evidence[:MAX_TEXT],
        )
        for event in message.events[:MAX_EVENTS]
    )
    return Report(bool(message.replay), tuple(events))
