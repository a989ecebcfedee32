"""Falls of the UP-Fall data set as BlazePose skeletons, five subjects, two cameras.

The rows of the published files are not in the order of time: they are sorted by the number of the frame as text (1,
10, 100, 101, ... 109, 11, 110 ...), without the frames in which nobody was found, and end after 100 rows. So frame 2
can be row 60, or missing. `order_rows` finds the frames again. The column LABEL goes by rows, not by time, and is left.
"""

import csv
import io
import re
from collections.abc import Iterator
from heapq import nsmallest
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from privcam_core.types.arrays import Float32Array
from privcam_core.types.skeleton import Joint
from privcam_training.temporal.data.skeleton_clips import SkeletonClip, clip_of, poses_of

# Where the sets of the whole folder of skeletons are: the poses, and when the falls are (OmniFall).
POSES, TIMES = "upfall", "omnifall_labels/omnifall_up_fall.csv"
RATE_HZ, LAST = 18.0, 199
SHAPE = (480, 640)
FALL = "1"
# Places among the 33 of BlazePose, in the order of `Joint`.
JOINTS = dict(zip(Joint, (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28), strict=True))
_COLUMNS = 33 * 3
# Cost of a missing frame against the mean way of the joints (fraction of the picture); a way above _FAR is a jump to
# another person. So many orders are followed up, and so many frames in a row may be missing.
_MISSING, _FAR, _ORDERS, _HOLE = 0.001, 0.17, 200, 25
# A fall can be watched where nobody is out of sight for so long, no trunk jumps so far, and the shoulders come down so
# far, fractions of the height of the picture.
_GAP_S, _JUMP, _DOWN = 0.5, 0.25, 0.2
_NAME = re.compile(r"S(\d+)_?A(\d)_?T(\d)")


def read(folder: Path) -> list[SkeletonClip]:
    """Return the falls that can be watched from before until they are over, [] where POSES or TIMES is not there.

    Each `SUBJECT*.zip` has files of 100 rows of 33 joints, x, y (fractions of the picture), z, and LABEL. Their names
    say subject, activity and trial.
    """
    times = folder / TIMES
    if not times.is_file():
        return []
    falls = _times(times)
    sequences = []
    for name, rows in _files(folder / POSES):
        if (found := _NAME.search(name)) is None or found.groups() not in falls:
            continue
        start, end = (round(seconds * RATE_HZ) for seconds in falls[found.groups()])
        numbers = order_rows(rows.reshape(len(rows), -1)) - 1
        points = np.full((LAST, *rows.shape[1:]), -1.0)
        points[numbers] = rows
        if _is_observable(points, start, end):
            clip = clip_of(f"upfall_{name}", "fall", f"upfall_S{found[1]}", RATE_HZ, (start, end))
            poses: Float32Array = poses_of(JOINTS, points * SHAPE[::-1], SHAPE)[:, None]
            sequences.append(SkeletonClip(clip, poses, SHAPE))
    return sequences


def count(folder: Path) -> int:
    """Return how many files there are."""
    return sum(1 for _ in _files(folder / POSES))


def _files(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yield name and rows, (100, 33, 2), of each file."""
    for path in sorted(folder.glob("SUBJECT*.zip")):
        with ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".csv"):
                    table = np.loadtxt(io.BytesIO(archive.read(name)), delimiter=",", skiprows=1, ndmin=2)
                    yield Path(name).stem, table[:, :_COLUMNS].reshape(len(table), 33, 3)[:, :, :2]


def _times(path: Path) -> dict[tuple[str, ...], tuple[float, float]]:
    """Return start and end of the fall, s, of (subject, activity, trial)."""
    found = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            parts = re.search(r"Subject(\d+)Activity(\d+)Trial(\d+)Camera", row["path"])
            if parts is not None and row["label"] == FALL:
                found[parts.groups()] = float(row["start"]), float(row["end"])
    return found


def order_rows(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the number of the frame that each row is, (rows,). rows: (rows, values), sorted by number as text.

    Rows of numbers with as many digits follow each other in time. Of all ways to give numbers to rows the one is taken
    on which joints move least, and fewest frames are missing (beam search).
    """
    away = np.minimum(np.abs(rows[:, None] - rows[None]).mean(axis=2), _FAR).tolist()
    names = sorted(range(1, LAST + 1), key=str)
    # Place in `names` and the last row with 1, 2 and 3 digits, to cost and numbers so far.
    orders: dict[tuple[int, tuple[int, ...]], tuple[float, tuple[int, ...]]] = {(-1, (-1, -1, -1)): (0.0, ())}
    for row in range(len(rows)):
        longer: dict[tuple[int, tuple[int, ...]], tuple[float, tuple[int, ...]]] = {}
        end = len(names) - (len(rows) - row - 1)
        for (place, last), (cost, numbers) in orders.items():
            for following in range(place + 1, min(place + 2 + _HOLE, end)):
                number = names[following]
                digits = len(str(number)) - 1
                before = last[digits]
                total = cost + _MISSING * (following - place - 1) + (away[before][row] if before >= 0 else 0.0)
                state = following, (*last[:digits], row, *last[digits + 1 :])
                if state not in longer or total < longer[state][0]:
                    longer[state] = total, (*numbers, number)
        orders = dict(nsmallest(_ORDERS, longer.items(), key=lambda order: order[1][0]))
    return np.array(min(orders.values())[1])


def _is_observable(points: npt.NDArray[np.float64], start: int, end: int) -> bool:
    """Say whether a fall can be watched. points: (frames, 33, 2), -1 where nobody was found. start, end: its frames."""
    frames = np.flatnonzero(points[:, 0, 0] >= 0)
    within = frames[(frames >= start) & (frames <= end)]
    if len(within) < 2:
        return False
    holes = np.diff([start, *within, end])
    trunk = points[within][:, [JOINTS[joint] for joint in _TRUNK]].mean(axis=1)
    jumps = np.hypot(*np.diff(trunk, axis=0).T)
    down = points[within[-1], _SHOULDERS, 1].mean() - points[within[0], _SHOULDERS, 1].mean()
    return bool(holes.max() <= _GAP_S * RATE_HZ and jumps.max() <= _JUMP and down >= _DOWN)


_TRUNK = (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP)
_SHOULDERS = [JOINTS[Joint.LEFT_SHOULDER], JOINTS[Joint.RIGHT_SHOULDER]]
