"""A stick figure that walks, sits, bends and lies, as Ω for a recognizer; and the events of its reports."""

from collections import defaultdict
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from privcam_core.events.scene_report import Event, SceneReport
from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.skeleton import Joint

HEIGHT = 200.0  # px
GROUND = 400.0  # px
T0 = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class StickPose:
    """A side view. x: of the hips, px. hips: over the ground, body heights. Angles: degrees from vertical."""

    x: float
    hips: float
    torso: float
    thigh: float
    shin: float


STANDING = StickPose(300, 0.49, 3, 0, 0)
SITTING = StickPose(300, 0.25, 5, 90, 0)
BENDING = StickPose(300, 0.48, 80, -5, 5)
LYING = StickPose(300, 0.06, 87, -88, -88)
# A story: the figure at these camera times (s), in between on straight ways.
Story = list[tuple[float, StickPose]]
Subjects = dict[int, npt.NDArray[np.float32]]

FALL: Story = [(0, STANDING), (2, STANDING), (2.7, LYING), (8, LYING)]


def walking(start: float, end: float, x: float = 100.0, speed: float = 0.6) -> Story:
    steps = np.arange(start, end, 0.5)
    swing = [25, -25]
    return [
        (t, replace(STANDING, x=x + speed * HEIGHT * (t - start), thigh=swing[i % 2], shin=swing[i % 2]))
        for i, t in enumerate(steps)
    ]


def at(story: Story, t: float) -> StickPose:
    times = [time for time, _ in story]
    values = [
        float(np.interp(t, times, [getattr(f, name) for _, f in story]))
        for name in ("x", "hips", "torso", "thigh", "shin")
    ]
    return StickPose(*values)


def draw(stick_pose: StickPose, dx: float = 0.0) -> npt.NDArray[np.float32]:
    """Return (17, 3) keypoints. The left leg swings against the right one when the figure walks."""

    def step(origin: npt.NDArray[np.float64], length: float, angle: float, up: bool) -> npt.NDArray[np.float64]:
        a = np.radians(angle)
        return origin + length * HEIGHT * np.array([np.sin(a), -np.cos(a) if up else np.cos(a)])

    points = np.zeros((17, 3), np.float32)
    points[:, 2] = 0.8
    hips = np.array([stick_pose.x + dx, GROUND - stick_pose.hips * HEIGHT])
    shoulders = step(hips, 0.288, stick_pose.torso, True)
    points[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], :2] = shoulders
    points[[Joint.LEFT_HIP, Joint.RIGHT_HIP], :2] = hips
    points[[Joint.NOSE, Joint.LEFT_EYE, Joint.RIGHT_EYE, Joint.LEFT_EAR, Joint.RIGHT_EAR], :2] = step(
        shoulders, 0.15, stick_pose.torso, True
    )
    elbows = step(shoulders, 0.17, stick_pose.torso, False)
    points[[Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW], :2] = elbows
    points[[Joint.LEFT_WRIST, Joint.RIGHT_WRIST], :2] = step(elbows, 0.15, stick_pose.torso, False)
    striding = abs(stick_pose.thigh) <= 30
    for sign, knee, ankle in ((1, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE), (-1, Joint.LEFT_KNEE, Joint.LEFT_ANKLE)):
        side = sign if striding else 1
        points[knee, :2] = step(hips, 0.245, side * stick_pose.thigh, False)
        points[ankle, :2] = step(points[knee, :2].astype(np.float64), 0.246, side * stick_pose.shin, False)
    return points


def omega(number: int, seconds: float, subjects: Subjects, camera: str = "ward") -> Omega:
    key = SyncKey(camera, number, T0 + round(seconds * 1e9))
    poses = []
    for layer, (subject_id, points) in enumerate(subjects.items()):
        low, high = points[:, :2].min(axis=0) - 10, points[:, :2].max(axis=0) + 10
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        poses.append(SubjectPose(subject_id, box, points, layer=layer))
    environment = Environment(key, b"", sha256(b"").digest(), 480, 640, 1.0, 1)
    embedding = Embedding("none", (1,), 1.0, b"\0", 0.0, 1.0)
    return Omega(key, environment, poses, embedding, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def moments(seconds: float, fps: float, seed: int = 1) -> npt.NDArray[np.float64]:
    """Return irregular frame times, 20 % jitter."""
    count = int(seconds * fps)
    jitter = np.random.default_rng(seed).uniform(-0.2, 0.2, count)
    return (np.arange(count) + 0.5 + jitter) / fps


def events_by_label(reports: list[SceneReport]) -> dict[str, list[list[Event]]]:
    """Return label → events, each as its reports in order."""
    by_id: dict[int, list[Event]] = defaultdict(list)
    for report in reports:
        for event in report.events:
            by_id[event.event_id].append(event)
    found: dict[str, list[list[Event]]] = defaultdict(list)
    for parts in by_id.values():
        found[parts[0].label].append(parts)
    return found


def seconds_of(ns: int) -> float:
    return (ns - T0) / 1e9
