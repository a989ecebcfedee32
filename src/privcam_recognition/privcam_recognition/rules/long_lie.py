"""Detects a long lie: somebody is down and was not seen to get up. It needs no fall that was seen.

Whoever slid down slowly, fell behind furniture, came out of bed or lay there when the camera started is down all the
same. Networks lose people on the floor, so a place outlives its track: somebody who is out of sight after they were
down is still down, until they are seen upright or somebody new appears upright at that very place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from privcam_core.events.event_tracker import ActiveEvent, merge_ids
from privcam_core.types.arrays import Box
from privcam_recognition.frame_time import FrameTime
from privcam_recognition.subject_history import Subject

LABEL = "long_lie"
# Somebody who is down for so long without getting up, s, is reported.
REPORT_S = 10.0
# They were seen down for at least this long, s: longer than a bend, and than the network errs ...
SEEN_DOWN_S = 2.0
# ... and longer where they were lost at an edge of the picture: people who walk out there look flat too.
EDGE_DOWN_S = 3.0
# Whoever is seen upright for this long, s, is up ...
UP_S = 2.0
# ... if the upper edge of the box is so many body heights higher than it lay: poses of bodies on the floor are often
# wrong, and sitting up raises it by more.
RISE_H = 0.3
# Somebody new stands at the place when they are within this many body heights of the box that lay there.
REACH_H = 0.5
# A place where nobody has been seen for this long, s, is given up: they were carried away, or it was no person.
GIVE_UP_S = 1800.0
# A place where nobody was seen down for long enough is given up after this time, s: whoever lies there later came then.
BEND_GIVE_UP_S = 30.0


@dataclass(frozen=True)
class Sighting:
    """A subject in view, or one that fell and was lost. is_down: whether it lies or has fallen.

    at_edge: it may be walking out of the picture.
    """

    subject: Subject
    is_down: bool
    at_edge: bool


@dataclass(eq=False)
class LongLie:
    """A place where somebody is down. Times are camera time in s.

    ids: of the subjects seen there, the newest first. box: the last one, px. height_px: H. since: when they came down.
    last: when they were seen down last. top_px: the upper edge of the box at its lowest. down_s, up_s: how long they
    were seen down, and upright since then.
    """

    ids: tuple[int, ...]
    box: Box
    height_px: float
    since: float
    last: float
    top_px: float = 0.0
    down_s: float = 0.0
    up_s: float = 0.0
    at_edge: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether somebody was seen down there for so long that it was no bend."""
        return self.down_s >= (EDGE_DOWN_S if self.at_edge else SEEN_DOWN_S)

    @property
    def has_risen(self) -> bool:
        """Whether they are up again."""
        return self.up_s >= UP_S

    def is_over(self, seconds: float) -> bool:
        """Return whether they are up again, or nobody was seen there for too long."""
        return self.has_risen or seconds - self.last > (GIVE_UP_S if self.is_certain else BEND_GIVE_UP_S)

    def name(self, subject: Subject) -> None:
        """Take in the numbers of a subject that is seen there."""
        self.ids = merge_ids(subject.ids, self.ids)

    def event(self, seconds: float) -> ActiveEvent | None:
        """Return the event that holds now, if it has lasted for long enough."""
        held_s = seconds - self.since
        if held_s < REPORT_S or not self.is_certain:
            return None
        unseen_s = seconds - self.last
        # What was seen counts whole; of the time out of sight nothing is known but that nobody got up in view.
        confidence = (min(held_s, REPORT_S) - 0.5 * min(unseen_s, REPORT_S)) / REPORT_S
        hidden = f", out of sight for {unseen_s:.0f} s of it" if unseen_s >= 1.0 else ""
        evidence = f"down for {held_s:.0f} s{hidden}, not seen to get up"
        return ActiveEvent(LABEL, self.ids, max(0.5, confidence), self.since, evidence)


class LongLieDetector:
    """Follows the places of one camera where somebody is down."""

    def __init__(self) -> None:
        self.active: list[LongLie] = []
        self._began: WeakKeyDictionary[Subject, tuple[float, Box]] = WeakKeyDictionary()
        self._time = FrameTime()

    def update(self, seconds: float, sightings: Iterable[Sighting]) -> Sequence[LongLie]:
        """Take in the subjects in view at one moment; return the places where somebody is up, or that are given up."""
        step_s = self._time.advance(seconds)
        for sighting in sightings:
            subject = sighting.subject
            self._began.setdefault(subject, (seconds, subject.box))
            lie = self._lie_of(subject)
            if sighting.is_down:
                self._lies(lie, sighting, seconds, step_s)
            elif lie is not None and lie.top_px - subject.box[1] >= RISE_H * lie.height_px:
                lie.up_s += step_s
                lie.name(subject)
        ended = [one for one in self.active if one.is_over(seconds)]
        self.active = [one for one in self.active if one not in ended]
        return ended

    def _lies(self, lie: LongLie | None, sighting: Sighting, seconds: float, step_s: float) -> None:
        subject = sighting.subject
        x0, y0, x1, y1 = subject.box
        # Of a body on the floor without a visible limb the box is all there is.
        height_px = subject.height_px or max(x1 - x0, y1 - y0)
        if lie is None:
            lie = LongLie((), subject.box, height_px, seconds, subject.last)
            self.active.append(lie)
        lie.name(subject)
        lie.top_px = max(lie.top_px, subject.box[1])
        lie.box, lie.height_px, lie.last = subject.box, height_px, max(lie.last, subject.last)
        lie.down_s, lie.up_s, lie.at_edge = lie.down_s + step_s, 0.0, sighting.at_edge

    def _lie_of(self, subject: Subject) -> LongLie | None:
        """Return the place that a subject lies at, or lay at under this number or another one.

        Somebody new is whoever lay there only if they appear there: others walk up to the place, and help.
        """
        for lie in self.active:
            if set(subject.ids) & set(lie.ids):
                return lie
        began_s, began = self._began[subject]
        near = [one for one in self.active if began_s >= one.last and distance_h(began, one) <= REACH_H]
        return min(near, key=lambda one: distance_h(began, one), default=None)


def distance_h(box: Box, lie: LongLie) -> float:
    """Return how far the foot of a box is from the box of somebody who lies, along and up the picture, in H."""
    foot = (box[0] + box[2]) / 2
    beside = max(0.0, lie.box[0] - foot, foot - lie.box[2])
    return max(beside, abs(box[3] - lie.box[3])) / lie.height_px
