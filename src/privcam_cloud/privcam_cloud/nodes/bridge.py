"""bridge_node of the cloud: Ω from Zenoh back to ROS, each bound to its environment."""

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from privcam_msgs.msg import Omega as OmegaMsg

from privcam_cloud.link.environments import EnvironmentStore
from privcam_cloud.link.session import CloudLink
from privcam_core.omega import Omega
from privcam_core.wire import DEFAULT_ENDPOINT
from privcam_ros.convert import to_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param

# How often waiting Ω are looked at.
TICK_S = 0.2
# The picture goes to the other cloud nodes when it changed, and this often for those that were restarted.
REPEAT_S = 4.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the cloud bridge."""

    camera_id: str = param("camera", "the camera whose Ω goes to this namespace")
    listen: str = param(DEFAULT_ENDPOINT, "Zenoh endpoint that edges connect to; loopback only")


class BridgeNode(PrivcamNode[Parameters]):
    """Receives the Ω of one camera. An Ω whose environment is not known waits until it is."""

    def __init__(self) -> None:
        super().__init__("cloud_bridge", Parameters)
        self._lock = threading.Lock()  # Ω come on Zenoh's thread, ticks on ROS's
        self._digest = b""
        self._repeated_s = 0.0
        self._out = self.create_publisher(OmegaMsg, "omega", STREAM)
        self._link = CloudLink(self.parameters.listen, on_omega=self._take)
        self._store = EnvironmentStore(self._link.request)
        self.create_timer(TICK_S, self._tick)

    def _take(self, omega: Omega) -> None:
        if omega.key.camera_id != self.parameters.camera_id:
            self.counts["other_camera"] += 1
            return
        try:
            with self._lock:
                self._timed(lambda: self._publish(self._store.offer(omega)))
        except Exception as error:
            self.fail(f"Ω {omega.key.frame_id} dropped: {type(error).__name__}: {error}")

    def _tick(self) -> None:
        with self._lock:
            self._publish(self._store.tick())

    def _publish(self, ready: Sequence[Omega]) -> None:
        for omega in ready:
            now = time.monotonic()
            if omega.environment.digest == self._digest and now - self._repeated_s < REPEAT_S:
                omega = replace(omega, environment=omega.environment.without_png())  # noqa: PLW2901
            else:
                self._digest, self._repeated_s = omega.environment.digest, now
            self._out.publish(to_msg(omega))

    def status(self) -> tuple[bytes, str]:
        """Tell what came and what was lost."""
        link, store = self._link, self._store
        self.facts.update(
            received=link.received,
            received_bytes=link.received_bytes,
            missed=link.missed,
            rejected=sum(link.rejected.values()),
            waiting_for_picture=store.waiting,
            edges=link.edges,
        )
        self.facts.update({f"rejected_{reason.value}": count for reason, count in link.rejected.items()})
        self.facts.update({f"lost_{reason.value}": count for reason, count in store.lost.items()})
        return super().status()

    def stop(self) -> None:
        """Leave the network."""
        self._link.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
