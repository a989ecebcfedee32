"""Decides in which frames the detector looks.

The tracks and the presences of the privacy engine bridge the frames in between, and the boxes of the last look protect
pixels until the next one. All times are of the stamps, so that 5 and 30 frames/s are alike.
"""

from collections.abc import Sequence

import numpy as np

from privcam_core.images.scene_changes import Cells, SceneChanges, cells_of
from privcam_core.images.still_scene import MIN_CELLS, STILL_AFTER_S
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.perception import Track, TrackState
from privcam_core.types.time import NS_PER_S
from privcam_perception.scheduling.track_motion import is_quick, is_touching

# Seconds from one look to the next: where something has to be decided soon, where something moves, where nothing does.
_SOON_S = 0.1
_MOVING_S = 0.25
# Before a scene counts as still, somebody whom the detector finds in one look of ten has been found.
_STILL_S = 1.0
# A track that was lost is looked for at once for so long. Later its subject has left, or the detector cannot see it.
_LOST_S = 1.0
# What comes into the picture is looked at at once for so long; a screen or a tree moves on and has no box.
_ARRIVING_S = 1.0
# Margin around the box of a track within which changes belong to it, in box sides: arms, shadow.
_TRACK_MARGIN = 0.3
# In a crowd there is always something to be decided: of more people than these, so many looks at once, as when somebody
# comes in or falls, and then one in so many seconds.
_FEW = 3
_MAX_URGENT = 5.0
_URGENT_S = 1.0
# The detector gets this share of the time of one processor core. A slow machine looks more seldom.
_SHARE = 0.25


class DetectionSchedule:
    """Decides for the frames of one camera, in their order."""

    def __init__(self) -> None:
        self._changes = SceneChanges()
        self._last: Cells | None = None
        self._last_ns = 0
        self._stamp_ns = 0
        self._changed_ns = 0
        self._outside_since_ns = 0
        self._outside_ns = 0
        # Of every lost subject: the stamp of the frame in which it was lost first.
        self._lost_ns: dict[int, int] = {}
        self._urgent_left = _MAX_URGENT

    def is_due(
        self, image: Image, stamp_ns: int, tracks: Sequence[Track], *, searching: bool, look_s: float = 0.0
    ) -> bool:
        """Return whether the detector has to look at this frame, and note that it does.

        image: (H, W, 3) uint8 BGR. stamp_ns: capture time. tracks: of an earlier frame. searching: somebody is looked
        for where no box is. look_s: seconds that a look takes on this machine, 0: no limit.
        """
        interval_ns, self._stamp_ns = max(0, stamp_ns - self._stamp_ns), stamp_ns
        self._urgent_left = min(_MAX_URGENT, self._urgent_left + interval_ns / NS_PER_S / _URGENT_S)
        lost = [track.subject_id for track in tracks if track.state is TrackState.LOST]
        self._lost_ns = {subject: self._lost_ns.get(subject, stamp_ns) for subject in lost}
        cells, last = self._changes.update(image), self._last
        if last is not None and stamp_ns - self._last_ns >= 0:
            changed = self._changes.between(cells, last)
            period_s = max(self._period_s(changed, image.shape, stamp_ns, tracks, searching), look_s / _SHARE)
            # To the nearest frame.
            if stamp_ns - self._last_ns + interval_ns / 2 < period_s * NS_PER_S:
                return False
        else:
            self._changed_ns = stamp_ns
        if stamp_ns - self._last_ns + interval_ns / 2 < _MOVING_S * NS_PER_S:
            self._urgent_left = max(0.0, self._urgent_left - 1)
        self._last, self._last_ns = cells, stamp_ns
        return True

    def _period_s(
        self, changed: BoolArray, shape: tuple[int, ...], stamp_ns: int, tracks: Sequence[Track], searching: bool
    ) -> float:
        if np.count_nonzero(changed) >= MIN_CELLS:
            self._changed_ns = stamp_ns
        if any(is_touching(one, tracks) for one in tracks if one.state is TrackState.CONFIRMED):
            return _SOON_S  # boxes that overlap change too much to be predicted
        urgent = self._is_arriving(changed, shape, stamp_ns, tracks)
        urgent = urgent or any(self._is_urgent(one, stamp_ns, tracks) for one in tracks)
        if urgent and (len(tracks) <= _FEW or self._urgent_left >= 1):
            return _SOON_S
        if searching or stamp_ns - self._changed_ns < STILL_AFTER_S * NS_PER_S:
            return _MOVING_S
        return _STILL_S

    def _is_arriving(self, changed: BoolArray, shape: tuple[int, ...], stamp_ns: int, tracks: Sequence[Track]) -> bool:
        """Return whether something moves where no track is, and did not a moment ago."""
        outside = changed.copy()
        for track in tracks:
            outside[cells_of(track.box, shape, _TRACK_MARGIN)] = False
        if np.count_nonzero(outside) < MIN_CELLS:
            return False
        if stamp_ns - self._outside_ns > _ARRIVING_S * NS_PER_S:
            self._outside_since_ns = stamp_ns
        self._outside_ns = stamp_ns
        return stamp_ns - self._outside_since_ns < _ARRIVING_S * NS_PER_S

    def _is_urgent(self, track: Track, stamp_ns: int, tracks: Sequence[Track]) -> bool:
        """Return whether the next look decides whether this is a subject, falls, or is still there."""
        if track.state is TrackState.LOST:
            lost_ns = stamp_ns - self._lost_ns[track.subject_id]
            return lost_ns < _LOST_S * NS_PER_S and not is_touching(track, tracks)
        return track.state is TrackState.TENTATIVE or is_quick(track)
