"""How often a hand went to the mouth: what smoking, and hardly anything else, does again and again."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from privcam_core.types.skeleton import SEEN, Joint

# A wrist this near to the nose is at the mouth, H: a hand is 0.1 H long. It has left where it is farther than that.
AT_MOUTH_H, LEFT_H = 0.13, 0.20
# It stays for so long, in s: a hand that goes by does not.
STAYS_S = 0.2
# What counts is how often within so many s, and from how often on it is smoking: who drinks or scratches does it once.
OVER_S, OFTEN = 60.0, 2
_WRISTS = (Joint.LEFT_WRIST, Joint.RIGHT_WRIST)


@dataclass
class HandToMouth:
    """Follows the hands of one person."""

    _times: deque[float] = field(default_factory=deque)
    _since: float | None = None
    _counted: bool = False

    def update(self, seconds: float, keypoints: npt.NDArray[np.float32], height_px: float) -> None:
        """Take in a pose, (17, 3) px, px, ρ. seconds: camera time. height_px: H. What is not seen changes nothing."""
        nose = keypoints[Joint.NOSE]
        seen = [keypoints[wrist] for wrist in _WRISTS if keypoints[wrist, 2] >= SEEN]
        if nose[2] < SEEN or not seen:
            return
        distance = min(float(np.hypot(*(wrist[:2] - nose[:2]))) for wrist in seen) / height_px
        if distance > LEFT_H:
            self._since, self._counted = None, False
        elif distance <= AT_MOUTH_H:
            self._since = seconds if self._since is None else self._since
            if not self._counted and seconds - self._since >= STAYS_S:
                self._counted = True
                self._times.append(seconds)

    def count(self, seconds: float) -> int:
        """Return how often within the last OVER_S."""
        while self._times and seconds - self._times[0] > OVER_S:
            self._times.popleft()
        return len(self._times)
