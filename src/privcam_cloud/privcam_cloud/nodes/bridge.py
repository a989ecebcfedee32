"""bridge_node of the cloud: Ω from Zenoh back to ROS, each bound to its environment."""

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

from privcam_cloud.link.cameras import HURRY_S, Cameras
from privcam_cloud.link.session import CloudLink
from privcam_cloud.nodes.recording_topics import KEPT, RECORD
from privcam_core.types.omega import Omega
from privcam_link.denials.denial_log import DenialLog
from privcam_link.endpoints import DEFAULT_ENDPOINT
from privcam_link.session_settings import certificate_warning, cloud_end, days_left
from privcam_ros.conversions import stamp_from_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param
from privcam_ros.picture_repeater import PictureRepeater

# The picture goes to the other cloud nodes when it changed, and this often for those that were restarted.
REPEAT_S = 4.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the cloud bridge."""

    camera_id: str = param("camera", "the camera whose Ω goes to this namespace; several separated by blanks")
    listen: str = param(DEFAULT_ENDPOINT, "Zenoh endpoint that edges connect to: tcp on the loopback, or tls")
    credentials: str = param("", "folder of this cloud's certificate, made by `privcam keys`; empty: loopback only")
    consumer: str = param("cloud", "under this name edges keep what this cloud does not have yet")
    recorded: bool = param(False, "a recorder keeps the complete stream: fetch what was missed, edges wait for it")


def own_space(node: Node, camera_id: str, cameras: Sequence[str]) -> str:
    """Return the namespace of one camera's cloud side, empty where the process was given it."""
    return f"/{camera_id}/cloud/" if len(cameras) > 1 or node.get_namespace() == "/" else ""


class BridgeNode(PrivcamNode[Parameters]):
    """Receives the Ω of its cameras: the live ones on `omega`, and every one, in order, on `record/omega`."""

    def __init__(self) -> None:
        super().__init__("cloud_bridge", Parameters)
        given = self.parameters
        names = given.camera_id.split()
        settings, self._credentials = cloud_end(given.listen, given.credentials)
        refusals = None if self._credentials is None else DenialLog(zenoh.init_log_from_env_or)
        self._live: dict[str, PictureRepeater] = {}
        self._record: dict[str, PictureRepeater] = {}
        self._from: dict[str, Any] = {}
        self._published: Counter[str] = Counter()  # of the complete stream
        for name in names:
            space = own_space(self, name, names)
            self._live[name] = PictureRepeater(self.create_publisher(OmegaMsg, f"{space}omega", STREAM), REPEAT_S)
            if given.recorded:
                record = self.create_publisher(OmegaMsg, f"{space}record/omega", RECORD)
                self._record[name] = PictureRepeater(record, inf)
                self._from[name] = self.create_publisher(SyncKeyMsg, f"{space}record/from", KEPT)
                self.create_subscription(SyncKeyMsg, f"{space}record/start", self._start, KEPT)
                self.create_subscription(SyncKeyMsg, f"{space}record/kept", self._keep, STREAM)
        self._cameras = Cameras(
            names, given.consumer, recorded=given.recorded, on_live=self._publish_live, on_complete=self._publish_record
        )
        self.create_timer(HURRY_S, self._cameras.tick)
        # The last: a session that nobody closes keeps the process from ending.
        self._link = CloudLink(settings, self._cameras)
        if refusals is not None:
            refusals.watch(given.listen)
        self._cameras.connect(self._link)

    def _publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        try:
            for omega in omegas:
                self._timed(self._live[camera_id], omega)
        except Exception as error:
            self.fail(f"Ω of {camera_id} dropped: {type(error).__name__}: {error}")

    def _publish_record(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        try:
            for omega in omegas:
                self._record[camera_id](omega)
                self._published[camera_id] += 1
        except Exception as error:
            self.fail(f"Ω of {camera_id} not recorded: {type(error).__name__}: {error}")

    def _start(self, key: SyncKeyMsg) -> None:
        camera_id = key.camera_id

        def begin() -> None:
            self._record[camera_id].forget()
            number = self._published[camera_id] + 1
            self._from[camera_id].publish(SyncKeyMsg(camera_id=camera_id, frame_id=number, stamp=key.stamp))

        self._cameras.start_complete(camera_id, stamp_from_msg(key.stamp), begin)

    def _keep(self, key: SyncKeyMsg) -> None:
        self._cameras.kept(key.camera_id, stamp_from_msg(key.stamp))

    def status(self) -> tuple[bytes, str]:
        """Tell what came and what was lost."""
        link = self._link
        self.facts.update(
            received=link.received,
            received_bytes=link.received_bytes,
            rejected=sum(link.rejected.values()),
            other_camera=self._cameras.others,
            edges=link.edges,
        )
        self.facts.update({f"rejected_{reason.value}": count for reason, count in link.rejected.items()})
        for camera_id in self._live:
            prefix = f"{camera_id}/" if len(self._live) > 1 else ""
            self.facts.update({f"{prefix}{name}": value for name, value in self._cameras.facts(camera_id).items()})
        if self._credentials is not None:
            self.facts["certificate_days"] = f"{days_left(self._credentials):.1f}"
        level, text = super().status()
        warning = certificate_warning(self._credentials)
        return (DiagnosticStatus.WARN, warning) if level == DiagnosticStatus.OK and warning else (level, text)

    def stop(self) -> None:
        """Leave the network."""
        self._link.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
