"""A pose as the few clipped numbers that are released of it, and how far apart two poses can be in them.

Everything that is published of a pose is computed from these numbers after noise was added to them, so what they are
clipped to is the sensitivity of the mechanism. The numbers, (21,): place 2 (shares of the picture's width and height),
ln of the stature and of the box's height over that of the picture, ln of the box's width over its height, turn, gaze,
directions 7 x 2 (see `Posture`).
"""

from dataclasses import dataclass
from math import log, sin

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.geometry import length, right_of, unit
from privcam_core.types.omega import SubjectPose
from privcam_core.types.skeleton import HEAD, Joint
from privcam_privacy.poses.standard_body import (
    DIRECTIONS,
    FULL,
    LEFT_ARM,
    LEFT_THIGH,
    REST,
    RIGHT_ARM,
    RIGHT_THIGH,
    SHOULDERS_SHARE,
    TRUNK,
    UPPER_ARM,
    contact,
)

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

PLACE, STATURE, HEIGHT, SHAPE, TURN, GAZE = slice(0, 2), 2, 3, 4, 5, 6
TOWARDS = slice(7, 7 + 2 * DIRECTIONS)

# A place may be half a picture over the border.
LOWEST = np.array([-0.5, -0.5, log(0.02), log(0.02), log(0.25), -1.0, -1.0])
HIGHEST = np.array([1.5, 1.5, log(4.0), log(4.0), log(4.0), 1.0, 1.0])

# A face is turned fully aside when the nose is this far from the middle between the ears, as a share of the stature.
_NOSE_ASIDE = 0.06

_SHOULDERS = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER)
_HIPS = (Joint.LEFT_HIP, Joint.RIGHT_HIP)
_EARS = (Joint.LEFT_EAR, Joint.RIGHT_EAR)
_ARMS = (
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
)
_LEGS = (
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
)


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the Gaussian noise on the released numbers.

    directions: of the full length. turn: of turn and gaze, whose range is 2. place: shares of the picture's width and
    height. size: of the logarithms of stature and of the box's height and shape.
    """

    directions: float = 0.05
    turn: float = 0.1
    place: float = 0.004
    size: float = 0.03

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value <= 10:
                raise ValueError(f"noise.{name}: {value} is not in (0, 10]; without noise there is no budget to state")

    def sigmas(self) -> FloatArray:
        """Return the (21,) standard deviations in the order of the released numbers."""
        return np.array([self.place] * 2 + [self.size] * 3 + [self.turn] * 2 + [self.directions] * 2 * DIRECTIONS)

    def sensitivity(self) -> float:
        """Return the largest distance (L2) of two clipped poses, with every number in units of its own noise.

        Two directions in the unit disk are at most 2 apart; the other numbers differ by at most their range.
        """
        ranges = np.append(HIGHEST - LOWEST, [2.0] * DIRECTIONS)
        sigmas = np.append(self.sigmas()[: TOWARDS.start], [self.directions] * DIRECTIONS)
        return float(np.linalg.norm(ranges / sigmas))


def clipped(values: FloatArray) -> FloatArray:
    """Return the (21,) numbers within their limits: directions in the unit disk, the others in their range."""
    directions = values[TOWARDS].reshape(DIRECTIONS, 2)
    directions = directions / np.maximum(np.hypot(*directions.T), 1.0)[:, None]
    return np.concatenate([np.clip(values[: TOWARDS.start], LOWEST, HIGHEST), directions.ravel()])


def measure(
    pose: SubjectPose, shown: BoolArray, stature: float, full: FloatArray, shape: tuple[int, int]
) -> tuple[FloatArray, BoolArray]:
    """Return the (21,) clipped numbers of a pose, and (7,) of which directions something is seen; others are at rest.

    shown: (17,) keypoints that count. stature: px. full: (7,) px, how long each direction is when it is not
    foreshortened. shape: (H, W) of the picture.
    """
    points = pose.keypoints[:, :2].astype(np.float64)
    ways, known = directions_of(points, shown)
    directions = np.where(known[:, None], ways / full[:, None], REST)
    up = unit(directions[TRUNK])
    x0, y0, x1, y1 = pose.box
    place = contact(points, shown) if shown.any() else np.array([(x0 + x1) / 2, y1])
    values = [
        *(place / (shape[1], shape[0])),
        log(max(stature, 1.0) / shape[0]),
        log((y1 - y0) / shape[0]),
        log((x1 - x0) / (y1 - y0)),
        _turn(points, shown, up, stature),
        _gaze(pose, points, shown, up, stature),
        *directions.ravel(),
    ]
    return clipped(np.array(values)), known


def directions_of(points: FloatArray, shown: BoolArray) -> tuple[FloatArray, BoolArray]:
    """Return the (7, 2) directions in px, and (7,) which are known.

    An arm without its wrist goes on as its upper arm does; a leg without its knee is straight.
    """
    directions, known = np.zeros((DIRECTIONS, 2)), np.zeros(DIRECTIONS, np.bool_)
    shoulders, hips = _middle(points, shown, _SHOULDERS), _middle(points, shown, _HIPS)
    if shoulders is not None and hips is not None and length(shoulders - hips) > 0:
        directions[TRUNK], known[TRUNK] = shoulders - hips, True
    for row, (shoulder, elbow, wrist) in zip((LEFT_ARM, RIGHT_ARM), _ARMS, strict=True):
        if shown[shoulder] and shown[wrist]:
            directions[row], known[row] = points[wrist] - points[shoulder], True
        elif shown[shoulder] and shown[elbow]:
            directions[row], known[row] = (points[elbow] - points[shoulder]) * FULL[row] / UPPER_ARM, True
    for row, (hip, knee, ankle) in zip((LEFT_THIGH, RIGHT_THIGH), _LEGS, strict=True):
        if shown[hip] and shown[ankle] and not shown[knee]:
            directions[row : row + 2] = (points[ankle] - points[hip]) / 2
            known[row : row + 2] = True
        for bone, (near, far) in ((row, (hip, knee)), (row + 1, (knee, ankle))):
            if shown[near] and shown[far]:
                directions[bone], known[bone] = points[far] - points[near], True
    return directions, known


def _middle(points: FloatArray, shown: BoolArray, joints: tuple[Joint, ...]) -> FloatArray | None:
    found = [points[j] for j in joints if shown[j]]
    return np.mean(found, axis=0) if found else None


def _turn(points: FloatArray, shown: BoolArray, up: FloatArray, stature: float) -> float:
    """Return how much of the front the trunk shows, from the breadth of the shoulders; 1 if one is not seen."""
    if not all(shown[j] for j in _SHOULDERS):
        return 1.0
    left, right = (points[j] for j in _SHOULDERS)
    return float((left - right) @ right_of(up)) / (SHOULDERS_SHARE * max(stature, 1.0))


def _gaze(pose: SubjectPose, points: FloatArray, shown: BoolArray, up: FloatArray, stature: float) -> float:
    """Return the sine of the head's yaw; without an orientation what the nose's place on the head says, else 0."""
    if pose.head is not None:
        return sin(pose.head.yaw)
    middle = _middle(points, shown, _EARS)
    if middle is None:
        middle = _middle(points, shown, tuple(j for j in HEAD if j is not Joint.NOSE))
    if middle is None or not shown[Joint.NOSE]:
        return 0.0
    return float((points[Joint.NOSE] - middle) @ right_of(up)) / (_NOSE_ASIDE * max(stature, 1.0))
