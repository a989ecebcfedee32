"""Detects pushing and fighting: people beside each other whose limbs move faster than in walking or talking.

In a fight people hide each other, and their tracks break every few frames; only the place lasts. So the measures of any
two subjects that are close belong to the place, not to the subjects.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import exp, hypot, inf

import numpy as np

from privcam_core.events.event_tracker import ActiveEvent, merge_ids
from privcam_core.types.skeleton import SEEN, Joint
from privcam_recognition.subject_history import Subject
from privcam_recognition.temporal.windows import CONFIDENT, TrackBuffer

# Two subjects are close if the gap between their boxes to the side is less than this, in H.
BESIDE_H = 0.3
# … and their feet are less than this apart along the picture's height, in H.
DEPTH_H = 0.5
# … and neither is this many times as tall in the picture as the other.
MAX_HEIGHT_RATIO = 2.0
# Limb speed is measured over at least this time, in s: in less time the noise of the pose dominates.
LAG_S = 0.1
# … and over at most this time, in s: more would hide a punch.
MAX_LAG_S = 0.25
# Limb speed is the median of the samples of this time, in s.
SPAN_S = 1.0
# … within this distance of one place, in H.
PLACE_H = 1.0
# … at this many different moments or more.
MOMENTS = 4
# Pairs of one moment that are looked at, those with the fastest limbs: all pairs of eight people who stand together.
# The work grows with the square of the pairs; 64 people in one place took 2.6 s for each Ω.
MAX_PAIRS = 28
# A fight begins at this limb speed, in H/s. `python -m privcam_training.limb_speed` measures gestures of single people.
BEGIN = 0.5
# It continues from this limb speed on, in H/s.
HOLD = 0.35
# It ends when the limb speed was below HOLD for this long, in s.
END_S = 1.0
# Confidence is 0.5 at BEGIN and 0.73 at BEGIN + this, in H/s.
CONFIDENCE_SCALE = 0.15

_LIMBS = [
    Joint.LEFT_ELBOW, Joint.RIGHT_ELBOW, Joint.LEFT_WRIST, Joint.RIGHT_WRIST,
    Joint.LEFT_KNEE, Joint.RIGHT_KNEE, Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE,
]  # fmt: skip
_TORSO = [Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
_WRISTS = [Joint.LEFT_WRIST, Joint.RIGHT_WRIST]


def limb_speed(track_buffer: TrackBuffer, height_px: float) -> float | None:
    """Return the mean speed of the seen limbs against the torso, H/s; None where too little of the body is seen."""
    earlier = track_buffer.earlier(LAG_S - 1e-3, MAX_LAG_S)
    if earlier is None or (now := track_buffer.newest)[:, 2].mean() < CONFIDENT:
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
    """Two subjects that were close at one moment. x, y: between them, px. distance: between their middles, H."""

    seconds: float
    ids: tuple[int, int]
    x: float
    y: float
    height_px: float
    speed: float
    distance: float
    contact: bool


@dataclass(eq=False)
class Fight:
    """One fight. x, y: its place, px. started, seen: begin and last limb speed over the limit, camera time in s."""

    x: float
    y: float
    started: float
    seen: float
    event: ActiveEvent


@dataclass
class FightDetector:
    """Finds fights in the picture of one camera. `active` holds those that have not ended."""

    active: list[Fight] = field(default_factory=list)
    _samples: deque[_Sample] = field(default_factory=deque)

    def update(self, seconds: float, subjects: Sequence[Subject]) -> Sequence[Fight]:
        """Take in a moment and return the fights that ended. subjects: in view now and not falling."""
        while self._samples and seconds - self._samples[0].seconds > SPAN_S:
            self._samples.popleft()
        fresh = _sample_pairs(seconds, subjects)
        self._samples.extend(fresh)
        if fresh:
            samples = list(self._samples)
            places = np.array([(sample.x, sample.y) for sample in samples])
            for sample in fresh:
                away = np.hypot(*(places - (sample.x, sample.y)).T)
                near = [samples[index] for index in np.flatnonzero(away <= PLACE_H * sample.height_px)]
                self._update_place(sample, near)
        ended = [fight for fight in self.active if seconds - fight.seen > END_S]
        self.active = [fight for fight in self.active if seconds - fight.seen <= END_S]
        return ended

    def _update_place(self, sample: _Sample, near: Sequence[_Sample]) -> None:
        """Begin or continue the fight at the place of a new sample. near: the samples around it, oldest first."""
        if len({s.seconds for s in near}) < MOMENTS:
            return
        speed = float(np.median([s.speed for s in near]))
        fight = min(
            (one for one in self.active if hypot(one.x - sample.x, one.y - sample.y) <= 2 * PLACE_H * sample.height_px),
            key=lambda one: hypot(one.x - sample.x, one.y - sample.y),
            default=None,
        )
        if speed < (BEGIN if fight is None else HOLD):
            return
        started = near[0].seconds if fight is None else fight.started
        ids = merge_ids((i for s in reversed(near) for i in s.ids), ())
        confidence = 1 / (1 + exp((BEGIN - speed) / CONFIDENCE_SCALE))
        evidence = _evidence(near, speed, sample.seconds - started)
        event = ActiveEvent("pushing_fighting", ids, confidence, started, evidence)
        if fight is None:
            self.active.append(Fight(sample.x, sample.y, started, sample.seconds, event))
        else:
            fight.x, fight.y, fight.seen, fight.event = sample.x, sample.y, sample.seconds, event


def _sample_pairs(seconds: float, subjects: Sequence[Subject]) -> list[_Sample]:
    """Return one sample for each two subjects that are close and whose limbs are seen, MAX_PAIRS at most."""
    known = [
        (subject, height)
        for subject in subjects
        if (height := subject.height_px) is not None and subject.track_buffer.was_confident
    ]
    speeds = {id(subject): limb_speed(subject.track_buffer, height) for subject, height in known}
    samples = []
    for (a, a_height), (b, b_height) in combinations(known, 2):
        found = [speed for speed in (speeds[id(a)], speeds[id(b)]) if speed is not None]
        height = (a_height + b_height) / 2
        if found and _is_close(a, b, height) and 1 / MAX_HEIGHT_RATIO < a_height / b_height < MAX_HEIGHT_RATIO:
            samples.append(_sample(seconds, a, b, height, sum(found) / len(found)))
    if len(samples) <= MAX_PAIRS:
        return samples
    return sorted(samples, key=lambda sample: -sample.speed)[:MAX_PAIRS]


def _is_close(a: Subject, b: Subject, height_px: float) -> bool:
    beside = max(a.box[0], b.box[0]) - min(a.box[2], b.box[2])
    return beside < BESIDE_H * height_px and abs(a.box[3] - b.box[3]) < DEPTH_H * height_px


def _sample(seconds: float, a: Subject, b: Subject, height_px: float, speed: float) -> _Sample:
    distance = hypot(a.place[0] - b.place[0], a.place[1] - b.place[1]) / height_px
    x, y = (a.box[0] + a.box[2] + b.box[0] + b.box[2]) / 4, (a.box[3] + b.box[3]) / 2
    contact = _reaches(a, b) or _reaches(b, a)
    return _Sample(seconds, (a.ids[0], b.ids[0]), x, y, height_px, speed, distance, contact)


def _reaches(a: Subject, b: Subject) -> bool:
    """Return whether a hand of `a` is on `b`."""
    keypoints = a.track_buffer.newest
    x0, y0, x1, y1 = b.box
    return any(rho >= SEEN and x0 <= u <= x1 and y0 <= v <= y1 for u, v, rho in (keypoints[joint] for joint in _WRISTS))


def _evidence(near: Sequence[_Sample], speed: float, held_s: float) -> str:
    """Return the measured quantities in one sentence: speed of the limbs, closing speed and contact."""
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
