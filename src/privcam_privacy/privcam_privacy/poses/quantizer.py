"""Coarse steps with hysteresis: noised numbers in, one of few postures out. It looks at nothing but the numbers."""

from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt

from privcam_privacy.poses.noise import GAZE, HEIGHT, HIGHEST, LOWEST, PLACE, SHAPE, STATURE, TOWARDS, TURN
from privcam_privacy.poses.standard_body import DIRECTIONS, Posture

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# Lengths have this step, down to the shortest that still has a direction; an arm is straight or bent.
_LENGTH_STEP = np.array([0.3, *[0.5] * 2, *[0.3] * 4])
_SHORTEST = np.array([0.1, *[0.5] * 2, *[0.1] * 4])
# From this share of its full length on a bone is full: what is not foreshortened trembles, too.
_FULL_FROM = np.array([0.75, *[1.0] * 2, *[0.75] * 4])
# Ratio of one step of a box's shape to the next.
_SHAPE = 1.4


@dataclass(frozen=True)
class StepSettings:
    """How coarse a shown posture is.

    trunk_sectors, arm_sectors, leg_sectors: in how many picture directions each can point. turn, gaze: steps of
    numbers with a range of 2. leash: the shown place stays within this many statures of the noised one and moves no
    more than it has to. stature: ratio of one step to the next. hysteresis: how far (in steps) beyond the border of a
    step a number has to be to leave it.
    """

    trunk_sectors: int = 8
    arm_sectors: int = 4
    leg_sectors: int = 4
    turn: float = 1.0
    gaze: float = 0.7
    leash: float = 0.12
    stature: float = 1.15
    hysteresis: float = 0.25

    def __post_init__(self) -> None:
        limits = {
            "trunk_sectors": (4, 360), "arm_sectors": (4, 360), "leg_sectors": (4, 360), "turn": (0.01, 2.0),
            "gaze": (0.01, 2.0), "leash": (0.0, 1.0), "stature": (1.001, 2.0), "hysteresis": (0.0, 1.0),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"steps.{name}: {getattr(self, name)} is not in [{low}, {high}]")


class Steps:
    """The steps that one subject is on."""

    def __init__(self, settings: StepSettings) -> None:
        self._settings = settings
        s = settings
        self._sectors = np.array([s.trunk_sectors] + [s.arm_sectors] * 2 + [s.leg_sectors] * 4, np.float64)
        # After so many steps a number is the same again.
        self._round = np.concatenate([np.full(5 + DIRECTIONS, np.inf), self._sectors])
        self._on: FloatArray | None = None
        self._place: FloatArray | None = None

    def __call__(self, values: FloatArray, known: BoolArray, shape: tuple[int, int]) -> tuple[Posture, FloatArray]:
        """Return the posture that noised numbers, (21,), are shown as, and the size of the box in px, (2,).

        known: (7,) directions of which something is seen; the others stay. shape: (H, W) of the picture.
        """
        s = self._settings
        values = np.append(np.clip(values[: TOWARDS.start], LOWEST, HIGHEST), values[TOWARDS])
        towards = values[TOWARDS].reshape(DIRECTIONS, 2)
        steps = np.concatenate([
            values[[STATURE, HEIGHT]] / log(s.stature),
            [values[SHAPE] / log(_SHAPE), values[TURN] / s.turn, values[GAZE] / s.gaze],
            (1 - np.clip(np.hypot(*towards.T) / _FULL_FROM, _SHORTEST, 1.0)) / _LENGTH_STEP,
            np.arctan2(towards[:, 0], towards[:, 1]) / (2 * pi) * self._sectors,
        ])  # fmt: skip
        self._on = steps = self._held(steps, np.concatenate([np.ones(5, np.bool_), known, known]))
        lengths = 1 - steps[5 : 5 + DIRECTIONS] * _LENGTH_STEP
        angles = steps[5 + DIRECTIONS :] / self._sectors * 2 * pi
        stature = float(s.stature ** steps[0] * shape[0])
        self._place = self._leashed(values[PLACE] * (shape[1], shape[0]), s.leash * stature)
        posture = Posture(
            place=self._place,
            stature=stature,
            directions=np.stack([np.sin(angles), np.cos(angles)], axis=1) * lengths[:, None],
            turn=float(np.clip(steps[3] * s.turn, -1, 1)),
            gaze=float(np.clip(steps[4] * s.gaze, -1, 1)),
        )
        height = s.stature ** steps[1] * shape[0]
        return posture, np.array([height * _SHAPE ** steps[2], height])

    def _held(self, steps: FloatArray, known: BoolArray) -> FloatArray:
        """Return the nearest whole steps; one that is held is left only beyond its border."""
        nearest = np.rint(steps)
        if self._on is None:
            return nearest
        away = np.abs(steps - self._on)
        away = np.minimum(away, np.abs(self._round - away))
        return np.where(known & (away > 0.5 + self._settings.hysteresis), nearest, self._on)

    def _leashed(self, place: FloatArray, leash: float) -> FloatArray:
        if self._place is None:
            return place
        return place + np.clip(self._place - place, -leash, leash)
