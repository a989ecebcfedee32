"""Computes the scores of eval.json from the results of all clips."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from privcam_evaluation.recognition.event_matching import KINDS, ClipResult

BINS = 10


def scores(results: Sequence[ClipResult]) -> dict[str, Any]:
    """Return everything that is measured, ready for JSON. What cannot be measured on these clips is null."""
    falls = [one for one in results if one.clip.label == "fall"]
    others = [one for one in results if one.clip.label != "fall"]
    hits = [one for one in falls if one.hit is not None]
    delays = [one.delay_s for one in hits if one.delay_s is not None]
    matrix = confusion(results)
    subject_frames = sum(one.subject_frames for one in results)
    probabilities = [pair for one in results for pair in one.probabilities]
    return {
        "clips": len(results),
        "falls": {
            "clips": len(falls),
            "recall": _fraction(len(hits), len(falls)),
            "missed": sorted(one.clip.name for one in falls if one.hit is None),
            "other_clips": len(others),
            "false_alarms": sum(one.false_alarms for one in others),
            "false_alarm_clips": sorted(one.clip.name for one in others if one.false_alarms),
            "false_alarms_beside_a_fall": sum(one.false_alarms for one in falls),
            "other_footage_s": round(sum(one.length_s for one in others), 1),
            "false_alarms_per_hour": _per_hour(
                sum(one.false_alarms for one in others), sum(one.length_s for one in others)
            ),
            "missed_by_cause": dict(Counter(one.cause_of_miss for one in falls if one.cause_of_miss)),
            "by_source": {source: of_source(part) for source, part in by_source(falls).items()},
            "delay_s": round(median(delays), 2) if delays else None,
            "delay_s_worst": round(max(delays), 2) if delays else None,
        },
        "long_lies": {
            "clips": len(falls),
            "recall": _fraction(sum(bool(one.long_lies) for one in falls), len(falls)),
            "missed": sorted(one.clip.name for one in falls if not one.long_lies),
            "false_alarms": sum(len(one.long_lies) for one in others),
            "false_alarms_per_hour": _per_hour(
                sum(len(one.long_lies) for one in others), sum(one.length_s for one in others)
            ),
            "false_alarm_clips": sorted(one.clip.name for one in others if one.long_lies),
        },
        "fights": fights(results),
        "ece": round(calibration_error(probabilities), 4) if probabilities else None,
        "ms_per_subject": round(1e3 * sum(one.seconds for one in results) / max(1, subject_frames), 3),
        "kinds": {
            kind: {
                "clips": int(matrix[row].sum()),
                "recall": _fraction(int(matrix[row, row]), int(matrix[row].sum())),
                "precision": _fraction(int(matrix[row, row]), int(matrix[:, row].sum())),
            }
            for row, kind in enumerate(KINDS)
        },
        "confusion": {"rows_true_columns_said": list(KINDS), "counts": matrix.tolist()},
    }


def by_source(results: Sequence[ClipResult]) -> dict[str, list[ClipResult]]:
    """Return the clips by the folder that they are in: a folder is a data set, and data sets differ most."""
    sources: dict[str, list[ClipResult]] = {}
    for one in sorted(results, key=lambda one: one.clip.name):
        sources.setdefault(one.clip.name.rpartition("/")[0], []).append(one)
    return sources


def of_source(falls: Sequence[ClipResult]) -> dict[str, Any]:
    """Return how many falls of one source were reported, by either alarm."""
    return {
        "clips": len(falls),
        "fall_seen": sum(one.hit is not None for one in falls),
        "long_lie": sum(bool(one.long_lies) for one in falls),
        "either": sum(one.hit is not None or bool(one.long_lies) for one in falls),
    }


def fights(results: Sequence[ClipResult]) -> dict[str, Any]:
    """Return the scores of fight detection on clips labelled `fight` and `no_fight`."""
    fought = [one.fights for one in results if one.clip.label == "fight"]
    calm = [not one.fights for one in results if one.clip.label == "no_fight"]
    both = [_fraction(sum(part), len(part)) for part in (fought, calm)]
    known = [fraction for fraction in both if fraction is not None]
    return {
        "clips": len(fought),
        "calm_clips": len(calm),
        "recall": both[0],
        "specificity": both[1],
        "balanced_accuracy": round(sum(known) / 2, 4) if len(known) == len(both) else None,
    }


def confusion(results: Sequence[ClipResult]) -> npt.NDArray[np.int64]:
    """Return the confusion matrix: rows are the true kinds, columns the reported ones."""
    matrix = np.zeros((len(KINDS), len(KINDS)), np.int64)
    for one in results:
        matrix[KINDS.index(one.true_kind), KINDS.index(one.reported_kind)] += 1
    return matrix


def reliability(probabilities: Sequence[tuple[float, bool]]) -> list[tuple[float, float, int]]:
    """Return (mean probability, fraction that was true, count) of each of BINS equal bins that holds any."""
    predicted, true = np.array([c for c, _ in probabilities]), np.array([t for _, t in probabilities], float)
    place = np.minimum((predicted * BINS).astype(int), BINS - 1)
    return [
        (float(predicted[place == k].mean()), float(true[place == k].mean()), int((place == k).sum()))
        for k in range(BINS)
        if (place == k).any()
    ]


def calibration_error(probabilities: Sequence[tuple[float, bool]]) -> float:
    """Return the expected calibration error: the mean distance of probabilities from frequencies, weighted by count."""
    bins = reliability(probabilities)
    total = sum(count for _, _, count in bins)
    return sum(abs(predicted - true) * count for predicted, true, count in bins) / total


def _per_hour(count: int, seconds: float) -> float | None:
    return round(count / seconds * 3600, 2) if seconds else None


def _fraction(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
