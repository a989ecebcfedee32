"""The one way to write what an Ω says: bits that nobody draws, measures or reads are taken out of its values.

A valid value has room for more than it says: the place of a keypoint that is not seen, the twentieth digit of an area,
the key of a picture beside the key of its frame. A node that is broken or was taken over could send anything there.
What is written here says the same to everybody who uses it, and the same Ω always becomes the same values. They are
as they are after a journey in single precision, so doing it twice changes nothing.
"""

from dataclasses import replace
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.geometry import SUBPIXEL_BITS
from privcam_core.types.omega import NO_ACCOUNTING, HeadOrientation, Omega, PrivacyReport, SubjectPose
from privcam_core.types.skeleton import seen

# Places are as fine as they are drawn, 1/16 px; angles 1/128 rad, half a degree; ρ and areas in decimal digits.
_PX, _RAD = float(1 << SUBPIXEL_BITS), 128.0
_RHO_DIGITS, _AREA_DIGITS = 2, 4
# ε and δ keep three digits, rounded up: no less is stated than was spent. A larger ε says "no budget" as well.
_MAX_EPSILON, _MIN_BUDGET = 1e12, 1e-12


def canonical(omega: Omega) -> Omega:
    """Return Ω with the same meaning and no hidden bits. Raises InvalidOmega where nothing is left of a value.

    Poses come by layer, numbered from 0; a keypoint that is not seen is (0, 0, 0); the environment has κ of Ω.
    """
    poses = sorted(omega.poses, key=lambda pose: pose.layer)
    return replace(
        omega,
        environment=replace(omega.environment, key=omega.key),
        poses=[_pose(pose, layer) for layer, pose in enumerate(poses)],
        privacy=_report(omega.privacy),
    )


def _pose(pose: SubjectPose, layer: int) -> SubjectPose:
    keypoints = np.empty_like(pose.keypoints, np.float32)
    keypoints[:, :2] = _steps(pose.keypoints[:, :2], _PX)
    keypoints[:, 2] = np.round(pose.keypoints[:, 2].astype(np.float64), _RHO_DIGITS)
    keypoints[~seen(pose.keypoints)] = 0.0
    x0, y0, x1, y1 = _steps(np.array(pose.box), _PX).tolist()
    head = pose.head
    if head is not None:
        head = HeadOrientation(*_steps(np.array([head.yaw, head.pitch, head.roll]), _RAD).tolist())
    return SubjectPose(pose.subject_id, (x0, y0, x1, y1), keypoints, head, layer)


def _report(report: PrivacyReport) -> PrivacyReport:
    accounted = report.epsilon >= 0
    return replace(
        report,
        excluded_fraction=round(report.excluded_fraction, _AREA_DIGITS) + 0.0,
        withheld_fraction=round(report.withheld_fraction, _AREA_DIGITS) + 0.0,
        quarantined_fraction=round(report.quarantined_fraction, _AREA_DIGITS) + 0.0,
        epsilon=min(_rounded_up(report.epsilon), _MAX_EPSILON) if accounted else NO_ACCOUNTING,
        delta=_rounded_up(report.delta) if accounted else 0.0,
    )


def _steps(values: npt.NDArray[np.floating], per_unit: float) -> npt.NDArray[np.float64]:
    """Return the values in whole steps. Adding zero makes -0 a 0, which is the same number in other bits."""
    return np.rint(values.astype(np.float64) * per_unit) / per_unit + 0.0


def _rounded_up(value: float) -> float:
    if value < _MIN_BUDGET:
        return 0.0 if value == 0 else _MIN_BUDGET
    exponent = floor(log10(value)) - 2
    # The journey in single precision may have added a little to a value that was rounded before.
    return float(f"{ceil(value / float(f'1e{exponent}') - 1e-4)}e{exponent}")
