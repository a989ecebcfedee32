"""What the demo, the survey and the bench see of a running graph: from the outside, as any other ROS 2 node."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from privcam_msgs.msg import Behavior, Omega, Reconstruction, SceneReport, SubjectPose
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

LOOK_AGAIN_S = 0.5


@dataclass
class FrameFacts:
    """What one Ω told, as it arrived in the cloud."""

    frame_id: int
    stamp_s: float
    arrived_s: float
    people: int
    validity: float
    withheld_area: float
    person_area: float
    picture: bool  # whether the PNG came with it
    readable: float  # how much a person sees in it: subjects by height, sureness and confirmed surroundings
    pixels: int = 0  # of the picture


@dataclass
class Observations:
    """Everything an observer collected."""

    frames: list[FrameFacts] = field(default_factory=list)
    events: dict[int, Behavior] = field(default_factory=dict)
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


def _presence(pose: SubjectPose) -> float:
    """How well a subject can be seen: its height in px, weighted by how sure its keypoints are."""
    return float(pose.box[3] - pose.box[1]) * sum(point.rho for point in pose.keypoints) / len(pose.keypoints)


class Observer:
    """Subscribes to the cloud side of one camera and to the diagnostics, in a thread and a ROS context of its own.

    on_contour: called with every picture (Reconstruction), from that thread.
    """

    def __init__(
        self, camera_id: str, domain_id: int, on_contour: Callable[[Reconstruction], None] | None = None
    ) -> None:
        self.seen = Observations()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = Node("privcam_observer", context=self._context)
        self._on_contour = on_contour
        self._error: BaseException | None = None
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        many = QoSProfile(depth=64, reliability=QoSReliabilityPolicy.RELIABLE)
        cloud = f"/{camera_id}/cloud"
        self._node.create_subscription(Omega, f"{cloud}/omega", self._take_omega, many)
        self._node.create_subscription(SceneReport, f"{cloud}/report", self._take_report, many)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._take_diagnostics, many)
        if on_contour is not None:
            self._node.create_subscription(Reconstruction, f"{cloud}/contour", self._take_contour, many)
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._spin, name="observer")

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()
        if self._error is not None and error is None:
            raise self._error

    def wait_for(self, condition: Callable[[Observations], bool], timeout_s: float) -> bool:
        """Wait until the observations satisfy `condition`; return whether they did in time."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while not (self._error or condition(self.seen)):
                if time.monotonic() >= end:
                    return False
                # A condition may also ask whether the graph still runs, and its end is no observation.
                self._changed.wait(LOOK_AGAIN_S)
        return True

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except BaseException as error:  # shown by __exit__: an observer that died must not look like a quiet graph
            self._error = error
            self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _take_omega(self, omega: Omega) -> None:
        key = omega.key
        self.seen.frames.append(
            FrameFacts(
                frame_id=key.frame_id,
                stamp_s=key.stamp.sec + key.stamp.nanosec / 1e9,
                arrived_s=time.time(),
                people=len(omega.poses.poses),
                validity=omega.environment.validity,
                withheld_area=omega.privacy.withheld_area,
                person_area=omega.privacy.person_area,
                picture=len(omega.environment.png.data) > 0,
                pixels=omega.environment.height * omega.environment.width,
                readable=omega.environment.validity * sum(map(_presence, omega.poses.poses)),
            )
        )
        if omega.environment.png.data:
            self.seen.environments.append((key.frame_id, bytes(omega.environment.png.data)))
        self.seen.subjects.update(pose.subject_id for pose in omega.poses.poses)
        self._notify()

    def _take_report(self, report: SceneReport) -> None:
        self.seen.events.update({behavior.event_id: behavior for behavior in report.behaviors})

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
