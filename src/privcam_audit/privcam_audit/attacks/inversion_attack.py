"""Inversion attack: reconstructs pictures of persons from the numbers that leave, z and P.

The attacker is generous: he owns raw pictures of half of the clips with the numbers that left beside them, and trains
decoders on these pairs. They are measured on the other half against decoders that see less.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from privcam_audit.audit_part import AuditPart
from privcam_core.types.arrays import Box, Image
from privcam_core.types.omega import Omega, SubjectPose
from privcam_evaluation.plotting import BLUE, GREEN, GREY, ORANGE, plt

Array = npt.NDArray[np.float64]

# Height and width in px of the pictures that are computed back.
CROP = (64, 32)
# The decoders answer with so many numbers, the weights of the main components of all person pictures seen in training.
COMPONENTS = 48
HIDDEN = 128
# With one clip, what lies between these fractions of its time is left out, so that no two neighbours part.
EARLY, LATE = 0.45, 0.55
ONE_CLIP = "first and second half of the one clip, with a gap"
MIN_CROPS = 20
_RIDGE_PENALTIES = np.logspace(1, 7, 13)
_NETWORK_PENALTIES = (1.0, 10.0, 100.0)
_EPOCHS = 60
_FOLDS = 4
_SEED = 0
# Decoders by what they see; of each two the stronger one counts.
_FROM_BOTH, _FROM_Z = ("ridge", "network"), ("ridge, z", "network, z")
_SSIM_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


@dataclass(frozen=True)
class _Sample:
    """One person in one frame. crop: CROP + (3,) uint8 BGR. z, pose: what left. at: number of the frame."""

    clip: str
    at: int
    crop: Image
    z: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float32]


class InversionAttack:
    """Give it frames of each clip with the Ω that left, then ask for the part."""

    def __init__(self) -> None:
        self._samples: list[_Sample] = []
        self._frames: dict[str, int] = {}

    def observe(self, clip: str, raw: Image, omega: Omega, subjects: Sequence[SubjectPose]) -> None:
        """Take one frame of a clip, in the order of time.

        raw: (H, W, 3) uint8 BGR. omega: what left. subjects: the poses as the edge found them, with the ids of omega:
        their boxes say where the persons are in the raw frame.
        """
        at = self._frames[clip] = self._frames.get(clip, 0) + 1
        left = {pose.subject_id: pose for pose in omega.poses}
        z = omega.embedding.values().reshape(-1)
        for subject in subjects:
            crop = _crop(raw, subject.box)
            if subject.subject_id in left and crop is not None:
                pose = _numbers(left[subject.subject_id], (raw.shape[0], raw.shape[1]))
                self._samples.append(_Sample(clip, at, crop, z, pose))

    def part(self, out: Path) -> AuditPart:
        """Train, measure and return the part. Writes a figure of numbers into `out`, never a picture of a person.

        Raises: ValueError where there are too few persons to train on.
        """
        train, test, split = _split(self._samples)
        if min(len(train), len(test)) < MIN_CROPS:
            raise ValueError(
                f"inversion: {len(train)} persons to train on and {len(test)} to test on are too few;"
                f" needs {MIN_CROPS} each. Give more or longer clips."
            )
        scores = {name: _measure(test, pictures) for name, pictures in _decode(train, test).items()}
        best, best_z = (max(names, key=lambda name: scores[name][0].mean()) for names in (_FROM_BOTH, _FROM_Z))
        path = out / "inversion.png"
        _figure(scores, path)
        values = {
            "psnr_db": round(float(scores[best][0].mean()), 2),
            "mean_picture_psnr_db": round(float(scores["mean picture"][0].mean()), 2),
            "room_psnr_db": round(float(scores["room only"][0].mean()), 2),
            "ssim": round(float(scores[best][1].mean()), 4),
            "mean_picture_ssim": round(float(scores["mean picture"][1].mean()), 4),
            "room_ssim": round(float(scores["room only"][1].mean()), 4),
            "improvement_db_interval": _interval(test, scores[best][0] - scores["mean picture"][0]),
            "z_psnr_db": round(float(scores[best_z][0].mean()), 2),
            "z_ssim": round(float(scores[best_z][1].mean()), 4),
            "decoder": best,
            "train_crops": len(train),
            "test_crops": len(test),
            "train_clips": len({s.clip for s in train}),
            "test_clips": len({s.clip for s in test}),
            "split": split,
        }
        caption = "How close decoders come to the raw picture of a person (mean over all test pictures)"
        return AuditPart("Inversion of z and P", {"inversion": values}, _text(values), [(path, caption)])


def _crop(raw: Image, box: Box) -> Image | None:
    """Return the person picture, CROP + (3,); None where the box lies outside of the frame."""
    height, width = raw.shape[:2]
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, round(box[2])), min(height, round(box[3]))
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    return np.asarray(cv2.resize(raw[y0:y1, x0:x1], CROP[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _numbers(pose: SubjectPose, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return P as numbers: keypoints in fractions of the box, confidences, and the box in fractions of the picture."""
    x0, y0, x1, y1 = pose.box
    points = (pose.keypoints[:, :2] - (x0, y0)) / (x1 - x0, y1 - y0)
    place = np.array([(x0 + x1) / shape[1], (y0 + y1) / shape[0], (x1 - x0) / shape[1], (y1 - y0) / shape[0]])
    head = (0.0, 0.0, 0.0) if pose.head is None else (pose.head.yaw, pose.head.pitch, pose.head.roll)
    # Keypoints that were not seen may lie anywhere.
    return np.concatenate([np.clip(points, -1, 2).ravel(), pose.keypoints[:, 2], place, head]).astype(np.float32)


def _split(samples: Sequence[_Sample]) -> tuple[list[_Sample], list[_Sample], str]:
    """Return the samples to train and to test on, and how they were parted."""
    clips = sorted({sample.clip for sample in samples})
    if len(clips) > 1:
        trained = set(clips[::2])
        train = [s for s in samples if s.clip in trained]
        return train, [s for s in samples if s.clip not in trained], "every second clip"
    last = max((sample.at for sample in samples), default=0)
    early = [s for s in samples if s.at <= EARLY * last]
    return early, [s for s in samples if s.at >= LATE * last], ONE_CLIP


def _pixels(samples: Sequence[_Sample]) -> Array:
    return np.array([sample.crop for sample in samples], np.float64).reshape(len(samples), -1) / 255


def _decode(train: Sequence[_Sample], test: Sequence[_Sample]) -> dict[str, Array]:
    """Return the pictures (N, pixels) in [0, 1] that each decoder makes for the test samples.

    room only: sees the mean of all numbers of the clip, so it may know the room and its light, but no moment.
    """
    pixels = _pixels(train)
    mean = pixels.mean(0)
    count = min(COMPONENTS, len(train) - 1)
    _, spread, components = np.linalg.svd(pixels - mean, full_matrices=False)
    components = components[:count]
    # One scale for all: a component counts by its fraction in the pictures.
    scale = spread[0] / np.sqrt(len(train)) or 1.0
    targets = (pixels - mean) @ components.T / scale
    parts = (train, test)
    seen, visible = (np.array([np.concatenate([s.z, s.pose]) for s in part]) for part in parts)
    seen_z, shown_z = (np.array([s.z for s in part]) for part in parts)
    folds = _folds(train)

    def pictures(decoder: Pipeline, choices: dict[str, Any], known: Array, given: Array) -> Array:
        search = GridSearchCV(decoder, choices, cv=folds, scoring="neg_mean_squared_error")
        with warnings.catch_warnings():
            # The network stops after _EPOCHS on purpose; the search chooses by the error on held-out folds.
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(known, targets)
        weights = search.predict(given).reshape(len(given), count)
        return np.asarray(np.clip(mean + weights * scale @ components, 0, 1), np.float64)

    ridge = make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": _RIDGE_PENALTIES}
    network = (
        make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(HIDDEN,), max_iter=_EPOCHS, random_state=_SEED)
        ),
        {"mlpregressor__alpha": _NETWORK_PENALTIES},
    )
    return {
        "mean picture": np.repeat(mean[None], len(test), 0),
        "room only": pictures(*ridge, _clip_means(train, seen), _clip_means(test, visible)),
        "ridge": pictures(*ridge, seen, visible),
        "network": pictures(*network, seen, visible),
        "ridge, z": pictures(*ridge, seen_z, shown_z),
        "network, z": pictures(*network, seen_z, shown_z),
    }


def _folds(train: Sequence[_Sample]) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """Return folds to choose penalties by. Clips stay whole, so that a frame is not judged by its neighbours."""
    clips = np.unique([sample.clip for sample in train], return_inverse=True)[1]
    groups = clips if clips.any() else np.arange(len(train)) * _FOLDS // len(train)
    return list(GroupKFold(min(_FOLDS, int(groups.max()) + 1)).split(groups, groups=groups))


def _clip_means(samples: Sequence[_Sample], numbers: Array) -> Array:
    clips = np.array([sample.clip for sample in samples])
    means = np.empty_like(numbers)
    for clip in np.unique(clips):
        means[clips == clip] = numbers[clips == clip].mean(0)
    return means


def _measure(samples: Sequence[_Sample], pictures: Array) -> tuple[Array, Array]:
    """Return the PSNR in dB and the SSIM of each picture, two (N,) arrays."""
    raw = _pixels(samples)
    error = np.maximum(((raw - pictures) ** 2).mean(1), 1e-10)
    likeness = [_ssim(a.reshape(*CROP, 3), b.reshape(*CROP, 3)) for a, b in zip(raw, pictures, strict=True)]
    return -10 * np.log10(error), np.array(likeness)


def _ssim(one: Array, other: Array) -> float:
    """Return the structural similarity of two (H, W, 3) pictures in [0, 1]: the mean over pixels and channels."""

    def blurred(values: Array) -> Array:
        smooth: Array = cv2.GaussianBlur(values, (0, 0), _SSIM_SIGMA)
        return smooth

    a, b = blurred(one), blurred(other)
    var_a, var_b = blurred(one * one) - a * a, blurred(other * other) - b * b
    covariance = blurred(one * other) - a * b
    fraction = (2 * a * b + _C1) * (2 * covariance + _C2) / ((a * a + b * b + _C1) * (var_a + var_b + _C2))
    return float(fraction.mean())


def _interval(samples: Sequence[_Sample], improvements: Array) -> list[float] | None:
    """Return the 95 % interval of the mean improvement in dB, drawn over clips; None for fewer than three clips."""
    clips = np.array([sample.clip for sample in samples])
    names = np.unique(clips)
    if len(names) < 3:
        return None
    random = np.random.default_rng(_SEED)
    by_clip = [improvements[clips == name] for name in names]
    means = [
        np.concatenate([by_clip[i] for i in random.integers(len(names), size=len(names))]).mean() for _ in range(1000)
    ]
    return [round(float(v), 2) for v in np.percentile(means, (2.5, 97.5))]


def _text(values: dict[str, Any]) -> str:
    interval = values["improvement_db_interval"]
    alike = (
        "Training and test pictures show the same persons in the same room, which helps the attacker."
        if values["split"] == ONE_CLIP
        else "Rooms and persons may be in both halves, which helps the attacker."
    )
    improvement = values["psnr_db"] - values["mean_picture_psnr_db"]
    confident = f" (95 % interval over clips: {interval[0]:+.2f} to {interval[1]:+.2f} dB)" if interval else ""
    return (
        f"Decoders were trained on {values['train_crops']} pictures of persons with the z and P that left beside them,"
        f" and had to compute {values['test_crops']} other pictures from z and P alone"
        f" (parted by: {values['split']}). {alike}\n\n"
        "| decoder | PSNR dB | SSIM |\n|---|---|---|\n"
        f"| sees nothing: always the mean picture | {values['mean_picture_psnr_db']:.2f}"
        f" | {values['mean_picture_ssim']:.3f} |\n"
        f"| sees only the mean of the clip: the room | {values['room_psnr_db']:.2f} | {values['room_ssim']:.3f} |\n"
        f"| sees z and P ({values['decoder']}, the stronger of two) | {values['psnr_db']:.2f}"
        f" | {values['ssim']:.3f} |\n"
        f"| sees z alone (the stronger of two) | {values['z_psnr_db']:.2f} | {values['z_ssim']:.3f} |\n\n"
        f"z and P are worth {improvement:+.2f} dB to this attacker{confident}. Posture and place may leave, and a"
        " picture of the right posture against the right wall is closer than the mean one without showing who it is. It"
        " does not show what a larger network with more pictures could do."
    )


def _figure(scores: dict[str, tuple[Array, Array]], path: Path) -> None:
    figure, (psnr, ssim) = plt.subplots(1, 2, figsize=(13, 3.8), layout="constrained")
    colors = [GREY, ORANGE, BLUE, BLUE, GREEN, GREEN]
    for axes, column, unit in ((psnr, 0, "PSNR, dB"), (ssim, 1, "SSIM")):
        patches = axes.bar(list(scores), [float(values[column].mean()) for values in scores.values()], color=colors)
        axes.bar_label(patches, fmt="%.2f")
        axes.margins(y=0.15)
        axes.set(ylabel=unit)
    figure.suptitle("pictures of persons, computed back: higher is closer to the raw picture")
    figure.savefig(path, dpi=110)
    plt.close(figure)
