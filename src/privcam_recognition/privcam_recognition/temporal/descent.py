"""Detects a fall: the network's fall probability, averaged over time and confirmed by a descent of the box."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from privcam_recognition.rules.posture_rules import Fall
from privcam_recognition.temporal.windows import CONFIDENT, STEP_S, Track

# Fall probability is averaged over this, in s: two outputs at 5 frames/s, three at 10 or more. With a longer time the
# descent, during which a fall cannot be told from bending, would still outweigh the time on the floor.
SMOOTHING_S = 0.25
# A fall is reported from this smoothed probability on.
BEGIN = 0.5
# The body comes down at least this far, in H: a sitting person is 0.65 H high, a lying one 0.3 H.
MIN_DROP = 0.35
# The body comes down at least this fast, in H/s: lying down with care is slower.
MIN_SPEED = 0.3
# H is measured too large at times. So this drop, in H, is enough where it is also MIN_FRACTION of the box's height in
# the BEFORE_S before.
SMALL_DROP = 0.3
# A person who slides off a chair comes down by 0.55 of the box's height; sitting down or bending on a chair is 0.4.
MIN_FRACTION = 0.5
# Time before a descent in which the height of the box, or an upright posture, counts, in s.
BEFORE_S = 0.5
# A subject that was upright, came down this far, in H, and this fast, in H/s, and lies, has fallen: lying down with
# care from standing takes two seconds or more. The network confuses "fall" and "lying" where a fall takes long.
FAR_DROP = 0.6
FAST_SPEED = 0.6
# At an edge of the picture a subject has to be seen for this long, in s, after it came down.
MIN_STAY_S = 0.3
# A subject whose upright postures together have this probability is up again …
UPRIGHT_PROBABILITY = 0.6
# … when it lasts this long, in s.
UPRIGHT_S = 0.8
UPRIGHT = ("standing", "walking", "sitting", "bending")
# Whoever is up has also come up again by this fraction of the way down: poses of bodies on the floor are often wrong.
RISEN_FRACTION = 0.5
# A descent is looked for within this time, in s.
DESCENT_S = 2.5
# A descent starts and ends where this fraction of it is passed and left.
DESCENT_ENDS = 0.1


@dataclass
class FallWatch:
    """Follows one subject. `fall` is the fall that holds now."""

    fall: Fall | None = None
    _probabilities: deque[tuple[float, float]] = field(default_factory=deque)
    _upright_since: float | None = None
    _last_upright: float = -np.inf
    _last_end: float = -np.inf
    # Upper edge of the box at its lowest since the fall, px.
    _lowest_px: float = 0.0

    def update(
        self,
        seconds: float,
        probabilities: Mapping[str, float],
        track: Track,
        height_px: float,
        *,
        hidden: bool = False,
        at_edge: bool = False,
    ) -> None:
        """Take in the probability of each label at one moment.

        seconds: camera time. height_px: H. hidden: out of sight, and last seen beside another subject; no fall begins
        then, because a falling subject looks like one that walks behind another. at_edge: of the picture; a fall
        begins there only after the subject was seen to stay down, because walking out through the lower edge looks
        like coming down.
        """
        self._update_upright(seconds, probabilities)
        descent = measure_descent(track, height_px, seconds)
        came_from_upright = self._last_upright >= descent.started - BEFORE_S
        lies_after_fall = descent.drop >= FAR_DROP and descent.speed >= FAST_SPEED and came_from_upright
        self._probabilities.append(
            (seconds, probabilities["fall"] + (probabilities["lying"] if lies_after_fall else 0.0))
        )
        while seconds - self._probabilities[0][0] > SMOOTHING_S:
            self._probabilities.popleft()
        if self.fall is None:
            smoothed = float(np.mean([probability for _, probability in self._probabilities]))
            lasted = self._probabilities[-1][0] - self._probabilities[0][0] >= SMOOTHING_S / 2
            stays = not at_edge or track.times[-1] - descent.landed >= MIN_STAY_S - 1e-6
            if smoothed >= BEGIN and lasted and stays and not hidden:
                # The window may still hold a fall that is over; that is not another one.
                is_new = descent.started > self._last_end
                if is_new and _is_fall(descent, track, height_px) and _was_body(track, descent.started):
                    self.fall = replace(descent, confidence=min(1.0, smoothed))
                    self._lowest_px = float(track.boxes[-1, 1])
            return
        top_px = float(track.boxes[-1, 1])
        self._lowest_px = max(self._lowest_px, top_px)
        is_upright = self._upright_since is not None and seconds - self._upright_since >= UPRIGHT_S
        if is_upright and self._lowest_px - top_px >= RISEN_FRACTION * self.fall.drop * height_px:
            self.fall, self._last_end = None, seconds

    def _update_upright(self, seconds: float, probabilities: Mapping[str, float]) -> None:
        if sum(probabilities[label] for label in UPRIGHT) < UPRIGHT_PROBABILITY:
            self._upright_since = None
            return
        self._last_upright = seconds
        if self._upright_since is None:
            self._upright_since = seconds


def _is_fall(descent: Fall, track: Track, height_px: float) -> bool:
    """Return whether a descent was far and fast enough for a fall."""
    before = (track.times >= descent.started - BEFORE_S) & (track.times <= descent.started)
    boxes = track.boxes[before]
    height = float(np.median(boxes[:, 3] - boxes[:, 1])) / height_px
    far = descent.drop >= MIN_DROP or descent.drop >= max(SMALL_DROP, MIN_FRACTION * height)
    return far and descent.speed >= MIN_SPEED


def _was_body(track: Track, until: float) -> bool:
    """Return whether a body was seen with confidence before; a chair that is taken for a person never is."""
    before = track.times <= until + STEP_S
    return bool(before.any() and track.keypoints[before, :, 2].mean(axis=1).max() >= CONFIDENT)


def measure_descent(track: Track, height_px: float, now: float) -> Fall:
    """Return how the upper edge of the box came down in the last DESCENT_S, with the confidence 0.

    The box is there also when no pose is. height_px: H. now: camera time in s.
    """
    chosen = track.times >= now - DESCENT_S
    chosen[-1] = True
    times, tops = track.times[chosen], track.boxes[chosen, 1] / height_px
    highest = int(np.argmin(tops))
    low = float(tops[highest:].max())
    drop = low - float(tops[highest])
    still_up = tops[highest:] <= tops[highest] + DESCENT_ENDS * drop
    started = float(times[highest:][still_up][-1])
    arrived = tops[highest:] >= low - DESCENT_ENDS * drop
    landed = max(started, float(times[highest:][arrived][0]))
    speed = drop / max(landed - started, 0.1)
    return Fall(started=started, landed=landed, speed=speed, drop=drop, confidence=0.0)
