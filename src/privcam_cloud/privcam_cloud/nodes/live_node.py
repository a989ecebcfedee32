"""Base of the cloud nodes that take live Ω, and replays where nothing is live."""

import time
from collections.abc import Callable
from typing import TypeVar

from privcam_msgs.msg import LiveSeal
from privcam_msgs.msg import Omega as OmegaMsg

from privcam_core.types.omega import Omega, SyncKey
from privcam_link.receiving.live_filter import LiveFilter
from privcam_ros.conversions import omega_from_msg
from privcam_ros.live_topics import LIVE_OMEGA
from privcam_ros.node import STREAM
from privcam_ros.sealed_node import SealedNode

P = TypeVar("P")

# How often Ω whose seal does not come are looked for, in s.
EXPIRY_PERIOD_S = 0.1


class LiveNode(SealedNode[P]):
    """A node that is told of each Ω whether it is a replay, and gets no replays while live Ω come."""

    def __init__(self, name: str, kind: type[P], namespace: str | None, callback: Callable[[Omega], None]) -> None:
        """Call `callback` with each Ω of the topic `omega`; its privacy report says rightly whether it is a replay."""
        super().__init__(name, kind, namespace)
        self._live_callback = callback
        self._filter = LiveFilter(self._hand_on, self._has_bridge, time.monotonic)

    def start_live(self) -> None:
        """Subscribe. Called last by the constructor of the node, when its callback can work."""
        self._open_seals = self.on_sealed(LIVE_OMEGA, LiveSeal, self._take_seal, timed=False)
        self.on("omega", OmegaMsg, self._take_omega, STREAM, timed=False)
        self.create_timer(EXPIRY_PERIOD_S, self._expire)

    @property
    def is_live(self) -> bool:
        """Whether live Ω come now."""
        return self._filter.is_live

    def _has_bridge(self) -> bool:
        return self.count_publishers(self.resolve_topic_name(LIVE_OMEGA)) > 0

    def _take_seal(self, _key: SyncKey, message: LiveSeal) -> None:
        self._filter.add_seal(bytes(message.omega))

    def _take_omega(self, _key: SyncKey, message: OmegaMsg) -> None:
        self._open_seals()
        self._filter.add_omega(omega_from_msg(message))

    def _expire(self) -> None:
        self._open_seals()
        self._filter.expire()

    def _hand_on(self, omega: Omega) -> None:
        self.counts["replayed"] += omega.privacy.replay
        self.diagnostics["detector_hz"] = f"{omega.privacy.detector_hz:g}"
        self.diagnostics["pose_hz"] = f"{omega.privacy.pose_hz:g}"
        try:
            self._timed(self._live_callback, omega)
        except Exception as error:
            # Also on the timer, which has nobody else to report it.
            self.fail(f"omega: frame {omega.key.frame_id} dropped: {type(error).__name__}: {error}")

    def collect_diagnostics(self) -> None:
        """Count the replays that were dropped because live Ω came."""
        super().collect_diagnostics()
        self.diagnostics["live"] = int(self.is_live)
        self.diagnostics["dropped_replays"] = self._filter.dropped
