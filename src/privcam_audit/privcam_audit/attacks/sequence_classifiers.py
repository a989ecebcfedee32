"""Classifies pose sequences by subject or behaviour, trained and tested on separate clips.

The features see a body relative to its own hips and its own size only: where somebody stood and how large they were
in the picture tells the clip, not the person. The length of a clip is no feature either, since whoever cut it chose it.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from privcam_core.types.arrays import BoolArray, Float64Array
from privcam_core.types.skeleton import LIMBS, SEEN, Joint

# Fixed before anything was measured, the same for raw and for anonymised poses.
_TREES = 300
ATTACKERS: dict[str, Callable[[], Any]] = {
    "extra trees": lambda: ExtraTreesClassifier(_TREES, random_state=0),
    "SVM": lambda: make_pipeline(StandardScaler(), SVC(C=10.0)),
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=300)),
}

_POINTS = [Joint.NOSE, *range(Joint.LEFT_SHOULDER, Joint.RIGHT_ANKLE + 1)]
_SHOULDERS, _HIPS = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER], [Joint.LEFT_HIP, Joint.RIGHT_HIP]
_BONES = [
    *LIMBS, tuple(_SHOULDERS), tuple(_HIPS), (Joint.LEFT_SHOULDER, Joint.LEFT_HIP),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP), (Joint.NOSE, Joint.LEFT_SHOULDER), (Joint.NOSE, Joint.RIGHT_SHOULDER),
]  # fmt: skip
_ANGLES = [
    (5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16), (7, 5, 11), (8, 6, 12), (5, 11, 13), (6, 12, 14),
]  # fmt: skip
_QUANTILES = (2, 10, 25, 50, 75, 90, 98)
_MOMENTS = 8
_BANDS_HZ = (0.0, 0.5, 1.0, 1.5, 2.5, 5.0, 8.0)
_MIN_FFT = 64
# Finer differences are rounding, in which a classifier can find absolute places.
_DECIMALS = 3


def features(times: Float64Array, poses: Float64Array) -> Float64Array:
    """Return what is measured of a sequence, (F,): statistics, speeds, course and rhythm of joints, bones and angles.

    times: (T,) s, growing. poses: (T, 17, 3) u, v in px, ρ.
    """
    series = _series(_filled(poses))
    return statistics(times, series, rhythmic=series[: 2 * len(_POINTS)])


def statistics(times: Float64Array, series: Float64Array, rhythmic: Float64Array) -> Float64Array:
    """Return what is measured of numbers that change, (F,). series: (S, T); of `rhythmic` also course and rhythm."""
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.1
    speed = np.gradient(series, axis=1) / step_s if series.shape[1] > 1 else np.zeros_like(series)
    at = np.rint(np.linspace(0, series.shape[1] - 1, _MOMENTS)).astype(int)
    count = max(_MIN_FFT, series.shape[1])
    power = np.abs(np.fft.rfft(rhythmic - rhythmic.mean(axis=1, keepdims=True), n=count)) ** 2
    rates = np.fft.rfftfreq(count, step_s)
    bands = [power[:, (rates >= low) & (rates < high)].sum(axis=1) for low, high in pairwise(_BANDS_HZ)]
    parts = [
        series.mean(axis=1), series.std(axis=1), np.percentile(series, _QUANTILES, axis=1).ravel(),
        speed.std(axis=1), np.percentile(np.abs(speed), 90, axis=1), np.abs(speed).mean(axis=1),
        rhythmic[:, at].ravel(), np.log1p(np.array(bands)).ravel(),
    ]  # fmt: skip
    return np.asarray(np.round(np.concatenate(parts), _DECIMALS), np.float64)


def cross_validate(
    train: Float64Array, test: Float64Array, labels: Sequence[str], sessions: Sequence[str]
) -> dict[str, BoolArray]:
    """Return for each attacker which of the clips it names rightly, each while its session was kept from the training.

    train, test: (N, F) features of the same clips, of the kind the attacker learns on and of the kind it is tried on.
    labels, sessions: of each clip.
    """
    y, session = np.array(labels), np.array(sessions)
    right: dict[str, BoolArray] = {name: np.zeros(len(y), np.bool_) for name in ATTACKERS}
    for group in np.unique(session):
        held = session == group
        if len(np.unique(y[~held])) < 2:
            continue
        for name, make in ATTACKERS.items():
            model = make().fit(train[~held], y[~held])
            right[name][held] = model.predict(test[held]) == y[held]
    return right


def _filled(poses: Float64Array) -> Float64Array:
    """Return (T, 17, 2) points; a gap is bridged evenly, a keypoint that is never seen is NaN."""
    points, seen, index = poses[:, :, :2].copy(), poses[:, :, 2] >= SEEN, np.arange(len(poses))
    for joint in range(poses.shape[1]):
        there = seen[:, joint]
        for axis in (0, 1):
            known = points[there, joint, axis]
            points[:, joint, axis] = np.interp(index, index[there], known) if there.any() else np.nan
    return points


def _series(points: Float64Array) -> Float64Array:
    """Return (S, T): joints from the hips, bone lengths and directions, joint angles, way over the ground."""
    hips, shoulders = points[:, _HIPS].mean(axis=1), points[:, _SHOULDERS].mean(axis=1)
    lengths = np.array([_length(points[:, a] - points[:, b]) for a, b in _BONES])
    trunk = _length(shoulders - hips)
    with np.errstate(all="ignore"):
        size = np.percentile(lengths[: len(LIMBS)].sum(axis=0) / 2 + trunk, 80)
    size = size if np.isfinite(size) and size > 0 else 1.0
    joints = ((points - hips[:, None]) / size)[:, _POINTS]
    ways = [points[:, b] - points[:, a] for a, b in (*LIMBS, tuple(_HIPS), tuple(_SHOULDERS))] + [shoulders - hips]
    directions = [way / np.maximum(_length(way), 1e-6)[:, None] for way in ways]
    ground = np.fmax.reduce(points[:, :, 1], axis=1)
    parts = [
        *joints.transpose(1, 2, 0).reshape(-1, len(points)), *lengths / size, trunk / size,
        *np.array(directions).transpose(0, 2, 1).reshape(-1, len(points)),
        *(_angle(points[:, a] - points[:, b], points[:, c] - points[:, b]) for a, b, c in _ANGLES),
        (hips[:, 0] - hips[0, 0]) / size, (ground - hips[:, 1]) / size, (ground - ground[0]) / size,
    ]  # fmt: skip
    return np.asarray(np.round(np.nan_to_num(np.array(parts), nan=0.0, posinf=0.0, neginf=0.0), _DECIMALS), np.float64)


def _length(vectors: Float64Array) -> Float64Array:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]), np.float64)


def _angle(a: Float64Array, b: Float64Array) -> Float64Array:
    return np.asarray(np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1)), np.float64)
