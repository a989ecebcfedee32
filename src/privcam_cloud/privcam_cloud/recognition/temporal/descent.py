"""When a fall is one: the network's opinion over time, confirmed by what follows, and measured on the boxes."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from privcam_cloud.recognition.rules.posture_rules import Fall
from privcam_cloud.recognition.temporal.windows import STEP_S, SURE, Track

# The opinion that counts is the mean over this, in s: two looks at 5 frames/s, three at 10 or more. Longer, and who has
# just come to rest is still outvoted by the way down, on which nobody can tell a fall from bending.
OPINION_S = 0.25
# A fall is reported from this mean probability on; more likely than not.
BEGIN = 0.5
# The body comes down at least so far, H, and so fast, H/s: who sits is 0.65 H high and who lies 0.3, and to lie down
# with care is slower.
LEAST_DROP, LEAST_SPEED = 0.35, 0.3
# H is measured too large at times. So a little less is enough where it is this share of the height that the box had in
# so many s before: who slides off a chair comes down by 0.55 of it, who sits down or bends on a chair by 0.4.
NEARLY, LEAST_SHARE, BEFORE_S = 0.3, 0.5, 0.5
# Who was up, came down so far, H, and so fast, H/s, and lies, has fallen: to lie down with care from standing takes two
# seconds or more. Between "fall" and "lying" the network cannot decide where a fall takes longer than most.
FAR, FAST = 0.6, 0.6
# At an edge of the picture somebody has to be seen for so many s after they came down.
STAYS_S = 0.3
# Who is this surely up again, for so long, is no longer on the floor.
UP, UP_S = 0.6, 0.8
UPRIGHT = ("standing", "walking", "sitting", "bending")
# The way down is looked for in so many s before, and counts from and to this share of it.
WAY_S, ENDS = 2.5, 0.1


@dataclass
class FallWatch:
    """Follows one person. `fall` is the fall that holds now."""

    fall: Fall | None = None
    _opinions: deque[tuple[float, float]] = field(default_factory=deque)
    _up_since: float | None = None
    _last_up: float = -np.inf
    _last_end: float = -np.inf

    def update(
        self,
        seconds: float,
        chances: Mapping[str, float],
        track: Track,
        height_px: float,
        *,
        hidden: bool = False,
        at_edge: bool = False,
    ) -> None:
        """Take in the probability of each label at one moment.

        seconds: camera time. height_px: H. hidden: out of sight, and last seen beside somebody else. Who falls is not
        told from who walks behind another, then: so nothing begins. at_edge: of the picture. Nor does it there until
        somebody was seen to stay down: who walks out through the lower edge comes down too.
        """
        upright = sum(chances[label] for label in UPRIGHT)
        if upright < UP:
            self._up_since = None
        else:
            self._last_up = seconds
            if self._up_since is None:
                self._up_since = seconds
        found = way_down(track, height_px, seconds)
        fell = found.drop >= FAR and found.speed >= FAST and self._last_up >= found.started - BEFORE_S
        self._opinions.append((seconds, chances["fall"] + (chances["lying"] if fell else 0.0)))
        while seconds - self._opinions[0][0] > OPINION_S:
            self._opinions.popleft()
        if self.fall is None:
            opinion = float(np.mean([chance for _, chance in self._opinions]))
            lasted = self._opinions[-1][0] - self._opinions[0][0] >= OPINION_S / 2
            stays = not at_edge or track.times[-1] - found.landed >= STAYS_S - 1e-6
            if opinion >= BEGIN and lasted and stays and not hidden:
                # What is still in the window of a fall that is over is not another one.
                fresh = found.started > self._last_end
                if fresh and _came_down(found, track, height_px) and _somebody(track, found.started):
                    self.fall = replace(found, confidence=min(1.0, opinion))
        elif self._up_since is not None and seconds - self._up_since >= UP_S:
            self.fall, self._last_end = None, seconds


def _came_down(fall: Fall, track: Track, height_px: float) -> bool:
    """Say whether it was far enough for a fall, and fast enough."""
    before = (track.times >= fall.started - BEFORE_S) & (track.times <= fall.started)
    boxes = track.boxes[before]
    stood = float(np.median(boxes[:, 3] - boxes[:, 1])) / height_px
    far = fall.drop >= LEAST_DROP or fall.drop >= max(NEARLY, LEAST_SHARE * stood)
    return far and fall.speed >= LEAST_SPEED


def _somebody(track: Track, until: float) -> bool:
    """Say whether a body was surely seen before; a chair that is taken for somebody is not, and its box jumps too."""
    before = track.times <= until + STEP_S
    return bool(before.any() and track.keypoints[before, :, 2].mean(axis=1).max() >= SURE)


def way_down(track: Track, height_px: float, now: float) -> Fall:
    """Return how the upper edge of the box came down in the last WAY_S; the box is there when no pose is.

    How sure that is, is 0: who calls this knows.
    """
    chosen = track.times >= now - WAY_S
    chosen[-1] = True
    times, tops = track.times[chosen], track.boxes[chosen, 1] / height_px
    highest = int(np.argmin(tops))
    low = float(tops[highest:].max())
    drop = low - float(tops[highest])
    on_the_way = tops[highest:] <= tops[highest] + ENDS * drop
    started = float(times[highest:][on_the_way][-1])
    arrived = tops[highest:] >= low - ENDS * drop
    landed = max(started, float(times[highest:][arrived][0]))
    speed = drop / max(landed - started, 0.1)
    return Fall(started=started, landed=landed, speed=speed, drop=drop, confidence=0.0)
