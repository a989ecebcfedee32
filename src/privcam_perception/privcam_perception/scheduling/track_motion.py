"""Says of a track whether its subject may be falling, is not upright, or is near somebody."""

from collections.abc import Sequence

import numpy as np

from privcam_core.types.boxes import intersections
from privcam_core.types.perception import TURNED, Track, TrackState

# Faster than this in heights per second, down or up, or with an aspect ratio that changes as fast: not a walk.
_QUICK_HEIGHTS_PER_S = 0.5
_QUICK_ASPECT_PER_S = 0.5
# A box wider than this many heights shows a body that is not upright.
_WIDE = 1.0


def is_quick(track: Track) -> bool:
    """Return whether the subject goes down, gets up or bends quickly."""
    height = max(track.box[3] - track.box[1], 1.0)
    _, down, shape, growth = track.velocity
    return max(abs(down), abs(growth)) > _QUICK_HEIGHTS_PER_S * height or abs(shape) > _QUICK_ASPECT_PER_S


def is_low(track: Track) -> bool:
    """Return whether the subject lies, or is bent so that the box is wider than high."""
    x0, y0, x1, y1 = track.box
    return track.source in TURNED or x1 - x0 > _WIDE * (y1 - y0)


def is_touching(track: Track, others: Sequence[Track]) -> bool:
    """Return whether the box overlaps that of somebody else who is tracked."""
    known = [one.box for one in others if one.subject_id != track.subject_id and one.state is not TrackState.LOST]
    boxes = np.array(known, np.float64).reshape(-1, 4)
    return bool((intersections(np.array([track.box]), boxes) > 0).any())
