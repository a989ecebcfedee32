"""Counts how often a hand goes to the mouth. Smoking repeats this; hardly anything else does."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privcam_core.types.skeleton import SEEN, Joint

# A wrist nearer to the nose than this is at the mouth, in H: a hand is 0.1 H long.
AT_MOUTH_H = 0.13
# A wrist farther from the nose than this has left the mouth, in H.
LEFT_H = 0.20
# The wrist stays at the mouth for this long, in s; a hand that only passes does not.
MIN_STAY_S = 0.2
# Movements are counted within this period, in s.
PERIOD_S = 60.0
# From this many movements within PERIOD_S on it is smoking: a person who drinks or scratches does it once.
MIN_COUNT = 2
_WRISTS = (Joint.LEFT_WRIST, Joint.RIGHT_WRIST)


@dataclass
class HandToMouth:
    """Follows the hands of one subject."""

    _times: deque[float] = field(default_factory=deque)
    _since: float | None = None
    _counted: bool = False

    def update(self, seconds: float, keypoints: npt.NDArray[np.float32], height_px: float) -> None:
        """Take in a pose, (17, 3) px, px, ρ; keypoints that are not seen change nothing.

        seconds: camera time. height_px: H of the subject.
        """
        nose = keypoints[Joint.NOSE]
        seen = [keypoints[wrist] for wrist in _WRISTS if keypoints[wrist, 2] >= SEEN]
        if nose[2] < SEEN or not seen:
            return
        distance = min(float(np.hypot(*(wrist[:2] - nose[:2]))) for wrist in seen) / height_px
        if distance > LEFT_H:
            self._since, self._counted = None, False
        elif distance <= AT_MOUTH_H:
            self._since = seconds if self._since is None else self._since
            if not self._counted and seconds - self._since >= MIN_STAY_S:
                self._counted = True
                self._times.append(seconds)

    def count(self, seconds: float) -> int:
        """Return the number of movements within the last PERIOD_S, camera time in s."""
        while self._times and seconds - self._times[0] > PERIOD_S:
            self._times.popleft()
        return len(self._times)
