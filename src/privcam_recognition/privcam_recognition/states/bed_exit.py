"""Detects that somebody who lay for long sits up, and then goes: who falls at night mostly fell on that way."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from privcam_core.events.event_tracker import ActiveEvent
from privcam_recognition.frame_time import FrameTime
from privcam_recognition.rules.loitering import ON_FOOT
from privcam_recognition.rules.long_lie import LongLie, distance_h
from privcam_recognition.states.view import View

SAT_UP, OUT_OF_BED = "sat_up", "out_of_bed"
# Somebody was in bed when they lay there for so long, s.
IN_BED_S = 60.0
# They are out of bed when they are on foot for so long, s, or further away than this many body heights.
ON_FOOT_S = 1.0
AWAY_H = 0.7
# The event is reported for so long, s.
HELD_S = 10.0
# Whoever is out of sight for so long, s, is followed no more.
LOST_S = 10.0


@dataclass(eq=False)
class BedExit:
    """Somebody who lay at a place and rose from it. Times are camera time in s. left: when they were out of bed."""

    place: LongLie
    lay_s: float
    rose: float
    last: float
    on_foot_s: float = 0.0
    left: float | None = None

    def event(self, seconds: float) -> ActiveEvent:
        """Return the event that holds now."""
        lay = f"lay for {self.lay_s:.0f} s"
        if self.left is None:
            evidence = f"{lay}, sits up since {seconds - self.rose:.0f} s"
            return ActiveEvent(SAT_UP, self.place.ids, 0.7, self.rose, evidence)
        evidence = f"{lay}, left the place {seconds - self.left:.0f} s ago, {self.left - self.rose:.0f} s after rising"
        return ActiveEvent(OUT_OF_BED, self.place.ids, 0.8, self.left, evidence)


class BedExitDetector:
    """Follows those of one camera who rise from where they lay."""

    def __init__(self) -> None:
        self.active: list[BedExit] = []
        self._time = FrameTime()

    def update(self, seconds: float, risen: Iterable[LongLie], views: Sequence[View]) -> Sequence[BedExit]:
        """Take in one moment; return what is over. risen: places where somebody was seen to rise in this frame."""
        step_s = self._time.advance(seconds)
        for place in risen:
            if place.down_s >= IN_BED_S:
                self.active.append(BedExit(place, place.last - place.since, place.last, seconds))
        ended = []
        for one in self.active:
            view = next((view for view in views if set(view.subject.ids) & set(one.place.ids)), None)
            if view is not None:
                self._follow(one, view, seconds, step_s)
            lies = view is not None and view.is_down
            reported = one.left is not None and seconds - one.left > HELD_S
            if lies or reported or (one.left is None and seconds - one.last > LOST_S):
                ended.append(one)
        self.active = [one for one in self.active if one not in ended]
        return ended

    def _follow(self, one: BedExit, view: View, seconds: float, step_s: float) -> None:
        one.last = seconds
        one.on_foot_s = one.on_foot_s + step_s if view.label in ON_FOOT else 0.0
        is_away = distance_h(view.subject.box, one.place) > AWAY_H and not view.is_down
        if one.left is None and (one.on_foot_s >= ON_FOOT_S or is_away):
            one.left = seconds
