"""Quantizes noised features to one of few postures, with hysteresis.

The quantizer reads nothing but the features and which keypoints are visible. The size of the body comes from its place.
"""

from dataclasses import dataclass, replace
from math import log, pi

import numpy as np

from privcam_anonymization.features import (
    GAZE,
    HEIGHT,
    MAX_FEATURES,
    MIN_FEATURES,
    PLACE,
    SHAPE,
    TOWARDS,
    TURN,
)
from privcam_anonymization.ground_plane import GroundPlane
from privcam_anonymization.standard_body import DIRECTIONS, Posture, hidden_below
from privcam_core.types.arrays import BoolArray, Float64Array

# Step of the lengths of the directions. An arm is straight or bent.
_LENGTH_STEP = np.array([0.3, *[0.5] * 2, *[0.3] * 4])
# The shortest length that still has a direction.
_MIN_LENGTH = np.array([0.1, *[0.5] * 2, *[0.1] * 4])
# From this fraction of its full length on, a bone counts as full: a bone that is not foreshortened trembles, too.
_FULL_FROM = np.array([0.75, *[1.0] * 2, *[0.75] * 4])
# Ratio of one step of a box's shape to the next.
_SHAPE_RATIO = 1.4


@dataclass(frozen=True)
class QuantizerSettings:
    """Step sizes of a published posture.

    trunk_sectors, arm_sectors, leg_sectors: number of directions in the picture that each can have. turn, gaze: steps
    of features with a range of 2. dead_band: the published place stays within this many statures of the noised place,
    and moves no more than it has to. height: ratio of one step of the box's height to the next. hysteresis: a step is
    left when a feature is this far (in steps) beyond its border.
    """

    trunk_sectors: int = 8
    arm_sectors: int = 4
    leg_sectors: int = 4
    turn: float = 1.0
    gaze: float = 0.7
    dead_band: float = 0.12
    height: float = 1.15
    hysteresis: float = 0.25

    def __post_init__(self) -> None:
        limits = {
            "trunk_sectors": (4, 360), "arm_sectors": (4, 360), "leg_sectors": (4, 360), "turn": (0.01, 2.0),
            "gaze": (0.01, 2.0), "dead_band": (0.0, 1.0), "height": (1.001, 2.0), "hysteresis": (0.0, 1.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"quantizer.{name}: {getattr(self, name)} is not in [{low}, {high}]")


class PostureQuantizer:
    """The quantizer of one subject. It holds the steps and the place that were published last."""

    def __init__(self, settings: QuantizerSettings, ground: GroundPlane) -> None:
        self._settings = settings
        self._ground = ground
        s = settings
        self._sectors = np.array([s.trunk_sectors] + [s.arm_sectors] * 2 + [s.leg_sectors] * 4, np.float64)
        # Steps after which a number is the same again.
        self._periods = np.concatenate([np.full(4 + DIRECTIONS, np.inf), self._sectors])
        self._current: Float64Array | None = None
        self._place: Float64Array | None = None

    def quantize(
        self, features: Float64Array, known: BoolArray, visible: BoolArray, shape: tuple[int, int]
    ) -> tuple[Posture, Float64Array]:
        """Return the posture that noised features, (20,), are published as, and the size of the box in px, (2,).

        known: (11,) which of height, shape, turn, gaze and the directions are known; the others keep their step.
        visible: (17,) keypoints that are seen. shape: (H, W) of the picture.
        """
        s = self._settings
        features = np.append(np.clip(features[: TOWARDS.start], MIN_FEATURES, MAX_FEATURES), features[TOWARDS])
        towards = features[TOWARDS].reshape(DIRECTIONS, 2)
        exact = np.concatenate([
            [features[HEIGHT] / log(s.height), features[SHAPE] / log(_SHAPE_RATIO)],
            [features[TURN] / s.turn, features[GAZE] / s.gaze],
            (1 - np.clip(np.hypot(*towards.T) / _FULL_FROM, _MIN_LENGTH, 1.0)) / _LENGTH_STEP,
            np.arctan2(towards[:, 0], towards[:, 1]) / (2 * pi) * self._sectors,
        ])  # fmt: skip
        self._current = steps = self._apply_hysteresis(exact, np.concatenate([known, known[4:]]))
        lengths = 1 - steps[4 : 4 + DIRECTIONS] * _LENGTH_STEP
        angles = steps[4 + DIRECTIONS :] / self._sectors * 2 * pi
        posture = Posture(
            place=features[PLACE] * (shape[1], shape[0]),
            stature=1.0,
            directions=np.stack([np.sin(angles), np.cos(angles)], axis=1) * lengths[:, None],
            turn=float(np.clip(steps[2] * s.turn, -1, 1)),
            gaze=float(np.clip(steps[3] * s.gaze, -1, 1)),
        )
        hidden = hidden_below(posture, visible)
        near = self._ground.stature_at(float(features[PLACE][1]), hidden) * shape[0]
        self._place = self._apply_dead_band(posture.place, s.dead_band * near)
        stature = self._ground.stature_at(float(self._place[1]) / shape[0], hidden) * shape[0]
        height = s.height ** steps[0] * stature
        size = np.array([height * _SHAPE_RATIO ** steps[1], height])
        return replace(posture, place=self._place, stature=stature), size

    def _apply_hysteresis(self, exact: Float64Array, known: BoolArray) -> Float64Array:
        """Return the nearest whole steps. The current step is left only beyond its border."""
        nearest = np.rint(exact)
        if self._current is None:
            return nearest
        away = np.abs(exact - self._current)
        away = np.minimum(away, np.abs(self._periods - away))
        return np.where(known & (away > 0.5 + self._settings.hysteresis), nearest, self._current)

    def _apply_dead_band(self, place: Float64Array, dead_band: float) -> Float64Array:
        """Return the published place moved just so far that `place` (2,) is within the dead band; both in px."""
        if self._place is None:
            return place
        return np.asarray(place + np.clip(self._place - place, -dead_band, dead_band))
