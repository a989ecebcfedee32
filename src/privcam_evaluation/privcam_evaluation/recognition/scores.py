"""From what was said of every clip to the numbers of eval.json."""

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from privcam_evaluation.recognition.event_matching import KINDS, Seen

BINS = 10


def scores(seen: Sequence[Seen]) -> dict[str, Any]:
    """Return everything that is measured, ready for JSON. What cannot be measured on these clips is null."""
    falls = [one for one in seen if one.clip.label == "fall"]
    others = [one for one in seen if one.clip.label != "fall"]
    hits = [one for one in falls if one.hit is not None]
    delays = [one.delay_s for one in hits if one.delay_s is not None]
    matrix = confusion(seen)
    chances = [chance for one in seen for chance in one.chances]
    return {
        "clips": len(seen),
        "falls": {
            "clips": len(falls),
            "recall": _share(len(hits), len(falls)),
            "missed": sorted(one.clip.name for one in falls if one.hit is None),
            "other_clips": len(others),
            "false_alarms": sum(one.false_alarms for one in others),
            "false_alarm_clips": sorted(one.clip.name for one in others if one.false_alarms),
            "false_alarms_beside_a_fall": sum(one.false_alarms for one in falls),
            "delay_s": round(median(delays), 2) if delays else None,
            "delay_s_worst": round(max(delays), 2) if delays else None,
        },
        "fights": fights(seen),
        "ece": round(calibration_error(chances), 4) if chances else None,
        "ms_per_subject": round(1e3 * sum(one.seconds for one in seen) / max(1, sum(one.looks for one in seen)), 3),
        "kinds": {
            kind: {
                "clips": int(matrix[row].sum()),
                "recall": _share(int(matrix[row, row]), int(matrix[row].sum())),
                "precision": _share(int(matrix[row, row]), int(matrix[:, row].sum())),
            }
            for row, kind in enumerate(KINDS)
        },
        "confusion": {"rows_true_columns_said": list(KINDS), "counts": matrix.tolist()},
    }


def fights(seen: Sequence[Seen]) -> dict[str, Any]:
    """Return how well clips of fights and of ordinary life before the same kind of camera are told apart."""
    fought = [one.fights for one in seen if one.clip.label == "fight"]
    calm = [not one.fights for one in seen if one.clip.label == "no_fight"]
    both = [_share(sum(part), len(part)) for part in (fought, calm)]
    known = [share for share in both if share is not None]
    return {
        "clips": len(fought),
        "calm_clips": len(calm),
        "recall": both[0],
        "specificity": both[1],
        "balanced_accuracy": round(sum(known) / 2, 4) if len(known) == len(both) else None,
    }


def confusion(seen: Sequence[Seen]) -> npt.NDArray[np.int64]:
    """Return how many clips of each kind (rows) were said to be of each kind (columns)."""
    matrix = np.zeros((len(KINDS), len(KINDS)), np.int64)
    for one in seen:
        matrix[KINDS.index(one.kind), KINDS.index(one.said)] += 1
    return matrix


def reliability(chances: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Return (mean probability, share that was true, count) of each of BINS equal bins that holds any."""
    said, true = np.array([c for c, _ in chances]), np.array([t for _, t in chances], float)
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        (float(said[place == k].mean()), float(true[place == k].mean()), int((place == k).sum()))
        for k in range(BINS)
        if (place == k).any()
    ]


def calibration_error(chances: Sequence[tuple[float, bool]]) -> float:
    """Return the expected calibration error: how far probabilities are from what was true, weighted by count."""
    bins = reliability(chances)
    total = sum(count for _, _, count in bins)
    return sum(abs(said - true) * count for said, true, count in bins) / total


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
