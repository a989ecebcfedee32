"""bridge_node of the cloud: receives Ω over Zenoh and publishes it in ROS, each with its environment."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import zenoh
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import LiveSeal
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.node import Node

from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.session import CloudLink
from privcam_cloud.nodes.recording_topics import LATCHED, RECORDING
from privcam_core.types.omega import Omega
from privcam_link.connections import ConnectionChanges
from privcam_link.denials.denial_log import DenialLog
from privcam_link.endpoints import DEFAULT_ENDPOINT
from privcam_link.receiving.live_filter import digest_of
from privcam_link.receiving.quotas import MIB, MPX, Limits
from privcam_link.session_settings import certificate_warning, cloud_end, days_left
from privcam_link.validation import Reason
from privcam_ros.conversions import key_to_msg, stamp_from_msg, stamp_to_msg
from privcam_ros.live_topics import LIVE_OMEGA
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param
from privcam_ros.picture_repeater import PictureRepeater
from privcam_ros.sealed_node import SealedNode, SealedPublisher

# A picture is published when it changed, and again this often, in s, for cloud nodes that were restarted.
REPEAT_S = 4.0
# A camera's clock that differs more than this from the cloud's, in s, is reported: times in reports are the camera's.
MAX_CLOCK_OFFSET_S = 60.0


@dataclass(frozen=True)
class Parameters:
    """Parameters of the cloud bridge."""

    camera_id: str = param("camera", "the camera whose Ω goes to this namespace; several separated by blanks")
    listen: str = param(DEFAULT_ENDPOINT, "Zenoh endpoint that edges connect to: tcp on the loopback, or tls")
    credentials: str = param("", "folder of this cloud's certificate, made by `privcam keys`; empty: loopback only")
    consumer: str = param("cloud", "name under which edges keep Ω that this cloud does not have yet")
    recording: bool = param(False, "a recorder keeps every Ω: fetch missed ones, edges keep them until then")
    max_rate_hz: float = param(
        100.0, "puts per second of one camera: Ω, some again with a picture", low=1.0, high=500.0
    )
    max_mib_per_s: float = param(4.0, "MiB per second of one camera; more: no pictures", low=0.1, high=1024.0)
    max_mib_per_hour: float = param(1024.0, "MiB per hour of one camera; more: no pictures", low=1.0, high=1e6)
    max_megapixels: float = param(4.0, "pixels of a picture, in millions; a larger one is refused", low=0.01, high=33.2)
    kept_pictures: int = param(64, "pictures of one camera in memory", low=2, high=1024)
    processor: float = param(0.15, "fraction of one core that the Ω of one camera may use here", low=0.01, high=1.0)
    picture_processor: float = param(0.1, "fraction of one core that its pictures may use here", low=0.01, high=1.0)


def limits_of(parameters: Parameters) -> Limits:
    """Return the quotas of each camera."""
    return Limits(
        max_rate_hz=parameters.max_rate_hz,
        bytes_per_s=parameters.max_mib_per_s * MIB,
        bytes_per_hour=parameters.max_mib_per_hour * MIB,
        processor=parameters.processor,
        picture_processor=parameters.picture_processor,
        max_pixels=int(parameters.max_megapixels * MPX),
        kept_pictures=parameters.kept_pictures,
    )


def namespace_of(node: Node, camera_id: str, cameras: Sequence[str]) -> str:
    """Return the topic prefix of one camera's cloud side, empty where it is the namespace of the process."""
    return f"/{camera_id}/cloud/" if len(cameras) > 1 or node.get_namespace() == "/" else ""


class BridgeNode(SealedNode[Parameters]):
    """Publishes the live Ω of its cameras on `omega`, and every Ω, in order, on `recording/omega`.

    On `live/omega` it seals the digest of each live Ω: the other nodes take everything else on `omega` for a replay.
    """

    def __init__(self) -> None:
        super().__init__("cloud_bridge", Parameters)
        parameters = self.parameters
        names = parameters.camera_id.split()
        settings, self._credentials = cloud_end(parameters.listen, parameters.credentials)
        denials = None if self._credentials is None else DenialLog(zenoh.init_log_from_env_or)
        self._live: dict[str, PictureRepeater] = {}
        self._live_seals: dict[str, SealedPublisher] = {}
        self._recording: dict[str, PictureRepeater] = {}
        self._from: dict[str, Any] = {}
        self._published: Counter[str] = Counter()  # Ω of the recording
        self._handed: Counter[str] = Counter()  # live Ω, each camera's counted by its own thread
        self._refused_by_quota: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._camera_warnings = ""
        for name in names:
            prefix = namespace_of(self, name, names)
            self._live[name] = PictureRepeater(self.create_publisher(OmegaMsg, f"{prefix}omega", STREAM), REPEAT_S)
            self._live_seals[name] = self.create_sealed_publisher(LiveSeal, f"{prefix}{LIVE_OMEGA}")
            if parameters.recording:
                publisher = self.create_publisher(OmegaMsg, f"{prefix}recording/omega", RECORDING)
                self._recording[name] = PictureRepeater(publisher, inf)
                self._from[name] = self.create_publisher(SyncKeyMsg, f"{prefix}recording/from", LATCHED)
                self.create_subscription(SyncKeyMsg, f"{prefix}recording/start", self._start_recording, LATCHED)
                self.create_subscription(SyncKeyMsg, f"{prefix}recording/kept", self._mark_safe, STREAM)
        self._cameras = Cameras(
            names, parameters.consumer, recording=parameters.recording, sink=self, limits=limits_of(parameters)
        )
        self._changes = ConnectionChanges()
        # The session comes last: one that is not closed keeps the process from ending.
        self._link = CloudLink(settings, self._cameras)
        if denials is not None:
            denials.watch(parameters.listen)
        self._cameras.connect(self._link)
        self._cameras.start()

    def publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        """Publish the next Ω of the live stream."""
        try:
            for omega in omegas:
                digest = np.frombuffer(digest_of(omega), np.uint8)
                self._live_seals[camera_id].publish(LiveSeal(key=key_to_msg(omega.key), omega=digest))
                self._live[camera_id].publish(omega)
                self._handed[camera_id] += 1
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
        for made, text in self._changes.update(link.connections):
            self.get_logger().info(f"connected: {text}" if made else f"connection gone: {text}")
        self.diagnostics.update(
            received=link.received,
            received_bytes=link.received_bytes,
            rejected=sum(link.rejected.values()),
            other_camera=self._cameras.others,
            edges=link.edges,
        )
        self.counts["frames"] = sum(self._handed.values())
        warnings: list[str] = []
        for camera_id in self._live:
            prefix = f"{camera_id}/" if len(self._live) > 1 else ""
            rejected = link.rejected_of(camera_id)
            counts = self._cameras.diagnostics(camera_id)
            counts = counts | {f"rejected_{reason.value}": count for reason, count in rejected.items()}
            self.diagnostics.update({f"{prefix}{name}": value for name, value in counts.items()})
            warnings += self._warnings_of(camera_id, counts, rejected[Reason.RATE])
            self._tell_epoch(camera_id, counts)
        self._camera_warnings = "; ".join(warnings)
        if self._credentials is not None:
            self.diagnostics["certificate_days"] = f"{days_left(self._credentials):.1f}"

    def _warnings_of(self, camera_id: str, counts: Mapping[str, int], refused: int) -> Iterator[str]:
        """Yield what is wrong with a camera. refused: number of samples that its quotas ever refused."""
        before = self._refused_by_quota.get(camera_id, 0)
        if refused > before:
            yield f"{camera_id} exceeds its quotas: {refused - before} samples refused"
        self._refused_by_quota[camera_id] = refused
        behind_s = counts.get("clock_behind_ms", 0) / 1e3
        if abs(behind_s) > MAX_CLOCK_OFFSET_S:
            yield f"the clock of {camera_id} is {abs(behind_s):.0f} s {'behind' if behind_s > 0 else 'ahead'}; set it"

    def _tell_epoch(self, camera_id: str, counts: Mapping[str, int]) -> None:
        """Log once that a camera began a new epoch."""
        epoch = counts["clock_epochs"] + 1
        if epoch > self._epochs.setdefault(camera_id, 1):
            behind_s = counts.get("clock_behind_ms", 0) / 1e3
            self.get_logger().warning(
                f"{camera_id}: its clock was set, or jumped: epoch {epoch} begins, {behind_s:+.0f} s behind this host"
            )
        self._epochs[camera_id] = epoch

    def status(self) -> tuple[bytes, str]:
        """Return a warning if a camera exceeds its quotas, its clock is wrong, or the certificate ends soon."""
        level, text = super().status()
        warning = self._camera_warnings or certificate_warning(self._credentials)
        return (DiagnosticStatus.WARN, warning) if level == DiagnosticStatus.OK and warning else (level, text)

    def stop(self) -> None:
        """Close the link."""
        self._link.close()
        self._cameras.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
