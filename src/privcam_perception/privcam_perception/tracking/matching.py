"""Gated linear assignment of tracks and detections, and DeepSORT's matching cascade."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from privcam_core.types.arrays import FloatArray

# Cost of a pair that must not be matched. Any sum of admissible costs (each ≤ 1) stays below it.
FORBIDDEN = 1e5


@dataclass(frozen=True)
class Matches:
    """Pairs (track row, detection column), and the rows and columns without a partner, in ascending order."""

    pairs: list[tuple[int, int]]
    tracks: list[int]
    detections: list[int]


def assign(cost: FloatArray, tracks: Sequence[int], detections: Sequence[int]) -> Matches:
    """Return the cheapest matching of the given rows and columns of `cost`.

    cost: (N, M), FORBIDDEN where a pair is outside the gates; such a pair is never returned.
    """
    rows, columns = np.asarray(tracks, int), np.asarray(detections, int)
    if not len(rows) or not len(columns):
        return Matches([], sorted(tracks), sorted(detections))
    part = cost[np.ix_(rows, columns)]
    chosen = [(int(rows[i]), int(columns[j])) for i, j in zip(*linear_sum_assignment(part), strict=True)]
    pairs = [(i, j) for i, j in chosen if cost[i, j] < FORBIDDEN]
    return Matches(
        pairs,
        sorted(set(map(int, rows)) - {i for i, _ in pairs}),
        sorted(set(map(int, columns)) - {j for _, j in pairs}),
    )


def cascade(cost: FloatArray, ages: Sequence[int], tracks: Sequence[int], detections: Sequence[int]) -> Matches:
    """Return matches made age by age: a recently matched track chooses before a track that was lost for longer.

    A long-lost track is so uncertain that its gate covers half of the picture; without the order it would take
    detections from the right track. ages: frames since the last match, by row of `cost`.
    """
    pairs: list[tuple[int, int]] = []
    left: list[int] = []
    free = list(detections)
    for age in sorted({ages[i] for i in tracks}):
        found = assign(cost, [i for i in tracks if ages[i] == age], free)
        pairs += found.pairs
        left += found.tracks
        free = found.detections
    return Matches(pairs, sorted(left), sorted(free))
