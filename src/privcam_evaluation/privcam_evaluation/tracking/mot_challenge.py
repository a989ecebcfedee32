"""Reads sequences in the folder format of the MOT Challenge: public detections and ground truth."""

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import BoolArray, FloatArray
from privcam_core.types.perception import Detections

# Sequences without a seqinfo.ini (MOT15) that were checked here run at this rate.
_DEFAULT_RATE = 25.0
# Classes in the ground truth of MOT16 and later: a walking person, and objects that count neither as right nor as wrong
# (person on a vehicle, static person, distractor, reflection). MOT15 has world coordinates in these columns.
_PEDESTRIAN = 1
_IGNORED = (2, 7, 8, 12)
_COLUMNS_WITH_CLASS = 9
# Detectors with scores outside [0, 1] (DPM: a signed margin) go through the logistic function whose value is closest
# to the fraction of true boxes at that score: 0.43 at 0, 0.68 at 0.4, 0.9 at 0.9 on MOT17-02 and -09.
_LOGIT_SLOPE, _LOGIT_OFFSET = 2.7, -0.3


@dataclass(frozen=True)
class Truth:
    """What is true in one frame. ids: (N,). boxes: (N, 4) px. ignored: (K, 4) px, neither right nor wrong."""

    ids: npt.NDArray[np.int64]
    boxes: FloatArray
    ignored: FloatArray


@dataclass(frozen=True)
class Sequence:
    """One clip. rate: frames/s. detections and truth have one entry per frame."""

    name: str
    rate: float
    detections: list[Detections]
    truth: list[Truth]

    def every(self, step: int) -> "Sequence":
        """Return the sequence as a camera with `step` times fewer frames/s would have given it."""
        return Sequence(self.name, self.rate / step, self.detections[::step], self.truth[::step])


def read(folder: Path) -> Sequence:
    """Return the sequence in `folder` (det/det.txt, gt/gt.txt, seqinfo.ini where there is one).

    Raises ValueError for a missing or unreadable file, naming it.
    """
    found = _rows(folder / "det" / "det.txt", columns=7)
    truth = _rows(folder / "gt" / "gt.txt", columns=7)
    scores = found[:, 6]
    if scores.min() < 0 or scores.max() > 1:
        found[:, 6] = 1 / (1 + np.exp(-(_LOGIT_SLOPE * scores + _LOGIT_OFFSET)))
    frames = range(1, int(max(found[:, 0].max(), truth[:, 0].max())) + 1)
    return Sequence(
        folder.name,
        _rate(folder / "seqinfo.ini"),
        [_detections(found[found[:, 0] == frame]) for frame in frames],
        [_truth(truth[truth[:, 0] == frame]) for frame in frames],
    )


def _rows(path: Path, columns: int) -> FloatArray:
    try:
        rows = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as a MOT Challenge table ({error})") from error
    if not len(rows) or rows.shape[1] < columns:
        raise ValueError(f"{path}: has {rows.shape} rows and columns, needs at least 1 and {columns}")
    return rows


def _rate(path: Path) -> float:
    config = configparser.ConfigParser()
    config.read(path)
    return config.getfloat("Sequence", "frameRate", fallback=_DEFAULT_RATE)


def _boxes(rows: FloatArray) -> FloatArray:
    """Return (N, 4) x0, y0, x1, y1 of rows with left, top, width, height."""
    return np.hstack((rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]))


def _detections(rows: FloatArray) -> Detections:
    rows = rows[np.argsort(-rows[:, 6], kind="stable")]
    return Detections(_boxes(rows).astype(np.float32), rows[:, 6].astype(np.float32))


def _truth(rows: FloatArray) -> Truth:
    counted = rows[:, 6] == 1
    ignored: BoolArray = np.zeros(len(rows), np.bool_)
    if rows.shape[1] >= _COLUMNS_WITH_CLASS and np.isin(rows[:, 7], np.arange(13)).all():
        counted &= rows[:, 7] == _PEDESTRIAN
        ignored = np.isin(rows[:, 7], _IGNORED)
    return Truth(rows[counted, 1].astype(np.int64), _boxes(rows[counted]), _boxes(rows[ignored]))
