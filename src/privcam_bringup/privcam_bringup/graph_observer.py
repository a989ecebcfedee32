"""Collects what a running graph publishes: the observer of the demo, the survey and the benchmarks."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from privcam_msgs.msg import Event, Omega, Reconstruction, SceneReport, SubjectPose
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from privcam_bringup.graph_listener import Listener
from privcam_core.types.time import NS_PER_S

# A condition may depend on something that sends no message, such as the end of a process.
POLL_S = 0.5


@dataclass
class FrameSummary:
    """Summary of one Ω as it arrived in the cloud."""

    frame_id: int
    stamp_s: float
    arrived_s: float
    people: int
    confirmed_fraction: float
    withheld_fraction: float
    excluded_fraction: float
    picture: bool  # whether the PNG came with it
    readable: float  # how much a viewer can see: subjects by height, keypoint confidence and confirmed surroundings
    pixels: int = 0  # of the picture


@dataclass
class Observations:
    """Everything an observer collected."""

    frames: list[FrameSummary] = field(default_factory=list)
    events: dict[int, Event] = field(default_factory=dict)
    subjects: set[int] = field(default_factory=set)
    # node name -> (arrival, values) of every diagnostics report
    diagnostics: dict[str, list[tuple[float, dict[str, str]]]] = field(default_factory=lambda: defaultdict(list))
    contour_pictures: int = 0
    # (frame_id, PNG) of every environment picture that came
    environments: list[tuple[int, bytes]] = field(default_factory=list)

    def latest(self, node: str, name: str, default: float = 0.0) -> float:
        """Return the newest value that a node reported in its diagnostics."""
        for _, values in reversed(self.diagnostics.get(node, [])):
            if name in values:
                return float(values[name])
        return default


def _visible_height(pose: SubjectPose) -> float:
    """Return the height of a subject in px, weighted by the mean confidence of its keypoints."""
    rho = sum(float(point.rho) for point in pose.keypoints) / len(pose.keypoints)
    return float(pose.box[3] - pose.box[1]) * rho


class Observer(Listener):
    """Subscribes to the cloud side of one camera and to the diagnostics.

    on_contour: called with every picture (Reconstruction), from the thread of the listener.
    """

    def __init__(
        self, camera_id: str, domain_id: int, on_contour: Callable[[Reconstruction], None] | None = None
    ) -> None:
        super().__init__("privcam_observer", domain_id)
        self.seen = Observations()
        self._on_contour = on_contour
        many = QoSProfile(depth=64, reliability=QoSReliabilityPolicy.RELIABLE)
        cloud = f"/{camera_id}/cloud"
        self.node.create_subscription(Omega, f"{cloud}/omega", self._take_omega, many)
        self.node.create_subscription(SceneReport, f"{cloud}/report", self._take_report, many)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, many)
        if on_contour is not None:
            self.node.create_subscription(Reconstruction, f"{cloud}/contour", self._take_contour, many)

    def wait_for(self, condition: Callable[[Observations], bool], timeout_s: float) -> bool:
        """Wait until the observations satisfy `condition`; return whether they did in time."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while not (self._error or condition(self.seen)):
                if time.monotonic() >= end:
                    return False
                self._changed.wait(POLL_S)
        return True

    def _take_omega(self, omega: Omega) -> None:
        key = omega.key
        self.seen.frames.append(
            FrameSummary(
                frame_id=key.frame_id,
                stamp_s=key.stamp.sec + key.stamp.nanosec / NS_PER_S,
                arrived_s=time.time(),
                people=len(omega.poses.poses),
                confirmed_fraction=omega.environment.confirmed_fraction,
                withheld_fraction=omega.privacy.withheld_fraction,
                excluded_fraction=omega.privacy.excluded_fraction,
                picture=len(omega.environment.png.data) > 0,
                pixels=omega.environment.height * omega.environment.width,
                readable=omega.environment.confirmed_fraction * sum(map(_visible_height, omega.poses.poses)),
            )
        )
        if omega.environment.png.data:
            self.seen.environments.append((key.frame_id, bytes(omega.environment.png.data)))
        self.seen.subjects.update(pose.subject_id for pose in omega.poses.poses)
        self._notify()

    def _take_report(self, report: SceneReport) -> None:
        self.seen.events.update({event.event_id: event for event in report.events})

    def _take_contour(self, reconstruction: Reconstruction) -> None:
        self.seen.contour_pictures += 1
        if self._on_contour is not None:
            self._on_contour(reconstruction)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        now = time.time()
        for status in message.status:
            values: dict[str, Any] = {item.key: item.value for item in status.values}
            values["message"] = status.message
            self.seen.diagnostics[status.name].append((now, values))
        self._notify()
