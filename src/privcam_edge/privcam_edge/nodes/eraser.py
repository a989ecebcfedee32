"""eraser_node: takes FrameRef, detections, tracks and raw poses; publishes environment, anonymous poses and report."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast, get_args

from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import (
    DetectionArray,
    Environment,
    PresenceRegionArray,
    PrivacyReport,
    RawPoseArray,
    Seal,
    SubjectPoseArray,
    TrackArray,
)

from privcam_anonymization.anonymizer import PoseMode, PoseSettings
from privcam_anonymization.ground_plane import GroundPlane
from privcam_core.detection.inspection import EgressInspector, SensitiveDetection
from privcam_core.storage import plates_folder, state_folder
from privcam_core.storage_key import StorageKey
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SyncKey
from privcam_core.types.sight import Sight, describe_sight, is_blind
from privcam_edge.link.sealing import FrameSealer, SealKeys
from privcam_edge.nodes.frame_node import FrameNode
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.eraser import Eraser, Mode
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.cell_evidence import Evidence
from privcam_privacy.evidence.zones import parse_zones
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.approved_states import load_states
from privcam_privacy.plates.plate_inspection import inspect_plate
from privcam_privacy.state.background_state import BackgroundStateStore
from privcam_ros.conversions import (
    detections_from_msg,
    environment_to_msg,
    poses_to_msg,
    privacy_to_msg,
    raw_poses_from_msg,
    tracks_from_msg,
)
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param
from privcam_ros.presence_conversions import presences_to_msg
from privcam_ros.seal_conversions import seal_to_msg


@dataclass(frozen=True)
class Parameters:
    """Parameters of the eraser node."""

    mode: str = param(
        "adaptive",
        "adaptive: the clean plate; locked: the plate that was approved with `privcam commission`; mask_only: frame "
        "minus mask, a baseline for comparison that leaks persons",
        choices=get_args(Mode),
    )
    evidence: str = param(
        "commissioned",
        "adaptive only, what may confirm background. commissioned: it agrees with a plate that was approved with "
        "`privcam commission`; stillness: nothing moved for stillness_s, where a breath would have been noticed; "
        "transit: seconds of undisturbed view, only for places where nobody stays",
        choices=get_args(Evidence),
    )
    mask_zones: str = param(
        "",
        "adaptive only: polygons that are never shown, such as a screen, a poster or a window. Corners x,y in "
        "fractions of the picture with spaces between, `;` between polygons: 0.1,0.2 0.3,0.2 0.3,0.6; 0.7,0 1,0 1,0.3",
    )
    door_zones: str = param(
        "",
        "adaptive only: polygons in which people go out of sight, such as an open door, in the same form. Somebody who "
        "was last seen upright in one of them has left",
    )
    stillness_s: float = param(1800.0, "seconds without motion, for evidence stillness", low=1.0, high=86400.0)
    i_accept_leaks: bool = param(False, "mask_only only: without it the node does not start in that mode")
    pose_privacy: str = param(
        "canonical",
        "canonical: a standard body in the same posture; raw: as estimated, subjects can be told apart",
        choices=get_args(PoseMode),
    )
    ground_horizon: float = param(
        GroundPlane().horizon,
        "canonical only: row of the horizon of the floor, in picture heights from the upper border",
        low=-5.0,
        high=0.9,
    )
    ground_stature: float = param(
        GroundPlane().stature,
        "canonical only: height of an adult who stands at the lower border, in picture heights; everybody is sent as "
        "tall as an adult at that place",
        low=0.02,
        high=10.0,
    )
    persist_state: bool = param(True, "adaptive only: keep the background and the presences over a restart")
    threads: int = param(1, "CPU threads of each model", low=1, high=64)


class EraserNode(FrameNode[Parameters]):
    """The last node that gets raw pixels and raw poses. Nothing of them is in the messages that it publishes."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("eraser", Parameters, namespace)
        given, camera_id = self.parameters, self.get_namespace().strip("/")
        if given.mode == "mask_only" and not given.i_accept_leaks:
            raise ValueError("mode: mask_only leaks persons; set i_accept_leaks to true to use it all the same")
        if given.mode != "adaptive" and (given.mask_zones or given.door_zones):
            raise ValueError(
                f"mask_zones, door_zones: mode {given.mode} has none; use adaptive, or leave the zone out of the plate "
                "when you approve it"
            )
        self._executor = ThreadPoolExecutor(1, "inspection")
        adaptive = given.mode == "adaptive"
        states: list[ApprovedState] = []
        plate: ApprovedPlate | None = None
        if adaptive and given.evidence == "commissioned":
            states = load_states(plates_folder(), camera_id, StorageKey.open(), self._find_sensitive)
        elif given.mode == "locked":
            plate = ApprovedPlate.load(plates_folder(), camera_id, StorageKey.open())
            inspect_plate(plate, self._find_sensitive)
        if adaptive and given.evidence == "commissioned" and not states:
            self.get_logger().warning(
                f"nothing of the room is shown: no plate of it was approved; empty the room and run "
                f"`./privcam commission --camera-id {camera_id} --source SOURCE` on this machine"
            )
        # Of its own: an inspection takes seconds, and where people are has to be on the disk before a crash.
        self._state_executor = ThreadPoolExecutor(1, "state")
        self._eraser = Eraser(
            cast(Mode, given.mode),
            EngineSettings(
                evidence=cast(Evidence, given.evidence),
                stillness_s=given.stillness_s,
                mask_zones=parse_zones(given.mask_zones, "mask_zones"),
                door_zones=parse_zones(given.door_zones, "door_zones"),
            ),
            approved=states,
            poses=PoseSettings(
                mode=cast(PoseMode, given.pose_privacy), ground=GroundPlane(given.ground_horizon, given.ground_stature)
            ),
            plate=plate,
            state=self._state_store(camera_id) if adaptive and given.persist_state else None,
            executor=self._executor,
            threads=given.threads,
        )
        # Detached: the parts stay readable, and the gate takes no others.
        self._sealer = FrameSealer(SealKeys.derived(self.start_key.derive))
        self._seals = self.create_publisher(Seal, "seals", STREAM)
        self._environments = self.create_publisher(Environment, "environment", STREAM)
        self._privacy_reports = self.create_publisher(PrivacyReport, "privacy", STREAM)
        self._poses = self.create_publisher(SubjectPoseArray, "poses", STREAM)
        # For the detector alone: where it has to look again. No bridge takes it.
        self._presences = self.create_sealed_publisher(PresenceRegionArray, "presences")
        self._sight = Sight.UNKNOWN
        parts = ("detections", DetectionArray), ("tracks", TrackArray), ("raw_poses", RawPoseArray)
        self.on_frame(self._erase, *parts)

    def _find_sensitive(self, picture: Image, confirmed: BoolArray) -> list[SensitiveDetection]:
        # Loaded for each plate: a camera without one does not wait for these models.
        return EgressInspector(threads=self.parameters.threads).inspect_pixels(picture, confirmed)

    def _state_store(self, camera_id: str) -> BackgroundStateStore:
        folder = state_folder() / "rooms" / camera_id
        return BackgroundStateStore(folder, camera_id, StorageKey.open(), self._state_executor)

    def _erase(
        self,
        key: SyncKey,
        image: Image,
        detections: DetectionArray,
        tracks: TrackArray,
        raw_poses: RawPoseArray,
    ) -> None:
        estimates, estimated = raw_poses_from_msg(raw_poses)
        environment, report, poses, inspected = self._eraser.erase(
            key,
            image,
            detections_from_msg(detections),
            tracks_from_msg(tracks),
            estimates,
            estimated=estimated,
            replay=self.is_replay,
        )
        self._presences.publish(presences_to_msg(self._eraser.presence_regions, key))
        self.diagnostics["confirmed_fraction"] = f"{environment.confirmed_fraction:.3f}"
        self.diagnostics["epoch"] = environment.epoch
        self._sight = report.sight
        self.diagnostics["sight"] = describe_sight(report.sight)
        self.diagnostics.update(self._eraser.diagnostics)
        if self._eraser.state_error:
            self.fail(self._eraser.state_error)
            self._eraser.state_error = ""
        # First, so that it is there when its parts come.
        self._seals.publish(seal_to_msg(self._sealer.seal(key, environment, poses, report, inspected)))
        self._privacy_reports.publish(privacy_to_msg(report, key))
        self._poses.publish(poses_to_msg(poses, key))
        self._environments.publish(environment_to_msg(environment))

    def status(self) -> tuple[bytes, str]:
        """Return a warning while the camera cannot see: nothing new of the room is confirmed then."""
        level, text = super().status()
        if level == DiagnosticStatus.OK and is_blind(self._sight):
            return DiagnosticStatus.WARN, f"cannot see: {describe_sight(self._sight)}"
        return level, text

    def stop(self) -> None:
        """End the inspection of pictures."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._state_executor.shutdown(wait=True)
        super().stop()


def main() -> None:
    """Run the node."""
    sys.exit(run(EraserNode))
