"""bridge_node of the edge: Ω through the gate and out over Zenoh. It has no path to a frame."""

import sys
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega

from privcam_core.checks import Rejected
from privcam_core.wire import DEFAULT_ENDPOINT
from privcam_edge.link.gate import Gate
from privcam_edge.link.pictures import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the edge bridge."""

    camera_id: str = param("camera", "the only camera whose Ω passes")
    endpoint: str = param(DEFAULT_ENDPOINT, "where the cloud listens; loopback only")
    refresh_s: float = param(60.0, "send the environment again after this long, changed or not", low=1.0, high=3600.0)
    max_rate_hz: float = param(60.0, "Ω per second at most", low=0.1, high=240.0)


class BridgeNode(PrivcamNode[Parameters]):
    """Lets Ω out, and nothing else."""

    def __init__(self) -> None:
        super().__init__("bridge", Parameters)
        given = self.parameters
        self._gate = Gate(given.camera_id, max_rate_hz=given.max_rate_hz)
        self._pictures = PictureSchedule(refresh_s=given.refresh_s)
        self._link = EdgeLink(given.camera_id, given.endpoint, on_query=self._pictures.answer)
        # Raw: the gate checks the very bytes, before anything has trusted their structure.
        self.create_subscription(Omega, "omega", self._pass, STREAM, raw=True)

    def _pass(self, payload: bytes) -> None:
        try:
            omega = self._pictures.next(self._gate.check(payload))
            self._timed(self._link.send, omega)
        except Rejected as rejection:
            self.fail(f"Ω stopped at the gate: {rejection}")
        except Exception as error:
            self.fail(f"Ω stopped: {type(error).__name__}: {error}")

    def status(self) -> tuple[bytes, str]:
        """Tell whether anybody is at the other end."""
        link, gate = self._link, self._gate
        self.facts.update(
            passed=gate.passed,
            rejected=sum(gate.rejected.values()),
            sent=link.sent,
            unsent=link.unsent,
            bytes_sent=link.sent_bytes,
            connected=int(link.connected),
        )
        self.facts.update({f"rejected_{reason.value}": count for reason, count in gate.rejected.items()})
        level, text = super().status()
        if level == DiagnosticStatus.OK and not link.connected:
            return DiagnosticStatus.WARN, f"no cloud at {self.parameters.endpoint}: trying again and again"
        return level, text

    def stop(self) -> None:
        """Leave the network."""
        self._link.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
