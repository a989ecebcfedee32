"""Tracking evaluation: IDF1 and HOTA of the project's tracker and of others on the same detections.

    python -m privcam_evaluation.tracking.tracking_eval FOLDER [FOLDER ...] [--every 3]

Folders are MOT Challenge sequences. Metrics and baselines come from the optional package `trackers`. The folders
hold no pictures, so the tracker of the project uses motion alone. Every tracker reports only people that it has a
detection for.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from privcam_core.types.boxes import iou
from privcam_core.types.perception import Detections, TrackState
from privcam_core.types.time import NS_PER_S
from privcam_evaluation.tracking import mot_challenge
from privcam_perception.tracking.deepsort import DeepSort
from privcam_perception.tracking.matching import FORBIDDEN

# One frame of a tracker: ids (N,), boxes (N, 4) px.
TrackedBoxes = tuple[npt.NDArray[np.int64], npt.NDArray[np.floating]]
# Makes a fresh tracker for a sequence of that many frames/s: (detections, stamp in ns) -> TrackedBoxes.
MakeTracker = Callable[[float], Callable[[Detections, int], TrackedBoxes]]

_SAME = 0.5  # IoU from which a box counts as an ignored one, as in the MOT Challenge


def ours(rate: float) -> Callable[[Detections, int], TrackedBoxes]:
    """Return DeepSORT with its default parameters."""
    del rate  # it goes by the stamps
    tracker = DeepSort()

    def step(detections: Detections, stamp_ns: int) -> TrackedBoxes:
        tracks = [t for t in tracker.update(detections, None, stamp_ns) if t.state is TrackState.CONFIRMED]
        return np.array([t.subject_id for t in tracks], np.int64), np.array([t.box for t in tracks]).reshape(-1, 4)

    return step


def baseline(name: str, **parameters: object) -> MakeTracker:
    """Return the tracker of that class name in the package `trackers`, with its defaults but for `parameters`."""
    import supervision
    import trackers

    def make(rate: float) -> Callable[[Detections, int], TrackedBoxes]:
        tracker = getattr(trackers, name)(frame_rate=rate, **parameters)

        def step(detections: Detections, stamp_ns: int) -> TrackedBoxes:
            del stamp_ns
            given = supervision.Detections(
                xyxy=detections.boxes, confidence=detections.scores, class_id=np.zeros(len(detections), int)
            )
            found = tracker.update(given)
            known = found.tracker_id >= 0
            return found.tracker_id[known].astype(np.int64), found.xyxy[known]

        return step

    return make


@dataclass(frozen=True)
class Result:
    """Scores of one tracker, in [0, 1], and its median ms per frame."""

    hota: float
    idf1: float
    det_a: float
    ass_a: float
    ms: float


def evaluate(make: MakeTracker, sequences: list[mot_challenge.Sequence]) -> tuple[list[Result], Result]:
    """Return the result for each sequence and for all of them together."""
    from trackers.eval import (
        aggregate_hota_metrics,
        aggregate_identity_metrics,
        compute_hota_metrics,
        compute_identity_metrics,
    )

    hotas, identities, results, times = [], [], [], []
    for sequence in sequences:
        *ids, spent = _follow(make, sequence)
        hotas.append(compute_hota_metrics(*ids))
        identities.append(compute_identity_metrics(*ids))
        times += spent
        results.append(_result(hotas[-1], identities[-1], spent))
    return results, _result(aggregate_hota_metrics(hotas), aggregate_identity_metrics(identities), times)


def _result(hota: dict[str, float], identity: dict[str, float], times: list[float]) -> Result:
    return Result(hota["HOTA"], identity["IDF1"], hota["DetA"], hota["AssA"], float(np.median(times)))


def _follow(
    make: MakeTracker, sequence: mot_challenge.Sequence
) -> tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.int64]], list[npt.NDArray[np.floating]], list[float]]:
    """Return true ids, followed ids and their (true, followed) IoU for each frame, and the ms that each frame took."""
    step = make(sequence.rate)
    true_ids, followed_ids, overlaps, spent = [], [], [], []
    for index, (detections, truth) in enumerate(zip(sequence.detections, sequence.truth, strict=True)):
        began = time.perf_counter()
        ids, boxes = step(detections, round(index / sequence.rate * NS_PER_S))
        spent.append((time.perf_counter() - began) * 1e3)
        keep = ~_on_ignored(boxes, truth)
        true_ids.append(truth.ids)
        followed_ids.append(ids[keep])
        overlaps.append(iou(truth.boxes, boxes[keep]))
    return true_ids, followed_ids, overlaps, spent


def _on_ignored(boxes: npt.NDArray[np.floating], truth: mot_challenge.Truth) -> npt.NDArray[np.bool_]:
    """Return (N,) True for boxes whose best partner is one that counts neither as right nor as wrong."""
    overlap = iou(np.vstack((truth.boxes, truth.ignored)), boxes)
    result = np.zeros(len(boxes), bool)
    cost = np.where(overlap >= _SAME, 1 - overlap, FORBIDDEN)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < FORBIDDEN:
            result[column] = row >= len(truth.boxes)
    return result


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="MOT Challenge sequences with det/ and gt/")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="use every N-th frame only")
    options = parser.parse_args(arguments)
    if options.every < 1:
        parser.error(f"--every: is {options.every}, must be at least 1")
    try:
        sequences = [mot_challenge.read(folder).every(options.every) for folder in options.folders]
    except ValueError as error:
        parser.error(str(error))
    warnings.filterwarnings("ignore", module="trackers")

    same_scores = {"high_conf_det_threshold": 0.35}
    starting = {"track_activation_threshold": 0.35, **same_scores}
    contenders: dict[str, MakeTracker] = {
        "privcam DeepSORT": ours,
        "ByteTrack": baseline("ByteTrackTracker"),
        "OC-SORT": baseline("OCSORTTracker"),
        "BoT-SORT": baseline("BoTSORTTracker", enable_cmc=False),
        "ByteTrack, score as ours": baseline("ByteTrackTracker", **starting),
        "OC-SORT, score as ours": baseline("OCSORTTracker", **same_scores),
        "BoT-SORT, score as ours": baseline("BoTSORTTracker", enable_cmc=False, **starting),
    }
    columns = [*(sequence.name for sequence in sequences), "all"]
    print("HOTA / IDF1 in %".ljust(26), *(name.rjust(15) for name in columns), "DetA / AssA".rjust(13), "ms".rjust(6))
    for name, make in contenders.items():
        results, total = evaluate(make, sequences)
        cells = [f"{100 * r.hota:.1f} / {100 * r.idf1:.1f}".rjust(15) for r in [*results, total]]
        print(
            name.ljust(26), *cells, f"{100 * total.det_a:.1f} / {100 * total.ass_a:.1f}".rjust(13), f"{total.ms:6.2f}"
        )


if __name__ == "__main__":
    main()
