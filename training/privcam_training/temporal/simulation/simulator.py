"""Simulates people in movements that recordings lack: falls in all directions, and movements that resemble falls.

A script is a list of phases, each a way from one posture to another with a label. What comes out is what an edge would
send of it: boxes and keypoints with the noise and the gaps of a real estimator, through the project's own anonymiser.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from privcam_anonymization.anonymizer import PoseAnonymizer, PoseSettings
from privcam_anonymization.random_source import seeded
from privcam_core.types.arrays import Float64Array
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import KEYPOINT_COUNT, Joint
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.recognition.event_matching import FALL_FOR_S
from privcam_training.temporal.labels import Allowed, but, only
from privcam_training.temporal.simulation import stick_body
from privcam_training.temporal.simulation.stick_body import Camera, Posture

Random = np.random.Generator

PICTURE = (480, 640)
# A fall is called one from just before the body is down, in s, until FALL_FOR_S after; later it lies.
_BEFORE_DOWN_S = 0.2
# On a low body the pose model mostly sees nothing, the tracker seldom; a body that moves fast is lost at times, and
# then mostly found again. Shares as in the recordings.
_POSE_LOST, _TRACK_LOST = 0.6, 0.1
_FAST, _LOST_IN_MOTION, _FOUND_AGAIN = 0.6, 0.2, 0.7


@dataclass(frozen=True)
class Phase:
    """A movement. ease: power of time: 1 even, 2 like something that falls, 0 for smooth. allowed: labels during it.

    way: (2,) how far the hips travel on the floor, H.
    """

    seconds: float
    to: Posture
    ease: float
    allowed: Allowed
    way: tuple[float, float] = (0.0, 0.0)
    walks: bool = False


@dataclass(frozen=True)
class Recording:
    """What the edge would have sent. poses: (seconds, pose or None). allowed: set of labels at each time, (N, L)."""

    seconds: Float64Array
    poses: list[SubjectPose | None]
    allowed: npt.NDArray[np.bool_]


def simulate(random: Random) -> Recording:
    """Return one person doing one thing, seen by one camera at one frame rate."""
    script = list(SCRIPTS.values())[random.choice(len(SCRIPTS), p=_SHARES)](random)
    return record(script, random)


def record(script: list[Phase], random: Random) -> Recording:
    """Play a script before a camera."""
    camera = Camera(tilt=float(random.uniform(0.0, 50.0)) * float(random.uniform(0.3, 1.0)),
                    distance=float(random.uniform(2.5, 8.0)))  # fmt: skip
    heading, stature = float(random.uniform(0.0, 360.0)), float(np.exp(random.uniform(np.log(60.0), np.log(420.0))))
    rate = float(random.choice([5.0, 8.0, 10.0, 15.0, 25.0, 30.0]))
    place = random.uniform(-0.6, 0.6, 2)
    now, posture, seconds, points, allowed = 0.0, script[0].to, [], [], []
    for phase in script:
        start, count = posture, max(1, round(phase.seconds * rate))
        for step in range(1, count + 1):
            fraction = step / count
            moved = fraction**phase.ease if phase.ease else 0.5 - 0.5 * np.cos(np.pi * fraction)
            posture = start.blend(phase.to, moved)
            if phase.walks:
                posture = _stride(posture, now)
            where = place + moved * np.array(phase.way)
            points.append(camera.project(stick_body.joints(posture, heading, where)))
            seconds.append(now)
            allowed.append(phase.allowed)
            now += 1.0 / rate
        place = place + np.array(phase.way)
        posture = phase.to
    return Recording(np.array(seconds), _seen(points, seconds, stature, random), np.array(allowed))


def _stride(posture: Posture, now: float) -> Posture:
    swing = 24.0 * np.sin(2 * np.pi * 0.95 * now)
    return replace(
        posture, thigh_left=swing, thigh_right=-swing, shin_left=swing - 14.0, shin_right=-swing - 14.0,
        arm_left=-0.8 * swing, arm_right=0.8 * swing,
    )  # fmt: skip


def _seen(points: list[Float64Array], seconds: list[float], stature: float, random: Random) -> list[SubjectPose | None]:
    """Return what an estimator and the anonymiser make of true joints, (17, 2) H each."""
    canonical = random.random() < 0.85
    seed = int(random.integers(2**31))
    anonymizer = PoseAnonymizer(PoseSettings(mode="canonical" if canonical else "raw"), seeded(seed))
    middle = np.array([PICTURE[1] / 2, PICTURE[0] * 0.6])
    hidden = _hidden_joints(random)
    noise = float(random.uniform(0.008, 0.03))
    pose_lost = track_lost = False
    was_low, low_since = False, 0.0
    was_fast, lost_from, lost_until = False, 0.0, -1.0
    start_ns, result = 10**18, []
    before, before_s = points[0], seconds[0] - 0.1
    for moment, joints in zip(seconds, points, strict=True):
        extent = np.ptp(joints, axis=0)
        fast = abs(joints[:, 1].min() - before[:, 1].min()) / (moment - before_s) > _FAST
        before, before_s = joints, moment
        if fast and not was_fast and random.random() < _LOST_IN_MOTION:
            delay, found = random.uniform(0.0, 0.4), random.random() < _FOUND_AGAIN
            lost_from, lost_until = moment + delay, moment + delay + (random.uniform(0.3, 1.5) if found else 99.0)
        was_fast = fast
        low = extent[1] < 0.5
        if low and not was_low:
            low_since = moment
            pose_lost, track_lost = random.random() < _POSE_LOST, random.random() < _TRACK_LOST
        elif not low:
            pose_lost, track_lost = random.random() < 0.02, random.random() < 0.01
        was_low = low
        if random.random() < 0.03:  # it comes back, or goes
            pose_lost = low and not pose_lost
        visible = joints + random.normal(0.0, noise, joints.shape)
        box = _box(joints, random)
        rho = np.clip(random.normal(0.68, 0.12, KEYPOINT_COUNT), 0.0, 1.0)
        rho[hidden] = random.uniform(0.0, 0.15)
        rho[random.random(KEYPOINT_COUNT) < 0.04] = 0.1
        if pose_lost and moment - low_since > 0.1:
            rho = random.uniform(0.0, 0.2, KEYPOINT_COUNT)
            visible = box[:2] + random.uniform(0.2, 0.8, joints.shape) * (box[2:] - box[:2])
        if (track_lost and moment - low_since > 0.25) or moment < 0.1 or lost_from <= moment < lost_until:
            result.append(None)
            continue
        keypoints = np.concatenate((visible * stature + middle, rho[:, None]), axis=1).astype(np.float32)
        pixels = tuple(float(v) for v in np.tile(middle, 2) + box * stature)
        pose = SubjectPose(1, pixels, keypoints)  # type: ignore[arg-type]
        result.append(anonymizer.anonymize([pose], PICTURE, start_ns + round(moment * NS_PER_S))[0])
    return result


def _hidden_joints(random: Random) -> list[int]:
    """Return what furniture, the edge of the picture or the body itself hides for the whole time."""
    kind = random.random()
    if kind < 0.1:
        return [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE, Joint.LEFT_KNEE, Joint.RIGHT_KNEE]
    if kind < 0.2:
        return [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]
    if kind < 0.35:
        side = "LEFT" if random.random() < 0.5 else "RIGHT"
        return [Joint[f"{side}_{name}"] for name in ("WRIST", "ELBOW")]
    return []


def _box(joints: Float64Array, random: Random) -> Float64Array:
    """Return a detector's box, (4,) H: a little larger than the body, and never quite the same."""
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = np.array([0.07, 0.05])
    box = np.concatenate((low - margin - [0.0, 0.04], high + margin))
    return box + random.normal(0.0, 0.018, 4)


# Scripts. The first phase sets the posture in which a person is found.

Script = Callable[[Random], list[Phase]]
_UPRIGHT = only("standing")
_NO_EVENT = but(("fall", "getting_up", "pushing_fighting"))


def _hold(seconds: float, posture: Posture, *labels: str) -> Phase:
    return Phase(seconds, posture, 1.0, only(*labels))


def _down(random: Random) -> Posture:
    return [stick_body.SUPINE, stick_body.PRONE, stick_body.ON_SIDE, replace(stick_body.ON_SIDE, roll=-88.0)][
        random.integers(4)
    ].vary(random, 12.0)


def _walk(random: Random, seconds: float) -> Phase:
    way = random.uniform(-1.0, 1.0, 2)
    way *= random.uniform(0.35, 0.9) * seconds / max(float(np.hypot(*way)), 0.1)
    return Phase(seconds, stick_body.STANDING.vary(random, 4.0), 1.0, only("walking"), (way[0], way[1]), walks=True)


def _beginning(random: Random) -> list[Phase]:
    """Return what somebody does before: stands, walks, sits or bends. Some are found only when it is nearly over."""
    kind, standing = random.random(), stick_body.STANDING.vary(random, 5.0)
    first = _hold(float(random.uniform(0.1, 2.5)), standing, "standing")
    if kind < 0.35:
        return [first]
    if kind < 0.65:
        return [replace(first, seconds=0.2), _walk(random, float(random.uniform(0.8, 3.0)))]
    if kind < 0.9:
        return [_hold(float(random.uniform(0.1, 3.0)), stick_body.SITTING.vary(random, 8.0), "sitting")]
    bent = stick_body.BENDING.vary(random, 10.0)
    return [first, Phase(1.0, bent, 0.0, only("bending")), _hold(0.5, bent, "bending")]


def _fall(random: Random) -> list[Phase]:
    before, lies = _beginning(random), _down(random)
    seconds, way = float(random.uniform(0.4, 1.2)), random.uniform(-0.5, 0.5, 2)
    falling = but(("standing", "walking", "lying", "getting_up", "sitting"))
    phases = list(before)
    if random.random() < 0.3:  # the knees go first
        crouch = stick_body.CROUCHING.vary(random, 12.0)
        phases.append(Phase(0.4 * seconds, crouch, 1.5, falling, (way[0] / 2, way[1] / 2)))
        seconds, way = 0.7 * seconds, way / 2
    early = max(0.05, seconds - _BEFORE_DOWN_S)
    # The last part of the way down is a fall already.
    fraction = (early / seconds) ** 1.8
    nearly = phases[-1].to.blend(lies, fraction)
    phases.append(Phase(early, nearly, 1.8, falling, (way[0] * fraction, way[1] * fraction)))
    phases.append(
        Phase(seconds - early + 0.02, lies, 1.0, only("fall"), (way[0] * (1 - fraction), way[1] * (1 - fraction)))
    )
    phases.append(Phase(FALL_FOR_S, lies.vary(random, 8.0), 1.0, only("fall")))
    rest = float(random.uniform(0.2, 3.0))
    phases.append(Phase(rest, lies.vary(random, 8.0), 1.0, only("fall", "lying")))
    return phases


def _lie_down(random: Random) -> list[Phase]:
    """On a bed or the floor, with care: sit first, then lie."""
    lies, bed = _down(random), float(random.choice([0.0, 0.0, 0.25]))
    lies = replace(lies, hip=lies.hip + bed)
    sits = (stick_body.SITTING if bed else stick_body.FLOOR_SITTING).vary(random, 8.0)
    phases = _beginning(random)
    if bed and phases[-1].to.hip < 0.35:
        phases = [_hold(0.5, sits, "sitting")]
    else:
        phases.append(Phase(float(random.uniform(1.2, 3.0)), sits, 0.0, only("sitting_down")))
        phases.append(_hold(float(random.uniform(0.2, 1.5)), sits, "sitting"))
    phases.append(Phase(float(random.uniform(1.3, 3.5)), lies, 0.0, only("lying", "unclear", "sitting", "bending")))
    phases.append(_hold(float(random.uniform(1.0, 4.0)), lies, "lying"))
    return phases


def _get_up(random: Random) -> list[Phase]:
    lies, sits = _down(random), stick_body.FLOOR_SITTING.vary(random, 8.0)
    return [
        _hold(float(random.uniform(1.0, 3.0)), lies, "lying"),
        Phase(float(random.uniform(0.8, 2.0)), sits, 0.0, only("getting_up")),
        Phase(float(random.uniform(0.5, 1.5)), stick_body.CROUCHING.vary(random, 8.0), 0.0, only("getting_up")),
        Phase(float(random.uniform(0.6, 1.5)), stick_body.STANDING.vary(random, 5.0), 0.0, only("getting_up")),
        _hold(2.0, stick_body.STANDING.vary(random, 5.0), "standing"),
    ]


def _sit_down(random: Random) -> list[Phase]:
    """Also very fast: the hard negative of a fall."""
    sits = stick_body.SITTING.vary(random, 10.0)
    return [
        _hold(float(random.uniform(0.5, 2.0)), stick_body.STANDING.vary(random, 5.0), "standing"),
        Phase(float(random.uniform(0.45, 2.0)), sits, float(random.choice([0.0, 1.6])), only("sitting_down")),
        _hold(float(random.uniform(1.0, 3.0)), sits.vary(random, 6.0), "sitting"),
        Phase(float(random.uniform(0.7, 1.8)), stick_body.STANDING.vary(random, 5.0), 0.0, but(("fall", "lying"))),
        _hold(1.0, stick_body.STANDING.vary(random, 5.0), "standing"),
    ]


def _bend(random: Random) -> list[Phase]:
    """Down to the floor and up again: with a bent back, with bent knees, or on the knees."""
    low = [stick_body.BENDING, stick_body.CROUCHING, stick_body.KNEELING, stick_body.PROSTRATE][
        random.integers(4)
    ].vary(random, 12.0)
    down, up = float(random.uniform(0.5, 2.5)), float(random.uniform(0.5, 2.0))
    while_low = only("bending", "unclear", "sitting")
    return [
        *_beginning(random),
        Phase(down, low, float(random.choice([0.0, 1.6])), only("bending", "sitting_down", "unclear")),
        Phase(float(random.uniform(0.3, 3.0)), low.vary(random, 5.0), 1.0, while_low),
        Phase(up, stick_body.STANDING.vary(random, 5.0), 0.0, only("bending", "unclear", "standing", "getting_up")),
        _hold(1.0, stick_body.STANDING.vary(random, 5.0), "standing"),
    ]


def _stay(random: Random) -> list[Phase]:
    where, label = [(stick_body.STANDING, "standing"), (stick_body.SITTING, "sitting")][random.integers(2)]
    phases = [_hold(0.1, where.vary(random, 6.0), label)]
    for _ in range(6):
        phases.append(_hold(float(random.uniform(0.4, 1.5)), where.vary(random, 6.0), label))
    return phases


def _go(random: Random) -> list[Phase]:
    return [_hold(0.1, stick_body.STANDING, "walking"), _walk(random, float(random.uniform(3.0, 6.0)))]


def _hand_to_mouth(random: Random) -> list[Phase]:
    """A hand that goes to the mouth again and again, as with a cigarette."""
    base = [stick_body.STANDING, stick_body.SITTING][random.integers(2)].vary(random, 6.0)
    side = "left" if random.random() < 0.5 else "right"
    raised = replace(base, **{f"arm_{side}": 40.0 + random.normal(0, 8), f"forearm_{side}": 165.0}, spread=5.0)
    phases, label = [_hold(0.3, base, "smoking_like")], only("smoking_like")
    for _ in range(3):
        phases.append(Phase(float(random.uniform(0.4, 1.0)), raised, 0.0, label))
        phases.append(Phase(float(random.uniform(0.6, 2.0)), raised, 1.0, label))
        phases.append(Phase(float(random.uniform(0.4, 1.0)), base, 0.0, label))
        phases.append(Phase(float(random.uniform(0.5, 2.0)), base, 1.0, label))
    return phases


SCRIPTS: dict[str, Script] = {
    "fall": _fall, "lie down": _lie_down, "get up": _get_up, "sit down": _sit_down, "bend or kneel": _bend,
    "stay": _stay, "walk": _go, "hand to mouth": _hand_to_mouth,
}  # fmt: skip
_SHARES = (0.3, 0.13, 0.09, 0.14, 0.14, 0.08, 0.06, 0.06)
