"""Pushing and fighting: people beside each other whose limbs are faster than walking or talking moves them.

In a fight people hide each other, and their tracks break every few frames; what lasts is the place. So what is measured
of any two who are close belongs to where they are, not to who they are.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import exp, hypot, inf

import numpy as np

from privcam_cloud.recognition.subject_history import Person
from privcam_cloud.recognition.temporal.windows import SURE, TrackMemory
from privcam_core.events.event_tracker import MAX_IDS, Claim
from privcam_core.types.skeleton import SEEN, Joint

# Two are close if their boxes are less than this apart, beside each other and at the feet, and neither is more than so
# many times as tall in the picture: H of the two.
BESIDE_H, DEPTH_H, TALLER = 0.3, 0.5, 2.0
# Limbs are where they were so many s ago or a little longer: less is noise of the pose, more hides a punch.
LAG_S, LONGEST_LAG_S = 0.1, 0.25
# What counts is the median over so many s of what was measured within so many H of one place, at so many moments.
SPAN_S, PLACE_H, MOMENTS = 1.0, 1.0, 4
# From here on it is one, in H/s; up to there it goes on; it is over when it was less for so long. How fast gestures of
# single people are says `python -m privcam_training.limb_speed`.
BEGIN, HOLD, END_S = 0.5, 0.35, 1.0
# How much faster, in H/s, makes it how much surer: 0.5 at BEGIN, 0.73 at BEGIN + SCALE.
SCALE = 0.15

_LIMBS = [
    Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW, Joint.LEFT_WRIST, Joint.RIGHT_WRIST,
    Joint.LEFT_KNEE, Joint.RIGHT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE,
]  # fmt: skip
_TORSO = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
_WRISTS = [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]


def limb_speed(memory: TrackMemory, height_px: float) -> float | None:
    """Return how fast the limbs move against the torso now, mean over those seen, H/s; None where that is not seen."""
    earlier = memory.earlier(LAG_S - 1e-3, LONGEST_LAG_S)
    if earlier is None or (now := memory.newest)[:, 2].mean() < SURE:
        return None
    age, then = earlier
    known = (now[:, 2] >= SEEN) & (then[:, 2] >= SEEN)
    torso, limbs = ([joint for joint in joints if known[joint]] for joints in (_TORSO, _LIMBS))
    if len(torso) < 2 or len(limbs) < 3:
        return None
    moved = (now[:, :2] - then[:, :2]) - (now[torso, :2] - then[torso, :2]).mean(axis=0)
    return float(np.linalg.norm(moved[limbs], axis=1).mean() / height_px / age)


@dataclass(frozen=True)
class _Sample:
    """Two who were close at one moment. x, y: between them, px. distance: between their middles, H."""

    seconds: float
    ids: tuple[int, int]
    x: float
    y: float
    height_px: float
    speed: float
    distance: float
    contact: bool


@dataclass(eq=False)
class Scuffle:
    """One that goes on. seen: when it was last fast enough, camera time in s."""

    x: float
    y: float
    started: float
    seen: float
    claim: Claim


@dataclass
class Scuffles:
    """Finds them in the picture of one camera. `going` are those that go on."""

    going: list[Scuffle] = field(default_factory=list)
    _samples: deque[_Sample] = field(default_factory=deque)

    def update(self, seconds: float, people: Sequence[Person]) -> Sequence[Scuffle]:
        """Take in a moment and return those that are over. people: in view now, none of whom is falling."""
        while self._samples and seconds - self._samples[0].seconds > SPAN_S:
            self._samples.popleft()
        known = [
            (person, height) for person in people if (height := person.height_px) is not None and person.memory.was_sure
        ]
        speeds = {id(person): limb_speed(person.memory, height) for person, height in known}
        fresh = []
        for (a, a_height), (b, b_height) in combinations(known, 2):
            found = [speed for speed in (speeds[id(a)], speeds[id(b)]) if speed is not None]
            if found and _close(a, b, (a_height + b_height) / 2) and 1 / TALLER < a_height / b_height < TALLER:
                fresh.append(_sample(seconds, a, b, (a_height + b_height) / 2, sum(found) / len(found)))
        self._samples.extend(fresh)
        for sample in fresh:
            self._judge(sample)
        over = [scuffle for scuffle in self.going if seconds - scuffle.seen > END_S]
        self.going = [scuffle for scuffle in self.going if seconds - scuffle.seen <= END_S]
        return over

    def _judge(self, sample: _Sample) -> None:
        near = [s for s in self._samples if hypot(s.x - sample.x, s.y - sample.y) <= PLACE_H * sample.height_px]
        if len({s.seconds for s in near}) < MOMENTS:
            return
        speed = float(np.median([s.speed for s in near]))
        scuffle = min(
            (one for one in self.going if hypot(one.x - sample.x, one.y - sample.y) <= 2 * PLACE_H * sample.height_px),
            key=lambda one: hypot(one.x - sample.x, one.y - sample.y),
            default=None,
        )
        if speed < (BEGIN if scuffle is None else HOLD):
            return
        started = near[0].seconds if scuffle is None else scuffle.started
        ids = tuple(dict.fromkeys(i for s in reversed(near) for i in s.ids))[:MAX_IDS]
        confidence = 1 / (1 + exp((BEGIN - speed) / SCALE))
        claim = Claim("pushing_fighting", ids, confidence, started, _evidence(near, speed, sample.seconds - started))
        if scuffle is None:
            self.going.append(Scuffle(sample.x, sample.y, started, sample.seconds, claim))
        else:
            scuffle.x, scuffle.y, scuffle.seen, scuffle.claim = sample.x, sample.y, sample.seconds, claim


def _close(a: Person, b: Person, height_px: float) -> bool:
    beside = max(a.box[0], b.box[0]) - min(a.box[2], b.box[2])
    return beside < BESIDE_H * height_px and abs(a.box[3] - b.box[3]) < DEPTH_H * height_px


def _sample(seconds: float, a: Person, b: Person, height_px: float, speed: float) -> _Sample:
    distance = hypot(a.place[0] - b.place[0], a.place[1] - b.place[1]) / height_px
    x, y = (a.box[0] + a.box[2] + b.box[0] + b.box[2]) / 4, (a.box[3] + b.box[3]) / 2
    contact = _reaches(a, b) or _reaches(b, a)
    return _Sample(seconds, (a.ids[0], b.ids[0]), x, y, height_px, speed, distance, contact)


def _reaches(a: Person, b: Person) -> bool:
    """Say whether a hand of one is on the other."""
    keypoints = a.memory.newest
    x0, y0, x1, y1 = b.box
    return any(rho >= SEEN and x0 <= u <= x1 and y0 <= v <= y1 for u, v, rho in (keypoints[joint] for joint in _WRISTS))


def _evidence(near: Sequence[_Sample], speed: float, held_s: float) -> str:
    """Return the measured quantities: speed of the limbs, closing speed and contact."""
    pairs: dict[tuple[int, int], list[_Sample]] = {}
    for sample in near:
        pairs.setdefault(sample.ids, []).append(sample)
    closing = -inf
    for samples in pairs.values():
        first, last = samples[0], samples[-1]
        if last.seconds - first.seconds >= 2 * LAG_S:
            closing = max(closing, (first.distance - last.distance) / (last.seconds - first.seconds))
    parts = [f"limbs of people beside each other at {speed:.1f} body heights/s"]
    if closing > -inf:
        parts.append(f"closing at {closing:.1f}" if closing > 0 else f"parting at {-closing:.1f}")
    parts.append(f"a hand on the other in {sum(s.contact for s in near)} of {len(near)} looks")
    return f"{', '.join(parts)}, for {held_s:.0f} s"
