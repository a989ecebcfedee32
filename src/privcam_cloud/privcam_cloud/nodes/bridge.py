"""bridge_node of the cloud: receives Ω over Zenoh and publishes it in ROS, each with its environment."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import zenoh
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.node import Node

from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.edge_queries import FAST_POLL_S
from privcam_cloud.link.session import CloudLink
from privcam_cloud.nodes.recording_topics import LATCHED, RECORDING
from privcam_core.types.omega import Omega
from privcam_link.denials.denial_log import DenialLog
from privcam_link.endpoints import DEFAULT_ENDPOINT
from privcam_link.session_settings import certificate_warning, cloud_end, days_left
from privcam_ros.conversions import stamp_from_msg, stamp_to_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param
from privcam_ros.picture_repeater import PictureRepeater

# A picture is published when it changed, and again this often, in s, for cloud nodes that were restarted.
REPEAT_S = 4.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the cloud bridge."""

    camera_id: str = param("camera", "the camera whose Ω goes to this namespace; several separated by blanks")
    listen: str = param(DEFAULT_ENDPOINT, "Zenoh endpoint that edges connect to: tcp on the loopback, or tls")
    credentials: str = param("", "folder of this cloud's certificate, made by `privcam keys`; empty: loopback only")
    consumer: str = param("cloud", "name under which edges keep Ω that this cloud does not have yet")
    recording: bool = param(False, "a recorder keeps every Ω: fetch missed ones, edges keep them until then")


def namespace_of(node: Node, camera_id: str, cameras: Sequence[str]) -> str:
    """Return the topic prefix of one camera's cloud side, empty where it is the namespace of the process."""
    return f"/{camera_id}/cloud/" if len(cameras) > 1 or node.get_namespace() == "/" else ""


class BridgeNode(PrivcamNode[Parameters]):
    """Publishes the live Ω of its cameras on `omega`, and every Ω, in order, on `recording/omega`."""

    def __init__(self) -> None:
        super().__init__("cloud_bridge", Parameters)
        parameters = self.parameters
        names = parameters.camera_id.split()
        settings, self._credentials = cloud_end(parameters.listen, parameters.credentials)
        denials = None if self._credentials is None else DenialLog(zenoh.init_log_from_env_or)
        self._live: dict[str, PictureRepeater] = {}
        self._recording: dict[str, PictureRepeater] = {}
        self._from: dict[str, Any] = {}
        self._published: Counter[str] = Counter()  # Ω of the recording
        for name in names:
            prefix = namespace_of(self, name, names)
            self._live[name] = PictureRepeater(self.create_publisher(OmegaMsg, f"{prefix}omega", STREAM), REPEAT_S)
            if parameters.recording:
                publisher = self.create_publisher(OmegaMsg, f"{prefix}recording/omega", RECORDING)
                self._recording[name] = PictureRepeater(publisher, inf)
                self._from[name] = self.create_publisher(SyncKeyMsg, f"{prefix}recording/from", LATCHED)
                self.create_subscription(SyncKeyMsg, f"{prefix}recording/start", self._start_recording, LATCHED)
                self.create_subscription(SyncKeyMsg, f"{prefix}recording/kept", self._mark_safe, STREAM)
        self._cameras = Cameras(names, parameters.consumer, recording=parameters.recording, sink=self)
        self.create_timer(FAST_POLL_S, self._cameras.tick)
        # The session comes last: one that is not closed keeps the process from ending.
        self._link = CloudLink(settings, self._cameras)
        if denials is not None:
            denials.watch(parameters.listen)
        self._cameras.connect(self._link)

    def publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        """Publish the next Ω of the live stream."""
        try:
            for omega in omegas:
                self._timed(self._live[camera_id].publish, omega)
        except Exception as error:
            self.fail(f"Ω of {camera_id} dropped: {type(error).__name__}: {error}")

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        """Publish the next Ω of the recording."""
        try:
            for omega in omegas:
                self._recording[camera_id].publish(omega)
                self._published[camera_id] += 1
        except Exception as error:
            self.fail(f"Ω of {camera_id} not recorded: {type(error).__name__}: {error}")

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        """Tell the recorder the number of the publication with which the recording continues."""
        self._recording[camera_id].reset()
        number = self._published[camera_id] + 1
        self._from[camera_id].publish(SyncKeyMsg(camera_id=camera_id, frame_id=number, stamp=stamp_to_msg(stamp_ns)))

    def _start_recording(self, key: SyncKeyMsg) -> None:
        self._cameras.start_recording(key.camera_id, stamp_from_msg(key.stamp))

    def _mark_safe(self, key: SyncKeyMsg) -> None:
        self._cameras.mark_safe(key.camera_id, stamp_from_msg(key.stamp))

    def collect_diagnostics(self) -> None:
        """Count the received, rejected and lost Ω of each camera."""
        link = self._link
        self.diagnostics.update(
            received=link.received,
            received_bytes=link.received_bytes,
            rejected=sum(link.rejected.values()),
            other_camera=self._cameras.others,
            edges=link.edges,
        )
        self.diagnostics.update({f"rejected_{reason.value}": count for reason, count in link.rejected.items()})
        for camera_id in self._live:
            prefix = f"{camera_id}/" if len(self._live) > 1 else ""
            counts = self._cameras.diagnostics(camera_id)
            self.diagnostics.update({f"{prefix}{name}": value for name, value in counts.items()})
        if self._credentials is not None:
            self.diagnostics["certificate_days"] = f"{days_left(self._credentials):.1f}"

    def status(self) -> tuple[bytes, str]:
        """Return a warning if the certificate ends soon."""
        level, text = super().status()
        warning = certificate_warning(self._credentials)
        return (DiagnosticStatus.WARN, warning) if level == DiagnosticStatus.OK and warning else (level, text)

    def stop(self) -> None:
        """Close the link."""
        self._link.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
