"""Quantizes noised features to one of few postures, with hysteresis. The quantizer reads nothing but the features."""

from dataclasses import dataclass
from math import log, pi

import numpy as np

from privcam_core.types.arrays import BoolArray, Float64Array
from privcam_privacy.poses.features import (
    GAZE,
    HEIGHT,
    MAX_FEATURES,
    MIN_FEATURES,
    PLACE,
    SHAPE,
    STATURE,
    TOWARDS,
    TURN,
)
from privcam_privacy.poses.standard_body import DIRECTIONS, Posture

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
    and moves no more than it has to. stature: ratio of one step to the next. hysteresis: a step is left when a feature
    is this far (in steps) beyond its border.
    """

    trunk_sectors: int = 8
    arm_sectors: int = 4
    leg_sectors: int = 4
    turn: float = 1.0
    gaze: float = 0.7
    dead_band: float = 0.12
    stature: float = 1.15
    hysteresis: float = 0.25

    def __post_init__(self) -> None:
        limits = {
            "trunk_sectors": (4, 360), "arm_sectors": (4, 360), "leg_sectors": (4, 360), "turn": (0.01, 2.0),
            "gaze": (0.01, 2.0), "dead_band": (0.0, 1.0), "stature": (1.001, 2.0), "hysteresis": (0.0, 1.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"quantizer.{name}: {getattr(self, name)} is not in [{low}, {high}]")


class PostureQuantizer:
    """The quantizer of one subject. It holds the steps and the place that were published last."""

    def __init__(self, settings: QuantizerSettings) -> None:
        self._settings = settings
        s = settings
        self._sectors = np.array([s.trunk_sectors] + [s.arm_sectors] * 2 + [s.leg_sectors] * 4, np.float64)
        # Steps after which a number is the same again.
        self._periods = np.concatenate([np.full(5 + DIRECTIONS, np.inf), self._sectors])
        self._current: Float64Array | None = None
        self._place: Float64Array | None = None

    def quantize(
        self, features: Float64Array, known: BoolArray, shape: tuple[int, int]
    ) -> tuple[Posture, Float64Array]:
        """Return the posture that noised features, (21,), are published as, and the size of the box in px, (2,).

        known: (7,) directions that are known; the others keep their step. shape: (H, W) of the picture.
        """
        s = self._settings
        features = np.append(np.clip(features[: TOWARDS.start], MIN_FEATURES, MAX_FEATURES), features[TOWARDS])
        towards = features[TOWARDS].reshape(DIRECTIONS, 2)
        exact = np.concatenate([
            features[[STATURE, HEIGHT]] / log(s.stature),
            [features[SHAPE] / log(_SHAPE_RATIO), features[TURN] / s.turn, features[GAZE] / s.gaze],
            (1 - np.clip(np.hypot(*towards.T) / _FULL_FROM, _MIN_LENGTH, 1.0)) / _LENGTH_STEP,
            np.arctan2(towards[:, 0], towards[:, 1]) / (2 * pi) * self._sectors,
        ])  # fmt: skip
        self._current = steps = self._apply_hysteresis(exact, np.concatenate([np.ones(5, np.bool_), known, known]))
        lengths = 1 - steps[5 : 5 + DIRECTIONS] * _LENGTH_STEP
        angles = steps[5 + DIRECTIONS :] / self._sectors * 2 * pi
        stature = float(s.stature ** steps[0] * shape[0])
        self._place = self._apply_dead_band(features[PLACE] * (shape[1], shape[0]), s.dead_band * stature)
        posture = Posture(
            place=self._place,
            stature=stature,
            directions=np.stack([np.sin(angles), np.cos(angles)], axis=1) * lengths[:, None],
            turn=float(np.clip(steps[3] * s.turn, -1, 1)),
            gaze=float(np.clip(steps[4] * s.gaze, -1, 1)),
        )
        height = s.stature ** steps[1] * shape[0]
        return posture, np.array([height * _SHAPE_RATIO ** steps[2], height])

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
