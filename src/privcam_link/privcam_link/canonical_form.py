"""Brings an Ω into canonical form: rounds its values to the precision that receivers use, against covert channels.

A valid value can carry hidden data: the position of a keypoint that is not visible, the twentieth digit of a fraction,
the key of a picture beside the key of its frame. A broken or compromised node could send anything there. The canonical
form keeps the meaning, and equal meanings give equal values. All values are exact in single precision, so applying it
twice changes nothing.
"""

from dataclasses import replace
from math import ceil, floor, log10

import numpy as np
import numpy.typing as npt

from privcam_core.types.omega import NO_ACCOUNTING, HeadOrientation, Omega, PrivacyReport, SubjectPose
from privcam_core.types.skeleton import seen

# Steps per px of positions. Anonymised poses have whole pixels.
STEPS_PER_PX = 1.0
# Steps per rad of angles: of four degrees, where the anonymiser has a step of forty and goes from one to the next.
STEPS_PER_RAD = 16.0
# Steps of ρ up to 1. Anonymised poses have two values of it.
STEPS_OF_RHO = 20.0
# Decimal digits of fractions of the picture.
_FRACTION_DIGITS = 4
# ε and δ keep three digits, rounded up: never less than what was spent. A larger ε protects nothing either.
_MAX_EPSILON = 1e12
# Smallest ε or δ that is stated, except for 0.
_MIN_BUDGET = 1e-12


def canonicalize(omega: Omega) -> Omega:
    """Return Ω with the same meaning and no hidden data. Raises InvalidOmega where a rounded value is not valid.

    Poses are by layer, from 0; a keypoint that is not visible is (0, 0, 0); the environment has the κ of Ω.
    """
    poses = sorted(omega.poses, key=lambda pose: pose.layer)
    return replace(
        omega,
        environment=replace(omega.environment, key=omega.key),
        poses=[_round_pose(pose, layer) for layer, pose in enumerate(poses)],
        privacy=_round_report(omega.privacy),
    )


def _round_pose(pose: SubjectPose, layer: int) -> SubjectPose:
    keypoints = np.empty_like(pose.keypoints, np.float32)
    keypoints[:, :2] = _round_to_steps(pose.keypoints[:, :2], STEPS_PER_PX)
    keypoints[:, 2] = _round_to_steps(pose.keypoints[:, 2], STEPS_OF_RHO)
    keypoints[~seen(pose.keypoints)] = 0.0
    x0, y0, x1, y1 = _round_to_steps(np.array(pose.box), STEPS_PER_PX).tolist()
    head = pose.head
    if head is not None:
        head = HeadOrientation(*_round_to_steps(np.array([head.yaw, head.pitch, head.roll]), STEPS_PER_RAD).tolist())
    return SubjectPose(pose.subject_id, (x0, y0, x1, y1), keypoints, head, layer)


def _round_report(report: PrivacyReport) -> PrivacyReport:
    accounted = report.epsilon >= 0
    return replace(
        report,
        excluded_fraction=round(report.excluded_fraction, _FRACTION_DIGITS) + 0.0,
        withheld_fraction=round(report.withheld_fraction, _FRACTION_DIGITS) + 0.0,
        quarantined_fraction=round(report.quarantined_fraction, _FRACTION_DIGITS) + 0.0,
        epsilon=min(_round_up(report.epsilon), _MAX_EPSILON) if accounted else NO_ACCOUNTING,
        delta=_round_up(report.delta) if accounted else 0.0,
        # Steps already, but for the sign of zero.
        detector_hz=report.detector_hz + 0.0,
        pose_hz=report.pose_hz + 0.0,
    )


def _round_to_steps(values: npt.NDArray[np.floating], per_unit: float) -> npt.NDArray[np.float64]:
    """Return the values rounded to whole steps. Adding zero turns -0 into 0."""
    return np.rint(values.astype(np.float64) * per_unit) / per_unit + 0.0


def _round_up(value: float) -> float:
    if value < _MIN_BUDGET:
        return 0.0 if value == 0 else _MIN_BUDGET
    exponent = floor(log10(value)) - 2
    # Single precision may have added a little to a value that was rounded before.
    return float(f"{ceil(value / float(f'1e{exponent}') - 1e-4)}e{exponent}")
