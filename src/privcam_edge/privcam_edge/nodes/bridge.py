"""bridge_node of the edge: sends Ω through the gate and over Zenoh. It has no path to a frame."""

import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zenoh
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import EmbeddingSeal, Omega, Seal
from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

from privcam_core.storage import state_folder
from privcam_core.types.omega import SyncKey
from privcam_core.types.seals import Seals
from privcam_edge.embedding.bottleneck_weights import blank_embedding
from privcam_edge.link.budgets import Budgets
from privcam_edge.link.gate import Gate
from privcam_edge.link.omega_queue import OmegaQueue, queue_folder
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.seal_join import Offer, SealJoin
from privcam_edge.link.sealing import SealKeys, SealVerifier
from privcam_edge.link.session import EdgeLink
from privcam_link.connections import EdgeConnections
from privcam_link.denials.denial_log import DenialLog
from privcam_link.endpoints import DEFAULT_ENDPOINT
from privcam_link.session_settings import camera_end, certificate_warning, days_left
from privcam_link.validation import Rejected
from privcam_ros.node import FINISHED, STREAM, run
from privcam_ros.parameters import param
from privcam_ros.picture_repeater import PictureRepeater
from privcam_ros.seal_conversions import embedding_seal_from_msg, seal_from_msg
from privcam_ros.sealed_node import SealedNode

# How often `omega_out` repeats the picture: other bridges cannot query it.
REPEAT_S = 10.0
MIB = 1024 * 1024
# QoS of seals: as many as of finished Ω, and more than somebody else puts between them in one go.
SEALS = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=1024,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.VOLATILE,
)


@dataclass(frozen=True)
class Parameters:
    """Parameters of the edge bridge."""

    camera_id: str = param("camera", "the only camera whose Ω passes")
    endpoint: str = param(
        DEFAULT_ENDPOINT,
        "where the cloud listens: tcp on the loopback, or tls; several separated by spaces",
    )
    credentials: str = param(
        "",
        "folder of this camera's certificate, made by `privcam keys`; of several cameras: of their folders; empty: "
        "loopback only",
    )
    refresh_s: float = param(
        0.0,
        "send the whole environment again after this many seconds, without a query; 0: never",
        low=0.0,
        high=86400.0,
    )
    max_rate_hz: float = param(60.0, "most Ω per second that the gate lets through", low=0.1, high=240.0)
    sigma: float = param(0.25, "noise of the channel on z: that of the embedder", low=0.25, high=4.0)
    pictures_per_minute: float = param(90.0, "most changes of the environment picture per minute", low=1.0, high=600.0)
    areas_per_minute: float = param(
        4.0, "most changed area of the environment per minute, in picture areas", low=1.0, high=600.0
    )
    picture_mib_per_hour: float = param(
        72.0, "most MiB of new environment pictures per hour, as patches", low=16.0, high=65536.0
    )
    queue_mib: int = param(256, "most MiB of Ω on disk while the cloud is unreachable", low=1, high=65536)
    queue_hours: float = param(24.0, "longest time of an Ω on disk, hours", low=0.01, high=720.0)


class BridgeNode(SealedNode[Parameters]):
    """Sends Ω that pass the gate, and nothing else."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("bridge", Parameters, namespace)
        given = self.parameters
        # In a process with several cameras, a namespace is that of one.
        camera_id = namespace or given.camera_id
        folder = given.credentials
        if namespace and folder:
            folder = str(Path(folder) / camera_id)
        settings, self._credentials = camera_end(camera_id, given.endpoint, folder)
        log = DenialLog(zenoh.init_log_from_env_or) if self._credentials is not None else None
        self._connections = EdgeConnections(given.endpoint.split(), log)
        self._queue = OmegaQueue(
            queue_folder(state_folder(), camera_id),
            max_bytes=given.queue_mib * MIB,
            max_age_s=given.queue_hours * 3600.0,
        )
        keys = SealKeys.derived(self.start_key.derive)
        self._seals = SealJoin(SealVerifier(keys))
        self._gate = Gate(
            camera_id,
            keys,
            blank_embedding(given.sigma),
            max_rate_hz=given.max_rate_hz,
            budgets=Budgets(given.pictures_per_minute, given.areas_per_minute, given.picture_mib_per_hour),
            last=self._queue.last_key(),
        )
        # The Ω that passed, for users with another bridge: that bridge must never get any other Ω.
        self._repeater = PictureRepeater(self.create_publisher(Omega, "omega_out", STREAM), REPEAT_S)
        # Before Ω: of several messages that are there, the executor takes the first subscription's first.
        self.on("seals", Seal, self._take_seal, SEALS, timed=False)
        self.on("embedding_seals", EmbeddingSeal, self._take_embedding_seal, SEALS, timed=False)
        # Raw bytes: the gate checks them before any other code relies on their structure.
        self.create_subscription(Omega, "omega", self._take_omega, FINISHED, raw=True)
        # Opened last: a session that is not closed prevents the process from ending.
        self._link = EdgeLink(camera_id, settings, self._queue, PictureSchedule(refresh_s=given.refresh_s))

    def _take_seal(self, _key: SyncKey, message: Seal) -> None:
        self._check_and_send(self._seals.add_seal(seal_from_msg(message)))

    def _take_embedding_seal(self, _key: SyncKey, message: EmbeddingSeal) -> None:
        self._check_and_send(self._seals.add_seal(embedding_seal_from_msg(message)))

    def _take_omega(self, payload: bytes) -> None:
        self._check_and_send(self._seals.add_omega(payload))

    def _check_and_send(self, offers: Sequence[Offer]) -> None:
        for payload, seals in offers:
            self._check_and_send_one(payload, seals)

    def _check_and_send_one(self, payload: bytes, seals: Seals | None) -> None:
        try:
            runs = self._gate.runs
            omega = self._gate.check(payload, seals)
            if self._gate.runs != runs:
                self.get_logger().info(f"time or number of the camera begins anew at {omega.key}: run {runs + 2}")
            self._timed(self._link.send, omega)
            if self._repeater.has_subscribers:
                self._repeater.publish(omega)
        except Rejected as rejection:
            self.fail(f"Ω stopped at the gate: {rejection}")
        except sqlite3.Error as error:
            self.counts["unkept"] += 1
            self.fail(f"Ω lost: the queue on disk cannot be written: {error}; free disk space in {state_folder()}")
        except Exception as error:
            self.fail(f"Ω stopped: {type(error).__name__}: {error}")

    def collect_diagnostics(self) -> None:
        """Count the sent, waiting, lost and rejected Ω."""
        self._check_and_send(self._seals.expire())
        for is_good, text in self._connections.update(self._link.connections):
            if is_good:
                self.get_logger().info(text)
            else:
                self.get_logger().warning(text)
        link, gate, queue = self._link, self._gate, self._queue
        self.diagnostics.update(
            passed=gate.passed,
            held=gate.held,
            clock_runs=gate.runs,
            clock_epoch=queue.epoch,
            forged_seals=self._seals.forged,
            rejected=sum(gate.rejected.values()),
            sent=link.sent,
            bytes_sent=link.sent_bytes,
            replied=link.replied,
            connected=int(link.connected),
            not_connected=self._connections.describe(),
            queued=queue.waiting,
            queue_bytes=queue.kept_bytes,
            lost=queue.lost,
        )
        if self._credentials is not None:
            self.diagnostics["certificate_days"] = f"{days_left(self._credentials):.1f}"
        self.diagnostics.update({f"rejected_{reason.value}": count for reason, count in gate.rejected.items()})
        self.diagnostics.update({f"refused_{reason.value}": count for reason, count in link.refused.items()})

    def status(self) -> tuple[bytes, str]:
        """Return whether a cloud is connected, and a warning if the certificate ends soon."""
        level, text = super().status()
        if level == DiagnosticStatus.OK and not self._link.connected:
            where = self._connections.describe() or self.parameters.endpoint
            return DiagnosticStatus.WARN, f"no cloud at {where}: trying again and again"
        warning = certificate_warning(self._credentials)
        return (DiagnosticStatus.WARN, warning) if level == DiagnosticStatus.OK and warning else (level, text)

    def stop(self) -> None:
        """Leave the network."""
        self._link.close()
        self._queue.close()


def main() -> None:
    """Run the node."""
    sys.exit(run(BridgeNode))
